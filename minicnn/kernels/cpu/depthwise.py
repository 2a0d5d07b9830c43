"""Depthwise convolution: every channel has one filter of its own, and is convolved plane by plane.

There is no product of matrices in it: each number of x meets KH*KW weights. So what counts is how often a
number is loaded. A tile is some output rows times a vector of places; with a column of the filter in
registers, each row of the picture, shifted by the column, is loaded once for all output rows that it reaches.

The gradient of x is the same sum over y's gradient, spread as far apart as the stride is, with the filters
turned by half a turn. That of the weight is summed over the planes of a channel, places in the lanes.

Here planes are copied and padded in the cache before, which pays where a number is loaded often; the others
are read where they are, in depthwise_large.py. `copied` chooses.
"""

import numpy as np
from numba import literally

from minicnn.kernels.cpu import depthwise_large
from minicnn.kernels.cpu.graph import again
from minicnn.kernels.cpu.jit import inner, jit, kernel
from minicnn.kernels.cpu.memory import result
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.simd import (
    REGISTERS,
    hsum,
    lanes,
    load,
    load_part,
    noinline,
    splat,
    store_part,
    tile,
)
from minicnn.kernels.cpu.strips import Strip, empty_strip, fill_strip, spread_strip, strip_of
from minicnn.kernels.geometry import Window

ROWS = 7 if REGISTERS == 32 else 4  # output rows of a tile
TAPS = 9 if REGISTERS == 32 else 6  # weights whose gradient is summed at once
# the most numbers in a plane of x that is copied, where not each number is loaded for many weights
SMALL, SMALL_DX, SMALL_DW = 1 << 12, 1 << 9, 1 << 10
SHORT = 3  # weights in a column of such a filter
PLANES = 1 << 12  # numbers in the planes that are filled before they are read: what an L1 cache holds


@jit
def sum_over_taps(SH, lines, across, strips, size, pitch, weight, bias, y, first, planes, row0, rows):
    """Some rows of some planes of y (N*C, OH, OW) from their strips, weight (C, KW, KH) and bias (C)."""
    noinline()
    L, OW = lanes(strips), y.shape[2]
    for p in range(planes):
        c = (first + p) % bias.size
        for w in range(0, OW, L):
            n = min(L, OW - w)
            for h in range(0, rows, ROWS):
                acc = tile(1, ROWS, strips)
                for kw in range(across.size):
                    at = p * size + h * literally(SH) * pitch + across[kw] + w
                    for r in range(ROWS):
                        for kh in range(len(lines)):
                            acc[0, r] += splat(weight, c, kw, kh) * load(strips, at + (r * SH + kh) * pitch)
                for r in range(ROWS):
                    there = n if h + r < rows else 0  # an `if` would keep the tile out of registers
                    row = row0 + min(h + r, rows - 1)
                    store_part(there, y, first + p, row, w, acc[0, r] + splat(bias, c))


@kernel
def correlate(x, weight, bias, y, lines, across, shape, pitch, numbers, band, spread, begin, end):
    """y (N*C, OH, OW) from x (N*C, H, W), weight (C, KW, KH) and bias (C), for some planes.

    lines has as many numbers as a filter has rows: a tuple's length is known to the compiler. With `spread`,
    x is a gradient, its numbers as far apart as the strides, and the stride is 1.
    """
    together, OH, strips = shape[0], y.shape[1], empty_strip(shape, x)
    size = shape[1] * shape[2] * shape[3]
    for first in range(begin, end, together):
        planes = min(together, end - first)
        for row0 in range(0, OH, band):
            rows, now = min(band, OH - row0), x[first : first + planes]
            if spread:
                spread_strip(now, strips, shape, row0, numbers)
            else:
                fill_strip(now, strips, shape, row0 * numbers[2], numbers)
            if spread or numbers[2] == 1:
                sum_over_taps(
                    1, lines, across, strips, size, pitch, weight, bias, y, first, planes, row0, rows
                )
            else:
                sum_over_taps(
                    2, lines, across, strips, size, pitch, weight, bias, y, first, planes, row0, rows
                )


@inner
def sum_over_places(dy, strips, size, offsets, step, k, dweight):
    """dweight (K)[k:k+TAPS] += dy (N, rows, OW) times the shifted strips of as many planes."""
    noinline()
    L, (N, rows, OW) = lanes(strips), dy.shape
    acc = tile(1, TAPS, strips)
    for n in range(N):
        for h in range(rows):
            for w in range(0, OW, L):
                rest = min(L, OW - w)
                g = load_part(rest, dy, n, h, w)
                for t in range(TAPS):
                    at = n * size + h * step + w + offsets[k + t]
                    acc[0, t] += g * load_part(rest, strips, at)
    for t in range(TAPS):
        dweight[k + t] += hsum(acc[0, t])


@kernel
def weight_gradient(dy, x, dweight, offsets, shape, step, numbers, band, begin, end):
    """dweight (C, K) from dy (N, C, OH, OW) and x (N, C, H, W), for some channels."""
    together, OH, strips = shape[0], dy.shape[2], empty_strip(shape, x)
    size = shape[1] * shape[2] * shape[3]
    for c in range(begin, end):
        dweight[c] = 0
        for n in range(0, len(x), together):
            for row0 in range(0, OH, band):
                fill_strip(x[n : n + together, c], strips, shape, row0 * numbers[2], numbers)
                part = dy[n : n + together, c, row0 : row0 + band]
                for k in range(0, offsets.size, TAPS):
                    sum_over_places(part, strips, size, offsets, step, k, dweight[c])


def copied(x_shape: tuple[int, ...], window: Window, most: int) -> bool:
    """Whether to copy planes of x that may have so many numbers, for the filters of a window."""
    return window.kernel[0] > SHORT or x_shape[2] * x_shape[3] <= most


def strip_of_planes(OH: int, OW: int, W: int, window: Window, most: int) -> tuple[Strip, int]:
    """A strip for a band of rows, or for up to `most` whole planes, and the rows of a band."""
    line = strip_of(1, 1, OW, W, window).shape[3] * window.stride[0] * window.stride[1]
    band = min(max(PLANES // line // ROWS, 1) * ROWS, OH)
    together = max(1, min(PLANES // (line * OH), most)) if band == OH else 1
    return strip_of(together, -(-band // ROWS) * ROWS, OW, W, window), band


def conv2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, window: Window, groups: int
) -> np.ndarray:
    """y (N, C, OH, OW) from x (N, C, H, W), weight (C, 1, KH, KW) and bias (C) or None; C groups."""
    if not copied(x.shape, window, 0 if window.stride == (1, 1) else SMALL):
        return depthwise_large.conv2d(x, weight, bias, window, groups)
    (N, C, H, W), (KH, KW) = x.shape, window.kernel
    OH, OW = window.output_size(H, W)
    y = result((N, C, OH, OW), x.dtype)
    bias = np.zeros(C, x.dtype) if bias is None else np.ascontiguousarray(bias)
    columns = again(np.ascontiguousarray, weight[:, 0].swapaxes(1, 2))
    strip, band = strip_of_planes(OH, OW, W, window, N * C)
    lines, across, pitch = (0,) * KH, strip.offsets[:KW], strip.step // window.stride[0]
    x, planes = np.ascontiguousarray(x).reshape(-1, H, W), y.reshape(-1, OH, OW)
    settings = lines, across, strip.shape, pitch, window.numbers(), band, False
    run(correlate, N * C, y.size * KH * KW // PRODUCTS, x, columns, bias, planes, *settings)
    return y


def conv2d_input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], window: Window, groups: int
) -> np.ndarray:
    """dx (N, C, H, W) from dy (N, C, OH, OW)."""
    if not copied(x_shape, window, 0 if window.stride == (1, 1) else SMALL_DX):
        return depthwise_large.conv2d_input_gradient(dy, weight, x_shape, window, groups)
    (N, C, H, W), (KH, KW), (OH, OW), (tall, wide) = x_shape, window.kernel, dy.shape[2:], window.extent()
    top, _, left, _ = window.padding
    dx = result(x_shape, dy.dtype)
    turned = again(np.ascontiguousarray, weight[:, 0, ::-1, ::-1].swapaxes(1, 2))
    back = Window(window.kernel, (1, 1), (tall - 1 - top, 0, wide - 1 - left, 0), window.dilation)
    strip, band = strip_of_planes(H, W, (OW - 1) * window.stride[1] + 1, back, N * C)
    spread, numbers = window.stride != (1, 1), (KH, KW, *window.stride, *back.numbers()[4:])
    settings = (0,) * KH, strip.offsets[:KW], strip.shape, strip.step, numbers, band, spread
    planes, zeros = np.ascontiguousarray(dy).reshape(-1, OH, OW), np.zeros(C, dy.dtype)
    products = dx.size * KH * KW // PRODUCTS
    run(correlate, N * C, products, planes, turned, zeros, dx.reshape(-1, H, W), *settings)
    return dx


def conv2d_weight_gradient(dy: np.ndarray, x: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """dweight (C, 1, KH, KW) from dy (N, C, OH, OW) and x (N, C, H, W)."""
    if window.stride == (1, 1) and not copied(x.shape, window, SMALL_DW):
        return depthwise_large.conv2d_weight_gradient(dy, x, window, groups)
    (N, C, _, W), (OH, OW) = x.shape, dy.shape[2:]
    strip, band = strip_of_planes(OH, OW, W, window, N)
    K = strip.offsets.size // strip.shape[0]
    offsets = np.resize(strip.offsets[:K], -(-K // TAPS) * TAPS)  # the last taps beyond K count for nothing
    dweight = np.empty((C, offsets.size), dy.dtype)
    settings = offsets, strip.shape, strip.step, window.numbers(), band
    dy, x = np.ascontiguousarray(dy), np.ascontiguousarray(x)
    run(weight_gradient, C, dy.size * K // PRODUCTS, dy, x, dweight, *settings)
    return again(np.reshape, dweight[:, :K], (C, 1, *window.kernel))
