"""The kernels of activations and of softmax: in the reference, on the CPU, on the GPU."""

import math
from types import ModuleType

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

from emulator import kernels as emulated
from kernel_cases import DTYPES, assert_near, layouts, matrices, numbers
from minicnn.kernels import cpu, reference, threads
from minicnn.kernels.cpu import activation, runner

KERNELS = pytest.mark.parametrize("kernels", [reference, cpu, emulated], ids=["reference", "cpu", "cuda"])
DTYPE = pytest.mark.parametrize("dtype", DTYPES)
SHAPES = pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 5, 7), (40_001,)])

# name -> settings, PyTorch's function, whether the gradient is found from the result
FUNCTIONS = {
    "elu": ((1.3, 1.1, 0.7), lambda x: 1.1 * torch.where(x > 0, x, 1.3 * torch.expm1(0.7 * x)), False),
    "erf": ((), torch.erf, False),
    "exp": ((), torch.exp, True),
    "gelu": ((), TF.gelu, False),
    "gelu_tanh": ((), lambda x: TF.gelu(x, approximate="tanh"), False),
    "hardsigmoid": ((), TF.hardsigmoid, False),
    "hardswish": ((), TF.hardswish, False),
    "hardtanh": ((-0.5, 2.0), lambda x: TF.hardtanh(x, -0.5, 2.0), True),
    "leaky_relu": ((0.2,), lambda x: TF.leaky_relu(x, 0.2), False),
    "log_sigmoid": ((), TF.logsigmoid, False),
    "mish": ((), TF.mish, False),
    "sigmoid": ((), torch.sigmoid, True),
    "silu": ((), TF.silu, False),
    "softplus": ((2.0, 5.0), lambda x: TF.softplus(x, 2.0, 5.0), False),
    "tanh": ((), torch.tanh, True),
}
FUNCTION = pytest.mark.parametrize("name", FUNCTIONS)


def run_both(kernels: ModuleType, name: str, x: np.ndarray, dy: np.ndarray):
    """Pairs of our and PyTorch's result, and of our and PyTorch's gradient."""
    settings, function, of_result = FUNCTIONS[name]
    leaf = torch.tensor(x, requires_grad=True)
    y = function(leaf)
    y.backward(torch.tensor(dy))
    got = kernels.activate(name, x, settings)
    slope = kernels.activation_gradient(name, dy, y.detach().numpy() if of_result else x, settings)
    return (got, y.detach().numpy()), (slope, leaf.grad.numpy())


@KERNELS
@DTYPE
@FUNCTION
@SHAPES
def test_function_against_torch(kernels, dtype, name, shape):
    if kernels is not cpu and math.prod(shape) > 1000:
        shape = (401,)
    x, dy = 3 * numbers(*shape, dtype=dtype), numbers(*shape, dtype=dtype, seed=1)
    for got, expected in run_both(kernels, name, x, dy):
        assert_near(got, expected)


def test_every_function_is_tested():
    assert sorted(FUNCTIONS) == sorted(reference.activation.ACTIVATIONS) == sorted(activation.FUNCTIONS)


@KERNELS
@FUNCTION
@DTYPE
def test_far_from_0_and_nan(kernels, name, dtype):
    """Nothing overflows on the way. (The gradient at infinity is inf * 0 in some formulas.)"""
    x = np.array([-1e4, -200, -90, -20, 20, 80, np.nan], dtype)
    forward, back = run_both(kernels, name, x, np.ones_like(x))
    np.testing.assert_allclose(*forward, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(back[0][:-1], back[1][:-1], rtol=1e-5, atol=1e-6)


@KERNELS
@FUNCTION
def test_infinity(kernels, name):
    x = np.float32([np.inf, -np.inf] * 9)
    (got, expected), _ = run_both(kernels, name, x, x)
    if name in ("gelu", "gelu_tanh", "hardswish", "mish", "silu"):  # x times a share
        expected = np.float32([np.inf, np.nan] * 9)
    np.testing.assert_array_equal(got, expected)


@FUNCTION
def test_any_layout_and_any_number_of_threads(name, monkeypatch):
    settings = FUNCTIONS[name][0]
    for (what, x), (_, dy) in zip(layouts((3, 5, 7)), layouts((3, 5, 7)), strict=True):
        plain = np.ascontiguousarray(x), np.ascontiguousarray(dy)
        assert np.array_equal(cpu.activate(name, x, settings), cpu.activate(name, plain[0], settings)), what
        slopes = [cpu.activation_gradient(name, b, a, settings) for a, b in (plain, (x, dy))]
        assert np.array_equal(*slopes), what
    x, dy = numbers(70_001), numbers(70_001, seed=1)
    alone = cpu.activate(name, x, settings), cpu.activation_gradient(name, dy, x, settings)
    monkeypatch.setattr(runner, "SHARE", 1)
    monkeypatch.setattr(threads, "count", 2)
    shared = cpu.activate(name, x, settings), cpu.activation_gradient(name, dy, x, settings)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(alone, shared, strict=True))


# relu


@KERNELS
@DTYPE
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 5, 7), (70_001,)])
def test_relu_against_torch(kernels, dtype, shape):
    x = numbers(*shape, dtype=dtype)
    leaf = torch.tensor(x, requires_grad=True)
    y = torch.relu(leaf)
    dy = numbers(*shape, dtype=dtype, seed=1)
    y.backward(torch.tensor(dy))
    got = kernels.relu(x), kernels.relu_gradient(dy, y.detach().numpy())
    for ours, expected in zip(got, (y.detach().numpy(), leaf.grad.numpy()), strict=True):
        assert ours.dtype == dtype
        assert ours.shape == shape
        assert np.array_equal(ours, expected)


@KERNELS
def test_relu_of_special_numbers(kernels):
    x = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-45, -1e-45], np.float32)
    y = kernels.relu(x)
    assert np.array_equal(y, np.array([np.nan, np.inf, 0, 0, 0, 1e-45, 0], np.float32), equal_nan=True)
    dx = kernels.relu_gradient(np.full(7, 3, np.float32), y)
    assert np.array_equal(dx, np.float32([3, 3, 0, 0, 0, 3, 0]))
    dx = kernels.relu_gradient(np.full(7, np.nan, np.float32), np.float32([1, 0, 0, 0, 0, 0, 0]))
    assert np.array_equal(np.isnan(dx), [True] + [False] * 6)


@pytest.mark.parametrize("i", range(5))
def test_relu_in_any_layout(i):
    x, dy = (list(matrices(5, 9))[i] for _ in range(2))
    y = cpu.relu(x)
    assert np.array_equal(y, np.maximum(x, 0))
    assert np.array_equal(cpu.relu_gradient(dy, np.asfortranarray(y)), np.where(y > 0, dy, 0))


# prelu


@KERNELS
@DTYPE
@pytest.mark.parametrize("shape", [(2, 3, 35), (1, 1, 400), (3, 4, 1), (0, 2, 3), (2, 0, 3), (2, 3, 0)])
def test_prelu_against_torch(kernels, dtype, shape):
    x, dy, weight = (numbers(*s, dtype=dtype, seed=i) for i, s in enumerate((shape, shape, shape[1:2])))
    expected = np.where(x > 0, x, x * weight[:, None])
    assert_near(kernels.prelu(x, weight), expected)
    dx, dweight = kernels.prelu_gradient(dy, x, weight)
    assert_near(dx, np.where(x > 0, dy, dy * weight[:, None]))
    assert_near(dweight, np.where(x > 0, 0, dy.astype(float) * x).sum(axis=(0, 2)).astype(dtype))


# softmax

LOG = pytest.mark.parametrize("log", [False, True])


def softmax_of_torch(x, dy, log):
    leaf = torch.tensor(x, requires_grad=True)
    y = (torch.log_softmax if log else torch.softmax)(leaf, 1)
    y.backward(torch.tensor(dy))
    return y.detach().numpy(), leaf.grad.numpy()


@KERNELS
@DTYPE
@LOG
@pytest.mark.parametrize(
    "shape", [(3, 10, 1), (2, 77, 1), (1, 1, 1), (5, 1, 3), (2, 21, 35), (3, 4, 600), (0, 3, 2), (2, 3, 0)]
)
def test_softmax_against_torch(kernels, dtype, log, shape):
    x, dy = 5 * numbers(*shape, dtype=dtype), numbers(*shape, dtype=dtype, seed=1)
    y, dx = softmax_of_torch(x, dy, log)
    assert_near(kernels.softmax(x, log), y)
    assert_near(kernels.softmax_gradient(dy, y, log), dx)


@KERNELS
@LOG
@pytest.mark.parametrize("B", [1, 3])
def test_softmax_of_extreme_numbers(kernels, log, B):
    rows = [[1e30, -1e30, 3e4], [-1e30, -1e30, -1e30], [2, -np.inf, 1], [1e6, 1e6 + 0.5, 0]]
    x = np.repeat(np.float32(rows)[:, :, None], B, axis=2)
    expected, _ = softmax_of_torch(x.astype(float), x.astype(float), log)
    np.testing.assert_allclose(kernels.softmax(x, log), expected, rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("kernels", [cpu, emulated], ids=["cpu", "cuda"])
@LOG
@pytest.mark.parametrize("K", [3, 40])
@pytest.mark.parametrize("B", [1, 2])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_has_no_softmax_is_nan_in_its_column_alone(kernels, log, K, B, bad):
    x = numbers(2, K, B)
    x[1, K - 2, B - 1] = bad
    y = kernels.softmax(x, log)
    assert np.isnan(y[1, :, B - 1]).all()
    y[1, :, B - 1] = 0
    assert np.isfinite(y).all()


@LOG
@pytest.mark.parametrize("shape", [(500, 17, 1), (3, 17, 700)])
def test_softmax_with_any_number_of_threads(log, shape, monkeypatch):
    x, dy = numbers(*shape), numbers(*shape, seed=1)
    alone = cpu.softmax(x, log), cpu.softmax_gradient(dy, x, log)
    monkeypatch.setattr(runner, "SHARE", 1)
    monkeypatch.setattr(threads, "count", 2)
    shared = cpu.softmax(x, log), cpu.softmax_gradient(dy, x, log)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(alone, shared, strict=True))
