"""Convolution: which of the methods computes it.

| method | file | computes |
| --- | --- | --- |
| few channels, straight from the picture | direct.py | few channels or few filters (in a group) |
| im2col and a product of matrices, in bands | im2col_gemm.py | everything |

Each file has the same three functions: `conv2d` and its two gradients. `python -m benchmarks.kernels
--crossover` times every method on a grid of shapes; `method_for` is what came out.
"""

from types import ModuleType

import numpy as np

from minicnn.kernels.cpu import direct, im2col_gemm
from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.geometry import Window

__all__ = ["conv2d", "conv2d_bias_gradient", "conv2d_input_gradient", "conv2d_weight_gradient"]

FEW = 16  # channels


def method_for(x: np.ndarray, CG: int, OG: int, window: Window) -> ModuleType:
    """The fastest way to convolve x (N, C, H, W) with OG filters of CG channels in each group."""
    if x.dtype == np.float32 and min(CG, OG) < FEW and window.stride[1] <= 2:
        return direct
    return im2col_gemm


def conv2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, window: Window, groups: int
) -> np.ndarray:
    """y (N, O, OH, OW) from x (N, C, H, W), weight (O, C/G, KH, KW) and bias (O) or None."""
    O, CG = weight.shape[:2]
    return method_for(x, CG, O // groups, window).conv2d(x, weight, bias, window, groups)


def conv2d_input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], window: Window, groups: int
) -> np.ndarray:
    """dx (N, C, H, W) from dy (N, O, OH, OW)."""
    (O, CG), (tall, wide) = weight.shape[:2], window.extent()
    method = method_for(dy, CG, O // groups, window)
    if method is direct and (
        window.stride != (1, 1) or window.padding[0] >= tall or window.padding[2] >= wide
    ):
        method = im2col_gemm
    return method.conv2d_input_gradient(dy, weight, x_shape, window, groups)


def conv2d_weight_gradient(dy: np.ndarray, x: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """dweight (O, C/G, KH, KW) from dy (N, O, OH, OW) and x (N, C, H, W)."""
    method = method_for(x, x.shape[1] // groups, dy.shape[1] // groups, window)
    return method.conv2d_weight_gradient(dy, x, window, groups)


@jit
def channel_sums(dy, out, begin, end):
    """out (O) from dy (N, O, pixels), for some of the channels."""
    N, _, P = dy.shape
    for o in range(begin, end):
        out[o] = 0
        for n in range(N):  # summed picture by picture, which keeps more digits than one long sum
            row, total = dy[n, o], dy.dtype.type(0)
            for p in range(P):
                total += row[p]
            out[o] += total


def conv2d_bias_gradient(dy: np.ndarray) -> np.ndarray:
    """dbias (O) from dy (N, O, OH, OW): a bias is added to every pixel of its channel."""
    N, O, OH, OW = dy.shape
    dbias = np.empty(O, dy.dtype)
    rows = np.ascontiguousarray(dy).reshape(N, O, OH * OW)
    run(channel_sums, O, dy.size, rows, dbias)
    return dbias
