"""Convolution: which of the methods computes it.

| method | file | computes |
| --- | --- | --- |
| a product of matrices for each picture | pointwise.py | 1x1 filters, stride 1 |
| plane by plane | depthwise.py | depthwise: a filter for each channel |
| straight from the picture | direct.py | few channels or few filters (in a group); weight gradients |
| Winograd's minimal filtering | winograd.py | 3x3 filters, stride 1, from 16 channels on |
| a product of matrices for each tap | tap_by_tap.py | other filters, strides, dilations of many channels |
| im2col and a product of matrices, in bands | im2col_gemm.py | everything |

Each file has the same three functions, the convolution and its two gradients; winograd.py's are told the
size of a tile, too. `python -m benchmarks.kernels --crossover` times every method on a grid of shapes;
`method_for` and `winograd.tile_size` are what came out. Winograd's tiles spread a number that is
not finite, and give nothing then: another method computes it.
"""

from functools import lru_cache
from types import ModuleType
from typing import NamedTuple

import numpy as np

from minicnn.kernels.cpu import depthwise, direct, im2col_gemm, pointwise, tap_by_tap, winograd
from minicnn.kernels.cpu.activation import activated
from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.cpu.simd import BYTES
from minicnn.kernels.geometry import Window

__all__ = [
    "conv2d", "conv2d_bias_gradient", "conv2d_input_gradient", "conv2d_parameter_gradients",
    "conv2d_weight_gradient",
]  # fmt: skip

FEW, SOME, MANY = 32, 48, 96  # channels: fewer than FEW, up to SOME, MANY or more
LARGE = 8  # taps down or across
POINT = Window((1, 1))
LANES = BYTES // 4  # places in a vector of float32


class Layer(NamedTuple):
    """What the choice depends on: dtype, pictures, groups, channels and filters of a group, y's size."""

    dtype: np.dtype
    N: int
    groups: int
    CG: int
    OG: int
    OH: int
    OW: int
    window: Window


def winograd_tile(layer: Layer) -> int:
    """The size of Winograd's tiles, 2 or 4; 0 where another method is faster."""
    if layer.dtype != np.float32 or layer.groups > 1:
        return 0
    return winograd.tile_size(layer.N, layer.CG, layer.OG, layer.OH, layer.OW, layer.window)


def fits(layer: Layer, direction: str) -> bool:
    """Whether direct and depthwise know the layer: dx is a convolution of dy, with what padding is left."""
    (top, _, left, _), (tall, wide) = layer.window.padding, layer.window.extent()
    return layer.window.stride[1] <= 2 and (direction != "dx" or (top < tall and left < wide))


def method_for(layer: Layer, direction: str) -> ModuleType:
    """The fastest of the other methods for a direction: "y", or the gradients "dx" or "dw"."""
    (KH, _), (SH, _), (DH, _) = layer.window.kernel, layer.window.stride, layer.window.dilation
    if layer.dtype != np.float32:
        return im2col_gemm
    if layer.groups == 1 and layer.window == POINT:
        return pointwise
    channels = min(layer.CG, layer.OG)
    filled = layer.OW / (-(-layer.OW // LANES) * LANES)  # the share of a vector's lanes that a row uses
    by_taps = layer.groups == 1 and max(layer.window.kernel) < LARGE and tap_by_tap.fits(layer.window)
    alone = layer.CG == layer.OG == 1 < layer.groups
    if alone and KH <= 9 and DH == 1 and SH <= 2 and fits(layer, direction):
        return depthwise
    if direction == "dx" and layer.window.stride != (1, 1):
        return tap_by_tap if by_taps and channels >= LANES else im2col_gemm
    if fits(layer, direction):
        if channels < FEW or (channels <= SOME and filled >= 0.75):
            return direct
        if direction == "dw" and not (by_taps and channels >= MANY):
            return direct
    return tap_by_tap if by_taps and channels >= FEW else im2col_gemm


@lru_cache(512)
def chosen(
    direction: str,
    dtype: np.dtype,
    x_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    window: Window,
    groups: int,
    wish: str | bool,
) -> tuple[int, ModuleType]:
    """Winograd's tile size, as `wish` allows it, or 0; and the method, or the one to fall back on."""
    (N, _, H, W), (O, CG) = x_shape, weight_shape[:2]
    layer = Layer(dtype, N, groups, CG, O // groups, *window.output_size(H, W), window)
    return winograd_tile(layer), method_for(layer, direction)


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    window: Window,
    groups: int,
    activation: str = "",
) -> np.ndarray:
    """y (N, O, OH, OW), activated, from x (N, C, H, W), weight (O, C/G, KH, KW) and bias (O) or None."""
    m, method = chosen("y", x.dtype, x.shape, weight.shape, window, groups, winograd.choice)
    if m:
        y = winograd.forward(x, weight, bias, window.padding, m, activation == "relu")
        if y is not None:
            return activated(y, "" if activation == "relu" else activation)
    return activated(method.conv2d(x, weight, bias, window, groups), activation)


def conv2d_input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], window: Window, groups: int
) -> np.ndarray:
    """dx (N, C, H, W) from dy (N, O, OH, OW)."""
    m, method = chosen("dx", dy.dtype, x_shape, weight.shape, window, groups, winograd.choice)
    if m:
        dx = winograd.input_gradient(dy, weight, x_shape, window.padding, m)
        if dx is not None:
            return dx
    return method.conv2d_input_gradient(dy, weight, x_shape, window, groups)


def conv2d_weight_gradient(dy: np.ndarray, x: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """dweight (O, C/G, KH, KW) from dy (N, O, OH, OW) and x (N, C, H, W)."""
    weight_shape = (dy.shape[1], x.shape[1] // groups)
    m, method = chosen("dw", x.dtype, x.shape, weight_shape, window, groups, winograd.choice)
    if m:
        dweight = winograd.weight_gradient(dy, x, window.padding, m)
        if dweight is not None:
            return dweight
    return method.conv2d_weight_gradient(dy, x, window, groups)


@kernel
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


def conv2d_parameter_gradients(
    dy: np.ndarray, x: np.ndarray, window: Window, groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """dweight (O, C/G, KH, KW) and dbias (O)."""
    return conv2d_weight_gradient(dy, x, window, groups), conv2d_bias_gradient(dy)


def conv2d_bias_gradient(dy: np.ndarray) -> np.ndarray:
    """dbias (O) from dy (N, O, OH, OW): a bias is added to every pixel of its channel."""
    N, O, OH, OW = dy.shape
    dbias = np.empty(O, dy.dtype)
    rows = np.ascontiguousarray(dy).reshape(N, O, OH * OW)
    run(channel_sums, O, dy.size, rows, dbias)
    return dbias
