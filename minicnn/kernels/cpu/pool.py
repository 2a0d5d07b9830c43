"""Pooling: the taps of all windows as rows (see im2col.py), of which each takes the largest or the mean.

Cells of 2x2 go a shorter way (halving.py).

The planes (N*C) are shared among the threads.
"""

from functools import lru_cache

import numpy as np

from minicnn.kernels.cpu import halving
from minicnn.kernels.cpu.im2col import buffer_size, col2im, crop, im2col, pad, padded
from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.memory import result
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.cpu.scratch import reshape, scratch
from minicnn.kernels.cpu.simd import lanes
from minicnn.kernels.geometry import Window

__all__ = ["avg_pool2d", "avg_pool2d_gradient", "max_pool2d", "max_pool2d_gradient"]


@kernel
def largest(x, y, index, base, first, numbers, size, begin, end):
    """Planes begin to end of y and index (N, C, OH, OW) from those of x (N, C, H, W).

    base (OH, OW) is where the windows begin in the plane, first (OH, OW) the first place in each that is not
    padding.
    """
    KH, KW, _, _, PT, PL, DH, DW = numbers
    (N, C, H, W), (_, _, OH, OW) = x.shape, y.shape
    planes, rows = reshape(x, (N * C, H, W)), (N * C, OH * OW)
    out, places = reshape(y, rows), reshape(index, rows)
    picture = padded(planes[:1], size, -np.inf)
    taps = scratch((KH * KW, OH * OW + lanes(x)), x.dtype)
    origin, start = reshape(base, OH * OW), reshape(first, OH * OW)
    for p in range(begin, end):
        pad(planes[p : p + 1], picture, PT, PL)
        im2col(picture, taps, 0, 0, OH, OW, numbers)
        best, where = out[p], places[p]
        for i in range(OH * OW):
            best[i], where[i] = -np.inf, start[i]
        for k in range(KH * KW):
            tap, shift = taps[k], np.int32(k // KW * DH * W + k % KW * DW)
            for i in range(OH * OW):
                value, b, w = tap[i], best[i], where[i]
                take = (value > b) | (value != value)  # no branch, so that this runs in vectors
                best[i] = value if take else b
                where[i] = origin[i] + shift if take else w


@kernel
def scatter(dy, index, dx, begin, end):
    """Add dy (planes, cells) to dx (planes, H*W) at index, after clearing it."""
    for p in range(begin, end):
        dx[p] = 0
        for i in range(dy.shape[1]):
            dx[p, index[p, i]] += dy[p, i]


@kernel
def mean(x, scale, y, numbers, size, begin, end):
    """y (planes, OH, OW): each window's sum in x (planes, H, W), times scale (OH, OW)."""
    KH, KW, _, _, PT, PL, _, _ = numbers
    _, OH, OW = y.shape
    picture = padded(x[:1], size, 0)
    taps = scratch((KH * KW, OH * OW + lanes(x)), x.dtype)
    factor = reshape(scale, OH * OW)
    for p in range(begin, end):
        pad(x[p : p + 1], picture, PT, PL)
        im2col(picture, taps, 0, 0, OH, OW, numbers)
        out = reshape(y[p], OH * OW)
        for i in range(OH * OW):
            total = taps[0, i]
            for k in range(1, KH * KW):
                total += taps[k, i]
            out[i] = total * factor[i]


@kernel
def mean_gradient(dy, scale, dx, numbers, size, begin, end):
    """dx (planes, H, W): each window's dy (planes, OH, OW), times scale (OH, OW), to all of its cells."""
    KH, KW, _, _, PT, PL, _, _ = numbers
    _, OH, OW = dy.shape
    picture = padded(dx[:1], size, 0)
    taps = scratch((KH * KW, OH * OW), dx.dtype)
    factor = reshape(scale, OH * OW)
    for p in range(begin, end):
        gradient = reshape(dy[p], OH * OW)
        for k in range(KH * KW):
            tap = taps[k]
            for i in range(OH * OW):
                tap[i] = gradient[i] * factor[i]
        picture[:] = 0
        col2im(taps, picture, 0, OH, OW, numbers)
        crop(picture, dx[p : p + 1], PT, PL)


def planes(x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) as (N*C, H, W)."""
    N, C, H, W = x.shape
    return np.ascontiguousarray(x).reshape(N * C, H, W)


@lru_cache(32)
def halves(H: int, W: int, window: Window) -> bool:
    """Whether the windows are cells of 2x2, side by side, none of which reaches beyond the plane."""
    OH, OW = window.output_size(H, W)
    start = window.padding[0], window.padding[2]
    side_by_side = window.kernel == window.stride == (2, 2) and window.dilation == (1, 1) and start == (0, 0)
    return side_by_side and 2 * OH <= H and 2 * OW <= W


@lru_cache(32)
def places(H: int, W: int, window: Window) -> tuple[bool, np.ndarray, np.ndarray, tuple, tuple]:
    """Where each window begins in the plane (OH, OW), and the first place in it that is not padding.

    And what else depends on the plane alone: before them, whether it is halved; after them, the window's
    numbers and the size of the buffer.
    """
    _, _, SH, SW, PT, PL, DH, DW = window.numbers()
    OH, OW = window.output_size(H, W)
    top, left = np.arange(OH) * SH - PT, np.arange(OW) * SW - PL
    base = (top[:, None] * W + left).astype(np.int32)
    # as many steps of the dilation as lead out of the padding
    top, left = top + DH * np.maximum(-(top // DH), 0), left + DW * np.maximum(-(left // DW), 0)
    first = (top[:, None] * W + left).astype(np.int32)
    return halves(H, W, window), base, first, window.numbers(), buffer_size(H, W, window)


@lru_cache(32)
def scales(
    H: int, W: int, window: Window, count_include_pad: bool, divisor: int, dtype: np.dtype
) -> np.ndarray:
    """What each window's sum is multiplied by (OH, OW): 1/divisor, or 1/count of the cells it has."""
    if divisor:
        return np.full(window.output_size(H, W), 1 / divisor, dtype)
    counts = []
    for size, n, k, step, before, after in zip(
        (H, W),
        window.output_size(H, W),
        *(window.kernel, window.stride, window.padding[::2], window.padding[1::2]),
        strict=True,
    ):
        start = np.arange(n) * step - before
        low, high = (-before, size + after) if count_include_pad else (0, size)
        counts.append(np.minimum(start + k, high) - np.maximum(start, low))
    return (1 / np.outer(*counts)).astype(dtype)


def max_pool2d(x: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """y (N, C, OH, OW), each window's largest value, and index (int32), the first place h*W + w where it was.

    A NaN counts as larger than any number.
    """
    N, C, H, W = x.shape
    halved, base, *settings = places(H, W, window)
    shape = (N, C, *base.shape)
    x, y, index = np.ascontiguousarray(x), result(shape, x.dtype), result(shape, np.int32)
    if halved:
        run(halving.largest, N * C, x.size, x, base, y, index)
    else:
        run(largest, N * C, x.size, x, y, index, base, *settings)
    return y, index


def max_pool2d_gradient(dy: np.ndarray, index: np.ndarray, x_shape: tuple[int, ...]) -> np.ndarray:
    """dx (N, C, H, W): each window's gradient goes to the place its value came from."""
    N, C, H, W = x_shape
    dx = result((N * C, H * W), dy.dtype)
    rows = (N * C, dy.shape[2] * dy.shape[3])
    arrays = np.ascontiguousarray(dy).reshape(rows), index.reshape(rows), dx
    run(scatter, N * C, dx.size, *arrays)
    return dx.reshape(x_shape)


def avg_pool2d(x: np.ndarray, window: Window, count_include_pad: bool, divisor: int) -> np.ndarray:
    """y (N, C, OH, OW): each window's mean, or its sum by `divisor` if that is not 0."""
    N, C, H, W = x.shape
    scale = scales(H, W, window, count_include_pad, divisor, x.dtype)
    y = result((N * C, *scale.shape), x.dtype)
    if halves(H, W, window):
        run(halving.mean, N * C, x.size, planes(x), scale[0, 0], y)
        return y.reshape(N, C, *scale.shape)
    settings = window.numbers(), buffer_size(H, W, window)
    run(mean, N * C, x.size, planes(x), scale, y, *settings)
    return y.reshape(N, C, *scale.shape)


def avg_pool2d_gradient(
    dy: np.ndarray, x_shape: tuple[int, ...], window: Window, count_include_pad: bool, divisor: int
) -> np.ndarray:
    """dx (N, C, H, W): each window's gradient in equal parts to its cells."""
    N, C, H, W = x_shape
    dx = result((N * C, H, W), dy.dtype)
    scale = scales(H, W, window, count_include_pad, divisor, dy.dtype)
    if halves(H, W, window):
        run(halving.mean_gradient, N * C, dx.size, planes(dy), scale[0, 0], dx)
        return dx.reshape(x_shape)
    settings = window.numbers(), buffer_size(H, W, window)
    run(mean_gradient, N * C, dx.size, planes(dy), scale, dx, *settings)
    return dx.reshape(x_shape)
