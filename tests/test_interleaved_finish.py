"""What follows an interleaved convolution, against PyTorch and against the kernels for plain pictures."""

import numpy as np
import pytest
import torch

from kernel_cases import numbers
from minicnn.kernels import cpu
from minicnn.kernels.cpu.interleaved import finish
from minicnn.kernels.cpu.interleaved.finish import MAX, MEAN, NONE, RELU, SIGMOID, TANH
from minicnn.kernels.cpu.interleaved.layout import LANES, interleave, separate
from minicnn.kernels.geometry import Window

ACTIVATIONS = {NONE: lambda x: x, RELU: torch.relu, TANH: torch.tanh, SIGMOID: torch.sigmoid}
POOLINGS = {
    NONE: lambda x, size: x,
    MAX: torch.nn.functional.max_pool2d,
    MEAN: torch.nn.functional.avg_pool2d,
}
WINDOWS = [(NONE, 1, 1)] + [(pool, *size) for pool in (MAX, MEAN) for size in ((2, 2), (2, 3), (3, 1))]
HOWS = [(activation, *window) for activation in ACTIVATIONS for window in WINDOWS]
SHAPES = [(2 * LANES, 3, 5, 7), (LANES, 1, 6, 6), (LANES, 2, 9, 3)]


def results(shape, how):
    """The shape of what comes out."""
    _, _, PH, PW = how
    return (*shape[:2], shape[2] // PH, shape[3] // PW)


def forward(x, how, band=99):
    """out, y, index of pictures (N, C, H, W), as a convolution would finish them: bands of a group's rows."""
    _, pool, PH, PW = how
    y = interleave(x)
    B, C, H, W, L = y.shape
    if pool == NONE:
        out = index = y
    else:
        out, index = (np.full((B, C, H // PH, W // PW, L), np.nan, np.float32) for _ in range(2))
    for b in range(B):
        for h in range(0, H, band):
            at = slice(h // PH, (h + band) // PH)
            finish.finish_rows(y[b, :, h : h + band], how, out[b, :, at], index[b, :, at])
    return out, y if finish.keeps(how) else None, index if pool == MAX else None


def run_kernels(x, dout, how):
    """out, dy and dbias for pictures (N, C, H, W)."""
    out, y, index = forward(x, how)
    dy, dbias = finish.gradient(interleave(dout), out, y, index, how, interleave(x).shape)
    return separate(out), separate(dy), dbias


def run_pytorch(x, dout, how):
    activation, pool, *size = how
    x = torch.tensor(x, requires_grad=True)
    out = POOLINGS[pool](ACTIVATIONS[activation](x), tuple(size))
    out.backward(torch.tensor(dout))
    return out.detach().numpy(), x.grad.numpy(), x.grad.numpy().sum((0, 2, 3))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("how", HOWS)
def test_as_pytorch_does(shape, how):
    x, dout = numbers(*shape), numbers(*results(shape, how), seed=1)
    got, expected = run_kernels(x, dout, how), run_pytorch(x, dout, how)
    for name, one, other in zip(("out", "dy", "dbias"), got, expected, strict=True):
        tolerance = 2e-5 if name == "dbias" else 1e-6
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance, err_msg=f"{name} {how}")


@pytest.mark.parametrize("how", HOWS)
def test_same_bits_as_the_kernels_one_after_the_other(how):
    """But that these may add up cells, and multiply the factors of sigmoid's slope, in another order."""
    activation, pool, *size = how
    name = {NONE: None, RELU: "relu", TANH: "tanh", SIGMOID: "sigmoid"}[activation]
    window = Window(tuple(size), tuple(size))
    x = numbers(2 * LANES, 32, 13, 15)  # enough numbers for the kernels of long arrays
    grad = numbers(*results(x.shape, how), seed=1)
    out, dy, _ = run_kernels(x, grad, how)
    y = x if name is None else cpu.relu(x) if name == "relu" else cpu.activate(name, x)
    if pool == MAX:
        expected, index = cpu.max_pool2d(y, window)
        grad = cpu.max_pool2d_gradient(grad, index, x.shape)
    elif pool == MEAN:
        expected = cpu.avg_pool2d(y, window, True, 0)
        grad = cpu.avg_pool2d_gradient(grad, x.shape, window, True, 0)
    else:
        expected = y
    if name is not None:
        grad = cpu.relu_gradient(grad, y) if name == "relu" else cpu.activation_gradient(name, grad, y)
    np.testing.assert_allclose(out, expected, rtol=0, atol=3e-7 if pool == MEAN else 0)
    np.testing.assert_allclose(dy, grad, rtol=3e-7 if activation == SIGMOID else 0, atol=0)


@pytest.mark.parametrize("how", [how for how in HOWS if how[2:] != (2, 3)])
def test_numbers_that_are_none(how):
    """NaN, infinities, zeros of both signs and equal numbers, whose first place counts."""
    shape = (LANES, 3, 12, 12)
    values = np.array([np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 2.0], np.float32)
    x = np.random.default_rng(0).choice(values, shape)
    x[:, 0, ::6, 1::5] = np.nan  # PyTorch's product, 0 times a NaN's slope, tells of a second one in a window
    dout = numbers(*results(shape, how), seed=1)
    for got, expected in zip(run_kernels(x, dout, how)[:2], run_pytorch(x, dout, how), strict=False):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("how", HOWS)
def test_bands_of_rows_come_to_the_same(how):
    x = numbers(LANES, 2, 13, 5)
    for whole, banded in zip(forward(x, how), forward(x, how, 2 * how[2]), strict=True):
        if whole is not None:
            np.testing.assert_array_equal(whole, banded)
