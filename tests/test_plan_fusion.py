"""What plans do otherwise than the program: each rule where it applies and where not, and its numbers."""

import copy

import numpy as np
import pytest
import torch

import minicnn as mc
import minicnn.nn.functional as F
from minicnn import nn
from plans import steps_of, with_gradient

RNG = np.random.default_rng(8)


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
