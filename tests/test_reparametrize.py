"""spectral_norm and weight_norm beside those of PyTorch: what is trained, saved and computed, and undone."""

import copy
import warnings

import numpy as np
import pytest
import torch

import minicnn as mc
from both import BOTH

LAYERS = {
    "linear": (lambda m: m.nn.Linear(3, 4), (5, 3)),
    "conv": (lambda m: m.nn.Conv2d(2, 3, (3, 2), bias=False), (2, 2, 5, 4)),
    "transposed": (lambda m: m.nn.ConvTranspose2d(2, 3, 3, stride=2), (2, 2, 3, 4)),
}
NORMS = {
    "spectral": lambda m, layer: m.nn.utils.spectral_norm(layer),
    "spectral, 3 steps": lambda m, layer: m.nn.utils.spectral_norm(layer, "weight", 3, 1e-6, dim=1),
    "weight": lambda m, layer: m.nn.utils.weight_norm(layer),
    "weight of dim 1": lambda m, layer: m.nn.utils.weight_norm(layer, "weight", 1),
    "weight as one": lambda m, layer: m.nn.utils.weight_norm(layer, dim=None),
}  # fmt: skip
REMOVE = {"s": "remove_spectral_norm", "w": "remove_weight_norm"}


def made(m, layer, norm):
    """The layer in float64, with numbers by a formula."""
    with warnings.catch_warnings(action="ignore"):  # PyTorch's weight_norm is deprecated
        made = NORMS[norm](m, LAYERS[layer][0](m)).double()
    state = made.state_dict()
    for k, (name, value) in enumerate(state.items()):
        state[name] = m.tensor(np.sin(np.arange(value.numel()) * (k + 1.3) + 1).reshape(value.shape))
    made.load_state_dict(state)
    return made


def trained(m, layer, norm):
    """Two forward passes a step, as for a discriminator; then evaluation, and the layer without its norm."""
    net, (_, shape) = made(m, layer, norm), LAYERS[layer]
    optimizer, told = m.optim.SGD(net.parameters(), lr=0.1), [str(net), [*net.state_dict()]]
    x = m.tensor(np.cos(np.arange(np.prod(shape)) * 0.7).reshape(shape))
    for _ in range(3):
        optimizer.zero_grad()
        loss = net(x).square().mean() - net(x * 0.5 + 0.1).mean()
        loss.backward()
        optimizer.step()
        told.append(loss)
    told += [net.eval()(x), *net.state_dict().values(), *(p.grad for p in net.parameters())]
    assert not isinstance(net.weight, m.nn.Parameter)
    getattr(m.nn.utils, REMOVE[norm[0]])(net)
    return [*told, net.weight, net(x), sorted(net.state_dict())]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("layer", LAYERS)
def test_as_pytorch(layer, norm):
    for ours, theirs in zip(trained(mc, layer, norm), trained(torch, layer, norm), strict=True):
        if isinstance(theirs, torch.Tensor):
            assert ours.requires_grad == theirs.requires_grad
            np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-12)
        else:
            assert ours == theirs


def test_the_largest_singular_value_is_one():
    layer = mc.nn.utils.spectral_norm(mc.nn.Linear(6, 5), n_power_iterations=30)
    layer(mc.ones(1, 6))
    assert np.linalg.svd(layer.weight.detach().numpy())[1][0] == pytest.approx(1, rel=1e-4)


def test_the_weight_is_what_it_was():
    layer = mc.nn.Linear(6, 5)
    before = layer.weight.detach().clone()
    mc.nn.utils.weight_norm(layer)(mc.ones(1, 6))
    assert mc.allclose(layer.weight, before)
    assert mc.allclose(layer.weight_g, before.norm(dim=1, keepdim=True))
    twin = copy.deepcopy(mc.nn.utils.weight_norm(mc.nn.Linear(2, 3)))
    assert len(list(twin.parameters())) == 3


@BOTH
def test_errors(m):
    with pytest.raises(ValueError, match="n_power_iterations"):
        m.nn.utils.spectral_norm(m.nn.Linear(2, 3), n_power_iterations=0)
    with pytest.raises(ValueError, match="spectral_norm"):
        m.nn.utils.remove_spectral_norm(m.nn.Linear(2, 3))
    with pytest.raises(ValueError, match="parameter"):
        m.nn.utils.spectral_norm(m.nn.LazyLinear(3))


@pytest.mark.parametrize("norm", ["spectral_norm", "weight_norm"])
def test_no_such_parameter(norm):
    apply = getattr(mc.nn.utils, norm)
    with pytest.raises(AttributeError, match=f"^{norm}: ReLU has no parameter 'weight'$"):
        apply(mc.nn.ReLU())
    with pytest.raises(AttributeError, match=f"^{norm}: Linear has no parameter 'bias'$"):
        apply(mc.nn.Linear(2, 3, bias=False), "bias")


@BOTH
@pytest.mark.parametrize("norm", ["spectral_norm", "weight_norm"])
def test_a_norm_is_given_once(m, norm):
    layer = m.nn.Linear(2, 3)
    with warnings.catch_warnings(action="ignore"):
        apply = getattr(m.nn.utils, norm)
        apply(layer)
        with pytest.raises(RuntimeError, match="weight") as error:
            apply(layer)
    assert m is torch or str(error.value) == f"{norm}: 'weight' of Linear is computed by {norm} already"
