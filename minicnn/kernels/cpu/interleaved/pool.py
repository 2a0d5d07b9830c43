"""Pooling of interleaved pictures where it does not follow a convolution, or not by windows side by side.

A window is a range of rows and one of columns, without what lies in the padding. Windows side by side go
through finish.py. The threads share the planes (B*C).
"""

from functools import lru_cache

import numpy as np

from minicnn.kernels.cpu.adaptive import bounds
from minicnn.kernels.cpu.elementary import inlined
from minicnn.kernels.cpu.interleaved import finish
from minicnn.kernels.cpu.interleaved.layout import empty
from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.masks import select
from minicnn.kernels.cpu.pool import scales
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.cpu.simd import load, load_part, store
from minicnn.kernels.geometry import Window


@inlined
def take(x, p, h, first, end, step, best, place):
    """Go on with the largest number and its place along part of row h of x[p]."""
    row = load_part(0, x, 0, 0, 0, 0) + np.float32(h * x.shape[2] + first)
    for w in range(0, end, step):
        v = load(x, p, h, first + w, 0)
        larger = (v > best) | (v != v)  # a NaN is larger than any number
        best, place = select(larger, v, best), select(larger, row + w, place)
    return best, place


@kernel
def largest(x, rows, columns, y, index, begin, end):
    """y and index (P, OH, OW, L) from x (P, H, W, L); rows (OH, 3), columns (OW, 3): see `ranges`."""
    (_, OH, OW, _), W = y.shape, x.shape[2]
    for p in range(begin, end):
        for oh in range(OH):
            for ow in range(OW):
                top, bottom, down = rows[oh, 0], rows[oh, 1], rows[oh, 2]
                left, right, across = columns[ow, 0], columns[ow, 1], columns[ow, 2]
                best = load(x, p, top, left, 0)
                place = load_part(0, x, 0, 0, 0, 0) + np.float32(top * W + left)
                for h in range(top, bottom, down):
                    if right - left == 3 and across == 1:  # known to the compiler, which unrolls it
                        best, place = take(x, p, h, left, 3, 1, best, place)
                    else:
                        best, place = take(x, p, h, left, right - left, across, best, place)
                store(y, p, oh, ow, 0, best)
                store(index, p, oh, ow, 0, place)


@inlined
def give(column, grad, dx, p, h, first, end, step):
    """Add grad to part of row h of dx[p] where the column, counted from there on, is the right one."""
    for w in range(0, end, step):
        part = select(column == w, grad, 0)
        store(dx, p, h, first + w, 0, load(dx, p, h, first + w, 0) + part)


@kernel
def scatter(dy, index, rows, columns, dx, begin, end):
    """dx (P, H, W, L): each number of dy (P, OH, OW, L) goes to the place that index has for it."""
    (_, OH, OW, _), (_, H, W, _) = dy.shape, dx.shape
    for p in range(begin, end):
        for h in range(H):
            for w in range(W):
                store(dx, p, h, w, 0, load_part(0, dx, 0, 0, 0, 0))
        for oh in range(OH):
            for ow in range(OW):
                grad, place = load(dy, p, oh, ow, 0), load(index, p, oh, ow, 0)
                left, right, across = columns[ow, 0], columns[ow, 1], columns[ow, 2]
                for h in range(rows[oh, 0], rows[oh, 1], rows[oh, 2]):
                    column = place - np.float32(h * W + left)
                    if right - left == 3 and across == 1:
                        give(column, grad, dx, p, h, left, 3, 1)
                    else:
                        give(column, grad, dx, p, h, left, right - left, across)


@kernel
def mean(x, rows, columns, scale, y, begin, end):
    """y (P, OH, OW, L): each window's sum in x (P, H, W, L), times scale (OH, OW); rows, columns as above."""
    _, OH, OW, _ = y.shape
    for p in range(begin, end):
        for oh in range(OH):
            for ow in range(OW):
                sum = load_part(0, x, 0, 0, 0, 0)
                for h in range(rows[oh, 0], rows[oh, 1]):
                    line = load_part(0, x, 0, 0, 0, 0)
                    for w in range(columns[ow, 0], columns[ow, 1]):
                        line += load(x, p, h, w, 0)
                    sum += line
                store(y, p, oh, ow, 0, sum * scale[oh, ow])


@kernel
def mean_gradient(dy, rows, columns, scale, dx, begin, end):
    """dx (P, H, W, L): each window's dy (P, OH, OW, L), times scale (OH, OW), to all of its cells."""
    (_, OH, OW, _), (_, H, W, _) = dy.shape, dx.shape
    for p in range(begin, end):
        for h in range(H):
            for w in range(W):
                store(dx, p, h, w, 0, load_part(0, dx, 0, 0, 0, 0))
        for oh in range(OH):
            for ow in range(OW):
                grad = load(dy, p, oh, ow, 0) * scale[oh, ow]
                for h in range(rows[oh, 0], rows[oh, 1]):
                    for w in range(columns[ow, 0], columns[ow, 1]):
                        store(dx, p, h, w, 0, load(dx, p, h, w, 0) + grad)


@kernel
def finish_planes(x, how, y, index, begin, end):
    """`finish_rows` of whole planes x (P, H, W, L)."""
    finish.finish_rows(x[begin:end], how, y[begin:end], index[begin:end])


def side_by_side(H: int, W: int, window: Window) -> bool:
    """Whether finish.py can have it: no gaps, no overlap, and no window reaches beyond the plane."""
    (KH, KW), (OH, OW) = window.kernel, window.output_size(H, W)
    plain = window.stride == window.kernel and window.dilation == (1, 1) and window.padding[::2] == (0, 0)
    return plain and OH * KH <= H and OW * KW <= W


@lru_cache(64)
def ranges(size: int, count: int, k: int, stride: int, before: int, apart: int) -> np.ndarray:
    """Begin, end and step (count, 3) of each window's taps along an axis, those in the padding left out."""
    first = np.arange(count) * stride - before
    inside = first + apart * np.maximum(-(first // apart), 0)
    last = np.minimum(first + (k - 1) * apart + 1, size)
    return np.stack([inside, last, np.full(count, apart)], axis=1)


def axes(H: int, W: int, window: Window) -> list[np.ndarray]:
    """The ranges of rows (OH, 3) and of columns (OW, 3)."""
    numbers = window.numbers()
    return [
        ranges(size, count, *numbers[axis::2])
        for axis, (size, count) in enumerate(zip((H, W), window.output_size(H, W), strict=True))
    ]


def planes(x: np.ndarray) -> np.ndarray:
    """(B, C, H, W, L) as (B*C, H, W, L)."""
    return x.reshape(-1, *x.shape[2:])


def max_pool2d(x: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """y (B, C, OH, OW, L), each window's largest value, and index (float32), the first place where it was.

    Places are counted in the plane, or if windows are side by side, in the window. A NaN counts as larger
    than any number.
    """
    B, C, H, W, L = x.shape
    y, index = (empty((B, C, *window.output_size(H, W), L)) for _ in range(2))
    if side_by_side(H, W, window):
        how = finish.NONE, finish.MAX, *window.kernel
        run(finish_planes, B * C, x.size, planes(x), how, planes(y), planes(index))
        return y, index
    run(largest, B * C, x.size, planes(x), *axes(H, W, window), planes(y), planes(index))
    return y, index


def max_pool2d_gradient(
    dy: np.ndarray, index: np.ndarray, x_shape: tuple[int, ...], window: Window
) -> np.ndarray:
    """dx (B, C, H, W, L): each window's gradient goes to the place its value came from."""
    B, C, H, W, _ = x_shape
    if side_by_side(H, W, window):
        how = finish.NONE, finish.MAX, *window.kernel
        return finish.gradient(dy, dy, None, index, how, x_shape)[0]
    dx = empty(x_shape)
    run(scatter, B * C, dx.size, planes(dy), planes(index), *axes(H, W, window), planes(dx))
    return dx


def avg_pool2d(x: np.ndarray, window: Window, count_include_pad: bool, divisor: int) -> np.ndarray:
    """y (B, C, OH, OW, L): each window's mean, or its sum by `divisor` if that is not 0."""
    B, C, H, W, L = x.shape
    scale = scales(H, W, window, count_include_pad, divisor, x.dtype)
    y = empty((B, C, *scale.shape, L))
    run(mean, B * C, x.size, planes(x), *axes(H, W, window), scale, planes(y))
    return y


def avg_pool2d_gradient(
    dy: np.ndarray, x_shape: tuple[int, ...], window: Window, count_include_pad: bool, divisor: int
) -> np.ndarray:
    """dx (B, C, H, W, L): each window's gradient in equal parts to its cells."""
    B, C, H, W, _ = x_shape
    scale, dx = scales(H, W, window, count_include_pad, divisor, dy.dtype), empty(x_shape)
    run(mean_gradient, B * C, dx.size, planes(dy), *axes(H, W, window), scale, planes(dx))
    return dx


def even_shares(H: int, W: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows (OH, 2), columns (OW, 2) and scales (OH, OW) of the windows of adaptive pooling."""
    rows, columns = bounds(H, size[0]), bounds(W, size[1])
    return rows, columns, (1 / np.outer(np.diff(rows), np.diff(columns))).astype(np.float32)


def adaptive_avg_pool2d(x: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """y (B, C, OH, OW, L): each window's mean."""
    B, C, H, W, L = x.shape
    y = empty((B, C, *size, L))
    run(mean, B * C, x.size, planes(x), *even_shares(H, W, size), planes(y))
    return y


def adaptive_avg_pool2d_gradient(dy: np.ndarray, x_shape: tuple[int, ...]) -> np.ndarray:
    """dx (B, C, H, W, L): each window's gradient in equal parts to its cells."""
    B, C, H, W, _ = x_shape
    dx = empty(x_shape)
    run(mean_gradient, B * C, dx.size, planes(dy), *even_shares(H, W, dy.shape[2:4]), planes(dx))
    return dx
