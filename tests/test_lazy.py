"""Lazy layers, before and after their first forward pass, beside PyTorch's."""

import copy

import numpy as np
import pytest
import torch

import minicnn as mc
from both import BOTH, same


def net(m):
    nn = m.nn
    return nn.Sequential(
        nn.LazyConv2d(6, 3, padding=1), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)
    )


def batch(m):
    return m.tensor([[[[0.5, -1.0, 2.0], [1.5, 0.0, -0.5]]], [[[1.0, 2.0, -2.0], [0.0, 0.25, 3.0]]]])


@BOTH
def test_training_is_that_of_the_plain_layers(m):
    """The optimizer may be made before the shapes are known: the parameters stay the same objects."""
    lazy, nn = net(m), m.nn
    optimizer = m.optim.SGD(lazy.parameters(), lr=0.1, momentum=0.9)
    known = [*lazy.parameters()]
    lazy(batch(m))
    assert [id(p) for p in lazy.parameters()] == [id(p) for p in known]
    plain = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(36, 4)
    )
    assert repr(lazy) == repr(plain)
    assert [type(layer) for layer in lazy] == [type(layer) for layer in plain]
    plain.load_state_dict(lazy.state_dict())
    other = m.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        losses = []
        for model, opt in ((lazy, optimizer), (plain, other)):
            opt.zero_grad()
            losses.append(nn.functional.cross_entropy(model(batch(m)), m.tensor([1, 3])))
            losses[-1].backward()
            opt.step()
        assert losses[0].item() == losses[1].item()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ("LazyLinear(3)", (3, 4, 5)),
        ("LazyLinear(3, bias=False)", (5,)),
        ("LazyConv1d(6, 3, stride=2, padding=1, groups=2)", (3, 4, 7)),
        ("LazyConv2d(4, (3, 5), padding='same', bias=False)", (2, 3, 5, 6)),
        ("LazyConv2d(4, 3, padding=1, padding_mode='circular')", (3, 5, 6)),
        ("LazyConvTranspose1d(2, 3, stride=2)", (2, 3, 4)),
        ("LazyConvTranspose2d(6, 3, 2, 1, output_padding=1, groups=2)", (2, 4, 3, 5)),
        ("LazyBatchNorm1d(affine=False)", (4, 3)),
        ("LazyBatchNorm2d(momentum=None, bias=False)", (2, 3, 4, 5)),
    ],
)
def test_values_and_gradients_are_pytorchs(layer, shape, dtype):
    def told(m):
        kind = getattr(m, dtype)
        made = eval(f"nn.{layer}", {"nn": m.nn}).to(kind)
        x = m.tensor(np.sin(np.arange(np.prod(shape)) * 1.7).reshape(shape), dtype=kind, requires_grad=True)
        made(x)
        for k, p in enumerate(made.parameters()):
            p.data = m.tensor(np.cos(np.arange(p.numel()) + k).reshape(tuple(p.shape)), dtype=kind)
        (made(x) * made(x).detach().sin()).sum().backward()
        tensors = [made(x), x.grad, *(p.grad for p in made.parameters()), *made.buffers()]
        return [x.detach().numpy() for x in tensors]

    for ours, theirs in zip(told(mc), told(torch), strict=True):
        same(ours, theirs, dtype)


@BOTH
def test_starting_values(m):
    layer = m.nn.LazyLinear(50)
    layer(m.zeros(1, 400))
    assert 0.04 < layer.weight.abs().max().item() <= 0.05  # 1 / sqrt(400)
    assert 0.02 < layer.bias.abs().max().item() <= 0.05
    norm = m.nn.LazyBatchNorm1d()
    norm.eval()(m.ones(2, 3))
    assert norm.weight.tolist() == norm.running_var.tolist() == [1, 1, 1]
    assert norm.bias.tolist() == norm.running_mean.tolist() == [0, 0, 0]


@BOTH
def test_what_has_no_shape_cannot_be_used(m):
    weight = m.nn.LazyLinear(3).weight
    with pytest.raises(RuntimeError, match="shape"):
        weight.shape  # noqa: B018
    uses = [
        lambda: weight * 2,
        lambda: weight.numel(),
        lambda: weight.tolist(),
        lambda: weight[0],
        lambda: m.nn.init.xavier_uniform_(weight),
        lambda: m.nn.functional.linear(m.ones(1, 2), weight),
        lambda: m.nn.LazyLinear(3).forward(m.ones(1, 2)),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="forward"):
            use()


@BOTH
def test_what_can_be_done_before_the_first_forward(m):
    lazy = net(m)
    assert repr(lazy[0].weight) == "<UninitializedParameter>"
    assert repr(lazy[1].running_mean) == "<UninitializedBuffer>"
    assert all(p.requires_grad and p.grad is None and p.is_leaf for p in lazy.parameters())
    assert lazy.double()[0].weight.dtype == m.float64
    lazy.zero_grad()
    lazy.apply(lambda layer: m.nn.init.zeros_(layer.weight) if type(layer) is m.nn.Linear else None)
    lazy[4].weight.data.normal_()
    lazy[4].reset_parameters()
    twin = copy.deepcopy(lazy[0])
    assert lazy(batch(m).double()).dtype == m.float64
    assert twin.has_uninitialized_params() and not hasattr(lazy[0], "has_uninitialized_params")
    assert twin(batch(m).double()).shape == (2, 6, 2, 3)


@BOTH
def test_saved_and_loaded(m):
    whole, half = net(m), net(m)
    assert list(half.state_dict()) == list(net(m).state_dict())
    half.load_state_dict(net(m).state_dict())
    assert half[0].has_uninitialized_params()
    expected = whole(batch(m))
    half.load_state_dict(whole.state_dict())
    assert not half[0].has_uninitialized_params() and isinstance(half[0], m.nn.LazyConv2d)
    half[1].reset_running_stats(), whole[1].reset_running_stats()
    assert half(batch(m)).tolist() == expected.tolist()
    assert [type(layer) for layer in half] == [type(layer) for layer in whole]
    with pytest.raises(RuntimeError, match="shape"):
        whole.load_state_dict(net(m).state_dict())


def test_better_than_pytorch():
    """There a buffer cannot be copied, and a loaded convolution keeps 0 in_channels."""
    whole, half = net(mc), copy.deepcopy(net(mc))
    assert whole(batch(mc)).shape == half(batch(mc)).shape
    loaded = net(mc)
    loaded.load_state_dict(whole.state_dict())
    loaded(batch(mc))
    assert repr(loaded) == repr(whole)


@BOTH
def test_errors(m):
    with pytest.raises(ValueError, match="in_channels must be divisible by groups"):
        m.nn.LazyConv2d(4, 3, groups=2)(m.zeros(1, 3, 5, 5))
    with pytest.raises(RuntimeError, match="LazyConv2d"):
        m.nn.LazyConv2d(4, 3)(m.zeros(3, 5))
    with pytest.raises(ValueError, match="4"):
        m.nn.LazyBatchNorm2d()(m.zeros(2, 3))
    with pytest.raises(TypeError, match="out_features"):
        m.nn.LazyLinear()


@BOTH
def test_a_lazy_layer_of_ones_own(m):
    class Scale(m.nn.modules.lazy.LazyModuleMixin, m.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = m.nn.UninitializedParameter()

        def initialize_parameters(self, x):
            self.weight.materialize(x.shape[1:])
            m.nn.init.constant_(self.weight, 3)

        def forward(self, x):
            return x * self.weight

    layer = Scale()
    assert layer(m.ones(2, 3)).tolist() == layer(m.ones(2, 3)).tolist() == [[3, 3, 3], [3, 3, 3]]
    assert [p.shape for p in layer.parameters()] == [(3,)]


@pytest.mark.parametrize("kind", ["BatchNorm1d", "BatchNorm2d"])
def test_reset_parameters_forgets_the_statistics(kind):
    ours, theirs = getattr(mc.nn, kind)(2), getattr(torch.nn, kind)(2)
    for m, layer in ((mc, ours), (torch, theirs)):
        layer(m.ones(3, 2) if kind == "BatchNorm1d" else m.ones(3, 2, 1, 2))
        layer.reset_parameters()
    assert [x.tolist() for x in ours.state_dict().values()] == [
        x.tolist() for x in theirs.state_dict().values()
    ]
