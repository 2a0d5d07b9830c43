"""Pooling: the taps of all windows as rows (see im2col.py), of which each takes the largest or the mean.

The planes (N*C) are shared among the threads.
"""

import numpy as np
from numba import get_num_threads, prange

from minicnn.kernels.cpu.im2col import col2im, crop, im2col, pad, padded, padded_size
from minicnn.kernels.cpu.jit import parallel
from minicnn.kernels.cpu.simd import lanes
from minicnn.kernels.geometry import Window

__all__ = ["avg_pool2d", "avg_pool2d_gradient", "max_pool2d", "max_pool2d_gradient"]


@parallel
def largest(x, y, index, base, first, numbers, size, threads):
    """y and index (planes, OH, OW) from x (planes, H, W).

    base (OH, OW) is where the windows begin in the plane, first (OH, OW) the first place in each that is not
    padding.
    """
    KH, KW, _, _, PT, PL, DH, DW = numbers
    planes, _, W = x.shape
    _, OH, OW = y.shape
    for t in prange(threads):
        picture = padded(x[:1], size, -np.inf)
        taps = np.empty((KH * KW, OH * OW + lanes(x)), x.dtype)
        origin, start = base.reshape(OH * OW), first.reshape(OH * OW)
        for p in range(t * planes // threads, (t + 1) * planes // threads):
            pad(x[p : p + 1], picture, PT, PL)
            im2col(picture, taps, 0, 0, OH, OW, numbers)
            best, where = y[p].reshape(OH * OW), index[p].reshape(OH * OW)
            for i in range(OH * OW):
                best[i], where[i] = -np.inf, start[i]
            for k in range(KH * KW):
                tap, shift = taps[k], np.int32(k // KW * DH * W + k % KW * DW)
                for i in range(OH * OW):
                    value, b, w = tap[i], best[i], where[i]
                    take = (value > b) | (value != value)  # no branch, so that this runs in vectors
                    best[i] = value if take else b
                    where[i] = origin[i] + shift if take else w


@parallel
def scatter(dy, index, dx):
    """Add dy (planes, cells) to dx (planes, H*W) at index, after clearing it."""
    for p in prange(dy.shape[0]):
        dx[p] = 0
        for i in range(dy.shape[1]):
            dx[p, index[p, i]] += dy[p, i]


@parallel
def mean(x, scale, y, numbers, size, threads):
    """y (planes, OH, OW): each window's sum in x (planes, H, W), times scale (OH, OW)."""
    KH, KW, _, _, PT, PL, _, _ = numbers
    planes, OH, OW = y.shape
    for t in prange(threads):
        picture = padded(x[:1], size, 0)
        taps = np.empty((KH * KW, OH * OW + lanes(x)), x.dtype)
        factor = scale.reshape(OH * OW)
        for p in range(t * planes // threads, (t + 1) * planes // threads):
            pad(x[p : p + 1], picture, PT, PL)
            im2col(picture, taps, 0, 0, OH, OW, numbers)
            out = y[p].reshape(OH * OW)
            for i in range(OH * OW):
                total = taps[0, i]
                for k in range(1, KH * KW):
                    total += taps[k, i]
                out[i] = total * factor[i]


@parallel
def mean_gradient(dy, scale, dx, numbers, size, threads):
    """dx (planes, H, W): each window's dy (planes, OH, OW), times scale (OH, OW), to all of its cells."""
    KH, KW, _, _, PT, PL, _, _ = numbers
    planes, OH, OW = dy.shape
    for t in prange(threads):
        picture = padded(dx[:1], size, 0)
        taps = np.empty((KH * KW, OH * OW), dx.dtype)
        factor = scale.reshape(OH * OW)
        for p in range(t * planes // threads, (t + 1) * planes // threads):
            gradient = dy[p].reshape(OH * OW)
            for k in range(KH * KW):
                tap = taps[k]
                for i in range(OH * OW):
                    tap[i] = gradient[i] * factor[i]
            picture[:] = 0
            col2im(taps, picture, 0, OH, OW, numbers)
            crop(picture, dx[p : p + 1], PT, PL)


def planes(x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) as (N*C, H, W)."""
    return np.ascontiguousarray(x).reshape(-1, *x.shape[2:])


def edges(
    x_shape: tuple[int, ...], window: Window, with_padding: bool
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Down and across: where the cells of each window begin and end, those in the padding counted or not."""
    out = []
    for size, n, k, step, before, after in zip(
        x_shape[2:],
        window.output_size(*x_shape[2:]),
        window.kernel,
        window.stride,
        window.padding[::2],
        window.padding[1::2],
        strict=True,
    ):
        start = np.arange(n) * step - before
        low, high = (-before, size + after) if with_padding else (0, size)
        out.append((np.maximum(start, low), np.minimum(start + k, high)))
    return out


def scales(
    x_shape: tuple[int, ...], window: Window, count_include_pad: bool, divisor: int, dtype: np.dtype
) -> np.ndarray:
    """What each window's sum is multiplied by (OH, OW): 1/divisor, or 1/count of the cells it has."""
    if divisor:
        return np.full(window.output_size(*x_shape[2:]), 1 / divisor, dtype)
    (top, bottom), (left, right) = edges(x_shape, window, count_include_pad)
    return (1 / np.outer(bottom - top, right - left)).astype(dtype)


def max_pool2d(x: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """y (N, C, OH, OW), each window's largest value, and index (int32), the first place h*W + w where it was.

    A NaN counts as larger than any number.
    """
    _, _, SH, SW, PT, PL, DH, DW = window.numbers()
    W, (OH, OW) = x.shape[3], window.output_size(*x.shape[2:])
    top, left = np.arange(OH) * SH - PT, np.arange(OW) * SW - PL
    base = (top[:, None] * W + left).astype(np.int32)
    # the first tap inside: as many steps of the dilation as lead out of the padding
    top, left = top + DH * np.maximum(-(top // DH), 0), left + DW * np.maximum(-(left // DW), 0)
    first = (top[:, None] * W + left).astype(np.int32)
    y = np.empty((*x.shape[:2], OH, OW), x.dtype)
    index = np.empty(y.shape, np.int32)
    numbers, size = window.numbers(), padded_size(x.shape, window)
    largest(planes(x), planes(y), planes(index), base, first, numbers, size, get_num_threads())
    return y, index


def max_pool2d_gradient(dy: np.ndarray, index: np.ndarray, x_shape: tuple[int, ...]) -> np.ndarray:
    """dx (N, C, H, W): each window's gradient goes to the place its value came from."""
    N, C, H, W = x_shape
    dx = np.empty(x_shape, dy.dtype)
    cells = dy.shape[2] * dy.shape[3]
    scatter(
        np.ascontiguousarray(dy).reshape(N * C, cells), index.reshape(N * C, cells), dx.reshape(N * C, H * W)
    )
    return dx


def avg_pool2d(x: np.ndarray, window: Window, count_include_pad: bool, divisor: int) -> np.ndarray:
    """y (N, C, OH, OW): each window's mean, or its sum by `divisor` if that is not 0."""
    y = np.empty((*x.shape[:2], *window.output_size(*x.shape[2:])), x.dtype)
    scale = scales(x.shape, window, count_include_pad, divisor, x.dtype)
    mean(planes(x), scale, planes(y), window.numbers(), padded_size(x.shape, window), get_num_threads())
    return y


def avg_pool2d_gradient(
    dy: np.ndarray, x_shape: tuple[int, ...], window: Window, count_include_pad: bool, divisor: int
) -> np.ndarray:
    """dx (N, C, H, W): each window's gradient in equal parts to its cells."""
    dx = np.empty(x_shape, dy.dtype)
    scale = scales(x_shape, window, count_include_pad, divisor, dy.dtype)
    mean_gradient(
        planes(dy), scale, planes(dx), window.numbers(), padded_size(x_shape, window), get_num_threads()
    )
    return dx
