"""What follows an interleaved convolution, against PyTorch and against the kernels for plain pictures."""

import numpy as np
import pytest
import torch

from kernel_cases import numbers
from minicnn.kernels.cpu.interleaved import finish
from minicnn.kernels.cpu.interleaved.finish import MAX, MEAN, NONE, RELU, SIGMOID, TANH
from minicnn.kernels.cpu.interleaved.layout import LANES, interleave, separate

ACTIVATIONS = {NONE: lambda x: x, RELU: torch.relu, TANH: torch.tanh, SIGMOID: torch.sigmoid}
POOLINGS = {
    NONE: lambda x, size: x,
    MAX: torch.nn.functional.max_pool2d,
    MEAN: torch.nn.functional.avg_pool2d,
}
WINDOWS = [(NONE, 1, 1)] + [(pool, *size) for pool in (MAX, MEAN) for size in ((2, 2), (2, 3), (3, 1))]
HOWS = [(activation, *window) for activation in ACTIVATIONS for window in WINDOWS]
SHAPES = [(2 * LANES, 3, 5, 7), (LANES, 1, 6, 6), (LANES, 2, 9, 3)]


def forward(x, how):
    """out, y, index of pictures (N, C, H, W), as a convolution would have finished them: group by group."""
    _, pool, PH, PW = how
    y = interleave(x)
    B, C, H, W, L = y.shape
    if pool == NONE:
        out, index = y, None
    else:
        out, index = (np.full((B, C, H // PH, W // PW, L), np.nan, np.float32) for _ in range(2))
    for b in range(B):
        finish.finish_rows(y[b], how, out[b], out[b] if index is None else index[b])
    return out, y if finish.keeps(how) else None, index if pool == MAX else None


def run_both(x, dout, how):
    """The results, gradients and bias gradients of the kernels and of PyTorch, for float32 arrays (N, C, H, W)."""
    activation, pool, *size = how
    out, y, index = forward(x, how)
    dy, dbias = finish.gradient(interleave(dout), out, y, index, how, interleave(x).shape)
    plain = torch.tensor(x, requires_grad=True)
    expected = POOLINGS[pool](ACTIVATIONS[activation](plain), tuple(size))
    expected.backward(torch.tensor(dout))
    got = separate(out), separate(dy), dbias
    return got, (expected.detach().numpy(), plain.grad.numpy(), plain.grad.numpy().sum((0, 2, 3)))


def results(shape, how):
    """The shape of what comes out."""
    _, _, PH, PW = how
    return (*shape[:2], shape[2] // PH, shape[3] // PW)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("how", HOWS)
def test_as_pytorch_does(shape, how):
    x, dout = numbers(*shape), numbers(*results(shape, how), seed=1)
    for name, got, expected in zip(("out", "dy", "dbias"), *run_both(x, dout, how), strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(
            got, expected, rtol=0, atol=2e-5 if name == "dbias" else 1e-6, err_msg=name
        )
