"""What plans do otherwise than the program: each rule where it applies and where not, and its numbers."""

import copy

import numpy as np
import pytest
import torch

import minicnn as mc
import minicnn.nn.functional as F
from minicnn import nn

RNG = np.random.default_rng(8)


def steps_of(compiled):
    return [step.function.__name__ for plan in compiled.plans.values() for step in plan.steps]


def with_gradient(function, x, seed=0):
    """The result and the gradient of x, for a seeded gradient of the result."""
    x = mc.tensor(x, requires_grad=True)
    out = function(x)
    grad = np.random.default_rng(seed).standard_normal(out.shape).astype(out.dtype)
    out.backward(mc.tensor(grad))
    return out.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("pool", [lambda x: F.max_pool2d(x, 3, 2, 1), lambda x: F.adaptive_max_pool2d(x, 2)])
def test_relu_after_the_pooling(pool):
    def net(x):
        return pool(F.relu(x + 0))

    compiled = mc.compile(net)
    for seed in range(4):
        x = np.round(RNG.standard_normal((2, 3, 7, 6)) * 2).astype(np.float32)  # ties, also at 0
        x[0, 0] = -abs(x[0, 0])
        x[1, 1, 2:4, 3] = np.nan, np.inf
        for left, right in zip(with_gradient(net, x, seed), with_gradient(compiled, x, seed), strict=True):
            np.testing.assert_array_equal(left, right)
    assert steps_of(compiled)[-1] == "ReLU" and "after the pooling" in str(compiled)


def test_relu_stays_where_others_read_it():
    def twice(x):
        y = F.relu(x)
        return F.max_pool2d(y, 2) + y.mean()

    def returned(x):
        y = F.relu(x)
        return F.max_pool2d(y, 2), y

    for net in (twice, returned):
        compiled = mc.compile(net)
        for _ in range(3):
            compiled(mc.randn(1, 1, 4, 4))
        assert steps_of(compiled)[:2] == ["ReLU", "MaxPool2d"]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("affine", [False, True])
def test_batch_norm_folded_into_the_convolution(bias, affine):
    model = nn.Sequential(nn.Conv2d(4, 6, 3, groups=2, bias=bias), nn.BatchNorm2d(6, affine=affine))
    for _ in range(5):
        model(mc.randn(8, 4, 9, 9) * 3 + 1)
    model.eval()
    compiled, x = mc.compile(model), mc.randn(2, 4, 9, 9)
    for _ in range(4):
        with mc.no_grad():
            out = compiled(x).numpy()
        exact = model.double()(x.double()).detach().numpy()
        model.float()
        np.testing.assert_allclose(out, exact, rtol=0, atol=3e-6 * abs(exact).max())
        model[0].weight.array *= 1.5  # an array's owner may do so, and nobody is told
    assert steps_of(compiled._compiled) == ["FoldedConv2d"]


def test_batch_norm_stays_where_it_must():
    small = nn.Sequential(nn.Conv2d(16, 16, 3), nn.BatchNorm2d(16)).eval()  # the weight is the larger one
    large = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    cases = [(small, mc.randn(1, 16, 4, 4)), (large, mc.randn(4, 1, 9, 9))]  # the second in training
    with mc.no_grad():
        for model, x in cases:
            compiled = mc.compile(model)
            for _ in range(3):
                compiled(x)
            assert steps_of(compiled._compiled) == ["Conv2d", "FusedBatchNorm"]
    large.eval()
    compiled = mc.compile(large)
    for _ in range(3):
        compiled(cases[1][1]).sum().backward()  # gradients are wanted
    assert steps_of(compiled._compiled) == ["Conv2d", "FusedBatchNorm"]


@pytest.mark.parametrize("bias", [False, True])
def test_pooling_and_convolution_are_one_step(bias):
    model = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, bias=bias), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    inner = copy.deepcopy(model)
    compiled = mc.compile(inner)
    for seed in range(4):
        model.zero_grad(), inner.zero_grad()
        x = mc.randn(3, 2, 7, 6).numpy()
        for left, right in zip(with_gradient(model, x, seed), with_gradient(compiled, x, seed), strict=True):
            np.testing.assert_array_equal(left, right)
        for p, q in zip(model.parameters(), inner.parameters(), strict=True):
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-5, atol=1e-5)
    assert steps_of(compiled._compiled) == ["PooledConv2d", "ReLU", "Reshape"]
    out = compiled(mc.tensor(x, requires_grad=True))
    with mc.no_grad():
        inner[0].weight += 1
    with pytest.raises(RuntimeError, match="modified by an in-place"):
        out.sum().backward()


def test_nothing_is_done_later_where_memory_is_written():
    conv = nn.Conv2d(1, 2, 3)

    def net(x):
        y = conv(x)
        x += 1
        return F.max_pool2d(y, 2), x

    compiled, start = mc.compile(net), mc.randn(1, 1, 6, 6)
    for _ in range(4):
        with mc.no_grad():
            expected, result = net(start.clone()), compiled(start.clone())
        assert [t.tolist() for t in result] == [t.tolist() for t in expected]
    assert steps_of(compiled) == ["Conv2d", "Add", "Write", "MaxPool2d"]


ACTIVATIONS = {"relu": F.relu, "tanh": mc.tanh, "sigmoid": mc.sigmoid, "none": lambda x: x}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_linear_layer_and_its_activation_are_one_step(name, bias, dtype):
    activation, in_torch = ACTIVATIONS[name], {**vars(torch), "none": lambda x: x}[name]
    for shape, outputs in [((3, 5), 4), ((2, 7, 33), 50), ((301, 20), 9), ((1, 1), 1)]:
        layer = nn.Linear(shape[-1], outputs, bias=bias)
        layer.to(mc.float64 if dtype == np.float64 else mc.float32)
        compiled = mc.compile(lambda x, layer=layer: activation(layer(x)))
        weights = [
            torch.tensor(p.detach().numpy().astype(np.float64), requires_grad=True)
            for p in layer.parameters()
        ]
        for seed in range(3):
            x = RNG.standard_normal(shape).astype(dtype)
            layer.zero_grad()
            out, by_x = with_gradient(compiled, x, seed)
        exact = torch.tensor(x.astype(np.float64), requires_grad=True)
        expected = in_torch(torch.nn.functional.linear(exact, *weights))
        grad = np.random.default_rng(seed).standard_normal(out.shape).astype(dtype)
        expected.backward(torch.tensor(grad.astype(np.float64)))
        by_weights = [p.grad.numpy() for p in layer.parameters()]
        for ours, theirs in zip(
            (out, by_x, *by_weights), (expected.detach(), exact.grad, *(w.grad for w in weights)), strict=True
        ):
            theirs = theirs.numpy()
            rounding = 1e-5 if dtype == np.float32 else 1e-13
            assert ours.dtype == dtype
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=rounding * max(1, abs(theirs).max()))
        assert steps_of(compiled) == ["Dense"]


def test_gradients_of_a_linear_layer_that_nobody_wants():
    for frozen in ("x", "weight", "bias"):
        layer = nn.Linear(5, 4)
        compiled = mc.compile(lambda x, layer=layer: layer(x).tanh())
        x = mc.randn(3, 5, requires_grad=frozen != "x")
        if frozen != "x":
            getattr(layer, frozen).requires_grad_(False)
        gradients = []
        for function in (compiled, compiled, compiled, lambda x, layer=layer: layer(x).tanh()):
            x.grad = None
            layer.zero_grad()
            function(x).sum().backward()
            gradients.append([p.grad for p in (x, layer.weight, layer.bias)])
        for ours, theirs in zip(*gradients[-2:], strict=True):
            assert (ours is None) == (theirs is None)
            assert ours is None or np.allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)


def test_a_nan_passes_a_linear_layer_and_its_activation():
    layer, x = nn.Linear(3, 2), mc.tensor([[1.0, np.nan, 0.0], [1.0, 2.0, 3.0]])
    compiled = mc.compile(lambda x: F.relu(layer(x)))
    for _ in range(3):
        out = compiled(x).detach().numpy()
    assert np.isnan(out[0]).all() and not np.isnan(out[1]).any()


def test_a_linear_layer_stays_where_others_read_it():
    layer = nn.Linear(3, 2)

    def net(x):
        y = layer(x)
        return F.relu(y), y

    compiled = mc.compile(net)
    for _ in range(3):
        compiled(mc.randn(2, 3))
    assert steps_of(compiled) == ["Dense", "ReLU"]


def test_the_result_of_a_linear_layer_may_be_written():
    layer = nn.Linear(3, 2)
    compiled = mc.compile(lambda x: layer(x))
    for _ in range(3):
        layer.zero_grad()
        x = mc.randn(4, 3)
        out = compiled(x)
        out += 1
        out.sum().backward()
        np.testing.assert_allclose(layer.weight.grad.numpy(), [x.sum(0).numpy()] * 2, rtol=1e-5, atol=1e-6)
    assert steps_of(compiled) == ["Dense"]


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


def test_sums_of_integers_have_no_kernel():
    compiled, x = mc.compile(lambda x, y: F.relu(x + y)), mc.arange(24).reshape(2, 3, 4) - 12
    for _ in range(3):
        out = compiled(x, x)
        assert out.dtype == mc.int64 and out.tolist() == F.relu(x + x).tolist()
