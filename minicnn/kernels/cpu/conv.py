"""Convolution: which of the methods computes it.

| method | file | computes |
| --- | --- | --- |
| a product of matrices for each picture | pointwise.py | 1x1 filters, stride 1 |
| plane by plane | depthwise.py | depthwise: a filter for each channel |
| few channels, straight from the picture | direct.py | few channels or few filters (in a group) |
| im2col and a product of matrices, in bands | im2col_gemm.py | everything |

Each file has the same three functions: `conv2d` and its two gradients. `python -m benchmarks.kernels
--crossover` times every method on a grid of shapes; `method_for` is what came out.
"""

from types import ModuleType
from typing import NamedTuple

import numpy as np

from minicnn.kernels.cpu import depthwise, direct, im2col_gemm, pointwise
from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.geometry import Window

__all__ = ["conv2d", "conv2d_bias_gradient", "conv2d_input_gradient", "conv2d_weight_gradient"]

FEW = 16  # channels
POINT = Window((1, 1))


class Layer(NamedTuple):
    """What the choice depends on: dtype, groups, channels and filters of a group, rows and places of y."""

    dtype: np.dtype
    groups: int
    CG: int
    OG: int
    OH: int
    OW: int
    window: Window


def method_for(layer: Layer) -> ModuleType:
    """The fastest method for a layer."""
    (KH, _), (SH, SW), (DH, _) = layer.window.kernel, layer.window.stride, layer.window.dilation
    if layer.dtype != np.float32:
        return im2col_gemm
    if layer.groups == 1 and layer.window == POINT:
        return pointwise
    if layer.CG == layer.OG == 1 < layer.groups and KH <= 7 and DH == 1 and max(SH, SW) <= 2:
        return depthwise
    if min(layer.CG, layer.OG) < FEW and SW <= 2:
        return direct
    return im2col_gemm


def input_gradient_method_for(layer: Layer) -> ModuleType:
    """The same for the gradient of x."""
    (top, _, left, _), (tall, wide) = layer.window.padding, layer.window.extent()
    method = method_for(layer)
    if method is im2col_gemm or top >= tall or left >= wide:
        return im2col_gemm
    return im2col_gemm if method is direct and layer.window.stride != (1, 1) else method


def conv2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, window: Window, groups: int
) -> np.ndarray:
    """y (N, O, OH, OW) from x (N, C, H, W), weight (O, C/G, KH, KW) and bias (O) or None."""
    O, CG = weight.shape[:2]
    layer = Layer(x.dtype, groups, CG, O // groups, *window.output_size(*x.shape[2:]), window)
    return method_for(layer).conv2d(x, weight, bias, window, groups)


def conv2d_input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], window: Window, groups: int
) -> np.ndarray:
    """dx (N, C, H, W) from dy (N, O, OH, OW)."""
    O, CG = weight.shape[:2]
    layer = Layer(dy.dtype, groups, CG, O // groups, dy.shape[2], dy.shape[3], window)
    return input_gradient_method_for(layer).conv2d_input_gradient(dy, weight, x_shape, window, groups)


def conv2d_weight_gradient(dy: np.ndarray, x: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """dweight (O, C/G, KH, KW) from dy (N, O, OH, OW) and x (N, C, H, W)."""
    layer = Layer(
        x.dtype, groups, x.shape[1] // groups, dy.shape[1] // groups, dy.shape[2], dy.shape[3], window
    )
    return method_for(layer).conv2d_weight_gradient(dy, x, window, groups)


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
