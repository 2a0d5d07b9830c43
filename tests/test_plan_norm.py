"""What plans do together with batch norm, convolutions and additions: limits, sums, scaling."""

import copy

import numpy as np
import pytest
import torch

import minicnn as mc
import minicnn.nn.functional as F
from minicnn import nn
from plans import steps_of, with_gradient

RNG = np.random.default_rng(9)

LIMITS = {"relu": lambda m: m.nn.functional.relu, "relu6": lambda m: m.nn.functional.relu6}


def residual(m, norms, limit, x):
    """What surrounds batch norm in known networks, in minicnn or PyTorch: limits, additions, and both."""
    first, second, third, last = norms
    y = LIMITS[limit](m)(first(x * 3))
    z = LIMITS[limit](m)(second(y + 1) + y)
    return LIMITS[limit](m)(third(z * y) + last(x)) + LIMITS[limit](m)(x + y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("shape", [(3, 4, 7, 9), (2, 3, 80, 60), (5, 70, 2, 2), (40, 3)])
def test_batch_norm_is_one_step_with_what_follows(shape, limit, train, dtype):
    def norms(m, kind):
        affine = True, True, False, True
        return [getattr(m.nn, kind)(shape[1], affine=a, dtype=getattr(m, dtype)) for a in affine]

    kind = "BatchNorm2d" if len(shape) == 4 else "BatchNorm1d"
    layers, in_torch = norms(mc, kind), norms(torch, kind)
    for layer, other in zip(layers, in_torch, strict=True):
        other.double()
        for p, q in zip([*layer.parameters()], [*other.parameters()], strict=True):
            p.array[:] = RNG.uniform(0.5, 1.5, p.shape)
            q.data = torch.tensor(p.detach().numpy().astype(float))
        layer.running_mean.array[:] = RNG.standard_normal(shape[1]) * 0.1
        other.running_mean.data = torch.tensor(layer.running_mean.numpy().astype(float))
        layer.train(train), other.train(train)
    compiled = mc.compile(lambda x: residual(mc, layers, limit, x))
    for seed in range(4):
        data = RNG.standard_normal(shape).astype(dtype)
        for module in (*layers, *in_torch):
            module.zero_grad()
        out, by_x = with_gradient(compiled, data, seed)
        x = torch.tensor(data.astype(float), requires_grad=True)
        expected = residual(torch, in_torch, limit, x)
        grad = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
        expected.backward(torch.tensor(grad.astype(float)))
    ours, theirs = [out, by_x], [expected.detach(), x.grad]
    for layer, other in zip(layers, in_torch, strict=True):
        ours += [p.grad.numpy() for p in layer.parameters()] + [b.numpy() for b in layer.buffers()]
        theirs += [p.grad for p in other.parameters()] + [*other.buffers()]
    rounding = 2e-5 if dtype == "float32" else 1e-12
    for a, b in zip(ours, theirs, strict=True):
        b = b.numpy()
        np.testing.assert_allclose(a, b, rtol=0, atol=rounding * max(1, abs(b).max()))
    fused = [name for name in steps_of(compiled) if name.startswith("Fused")]
    assert fused == ["FusedBatchNorm"] * 4 + ["FusedAdd"] * (len(shape) > 2)
    assert str(compiled).count("add; ") == 2


def test_a_convolution_and_what_follows_in_evaluation():
    """Folded batch norm with limits, an addition and both; ReLU alone; squeeze-and-excitation."""
    layers = [nn.Conv2d(3, 3, 3, padding=1) for _ in range(5)] + [nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)]
    norms = [nn.BatchNorm2d(3).eval() for _ in range(4)]
    for norm in norms:
        norm.running_mean.array[:], norm.running_var.array[:] = RNG.uniform(0.5, 1.5, (2, 3))

    def net(x):
        y = F.relu(norms[0](layers[0](x)))
        y = F.relu6(norms[1](layers[1](y)))
        y = F.relu(y + norms[2](layers[2](y)))
        y = norms[3](layers[3](y)) + y
        y = F.relu(layers[4](y))
        return mc.sigmoid(layers[6](F.relu(layers[5](F.adaptive_avg_pool2d(y, 1))))) * y

    compiled = mc.compile(net)
    with mc.no_grad():
        for _ in range(4):
            x = mc.randn(2, 3, 9, 7)
            np.testing.assert_allclose(compiled(x).numpy(), net(x).numpy(), rtol=1e-5, atol=1e-5)
    names = ["FoldedConv2d"] * 4 + ["Conv2d", "AdaptiveAvgPool2d", "Conv2d", "Conv2d", "ScaledChannels"]
    assert steps_of(compiled) == names


def test_a_convolution_and_its_relu_in_training():
    layer, twin = nn.Conv2d(2, 4, 3), nn.Conv2d(2, 4, 3)
    twin.load_state_dict(layer.state_dict())
    compiled = mc.compile(lambda x: F.relu(layer(x)))
    for seed in range(4):
        layer.zero_grad(), twin.zero_grad()
        x = RNG.standard_normal((2, 2, 9, 8)).astype(np.float32)
        ours, theirs = with_gradient(compiled, x, seed), with_gradient(lambda x: F.relu(twin(x)), x, seed)
        for left, right in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(left, right)
        np.testing.assert_array_equal(layer.weight.grad.numpy(), twin.weight.grad.numpy())
    assert steps_of(compiled) == ["Conv2d"] and "ReLU" in str(compiled)


def test_shared_running_statistics_move_in_the_program_s_order():
    norm = nn.BatchNorm2d(2)
    twin = copy.deepcopy(norm)

    def net(norm, x):
        first = norm(x)
        return F.relu(first + norm(x * 3 + 1))

    compiled = mc.compile(lambda x: net(norm, x))
    for _ in range(4):
        x = mc.randn(3, 2, 4, 4)
        np.testing.assert_allclose(compiled(x).detach().numpy(), net(twin, x).detach().numpy(), atol=1e-5)
        np.testing.assert_allclose(norm.running_mean.numpy(), twin.running_mean.numpy(), rtol=1e-5)
    assert steps_of(compiled).count("FusedBatchNorm") == 2


def test_the_gradient_of_a_sum_is_shared_and_stays_as_it_is():
    """Both summands are read again, so that what they get is added to other gradients."""

    def net(x):
        a, b = x * 2, x + 1
        c = F.relu(a + b)
        return c * a + F.relu(b + c) * b

    compiled = mc.compile(net)
    x = RNG.standard_normal((2, 3, 4, 5)).astype(np.float32)
    for _ in range(4):
        for left, right in zip(with_gradient(compiled, x), with_gradient(net, x), strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-5)
    assert steps_of(compiled).count("FusedAdd") == 2


def test_a_nan_passes_what_is_fused_with_batch_norm():
    norm = nn.BatchNorm2d(3)
    compiled = mc.compile(lambda x, y: F.relu6(norm(x) + y))
    for _ in range(3):
        x, y = RNG.standard_normal((2, 2, 3, 4, 5)).astype(np.float32)
        x[0, 1, 2, 3], y[1, 0, 1, 1] = np.nan, np.nan
        out = np.isnan(compiled(mc.tensor(x), mc.tensor(y)).detach().numpy())
        assert out[:, 1].all() and out[1, 0, 1, 1] and out.sum() == 41


def bias_gradient(module, name, added, x, y):
    """Of a batch norm in evaluation, with a limit and perhaps another array behind it."""
    norm, limit = module.nn.BatchNorm2d(3).eval(), LIMITS[name](module)

    def net(x, y):
        return limit(norm(x) + y) if added else limit(norm(x))

    net = mc.compile(net) if module is mc else net
    for _ in range(3):
        norm.bias.grad = None
        net(module.from_numpy(x), module.from_numpy(y)).sum().backward()
    return norm.bias.grad.numpy()


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("added", [False, True])
def test_relu_lets_the_gradient_at_a_nan_pass_and_relu6_does_not(name, added):
    x, y = RNG.standard_normal((2, 2, 3, 4, 5)).astype(np.float32)
    x[0, 1, 2, 3] = np.nan
    ours, theirs = (bias_gradient(module, name, added, x, y) for module in (mc, torch))
    np.testing.assert_array_equal(ours, theirs)


def test_sums_of_integers_have_no_kernel():
    compiled, x = mc.compile(lambda x, y: F.relu(x + y)), mc.arange(24).reshape(2, 3, 4) - 12
    for _ in range(3):
        out = compiled(x, x)
        assert out.dtype == mc.int64 and out.tolist() == F.relu(x + x).tolist()
