"""Adaptive pooling: windows that share the plane evenly. The planes (N*C) are shared among the threads."""

import numpy as np
from numba import get_num_threads, prange

from minicnn.kernels.cpu.jit import parallel
from minicnn.kernels.geometry import shares

__all__ = ["adaptive_avg_pool2d", "adaptive_avg_pool2d_gradient", "adaptive_max_pool2d"]


@parallel
def largest(x, rows, columns, y, index, threads):
    """y and index (planes, OH, OW) from x (planes, H, W); rows (OH, 2), columns (OW, 2): begins and ends."""
    planes, OH, OW = y.shape
    for t in prange(threads):
        for p in range(t * planes // threads, (t + 1) * planes // threads):
            for oh in range(OH):
                for ow in range(OW):
                    best, at_h, at_w = x[p, rows[oh, 0], columns[ow, 0]], rows[oh, 0], columns[ow, 0]
                    for h in range(rows[oh, 0], rows[oh, 1]):
                        for w in range(columns[ow, 0], columns[ow, 1]):
                            value = x[p, h, w]
                            if value > best or value != value:
                                best, at_h, at_w = value, h, w
                    y[p, oh, ow], index[p, oh, ow] = best, at_h * x.shape[2] + at_w


@parallel
def mean(x, rows, columns, y, threads):
    """y (planes, OH, OW) from x (planes, H, W)."""
    planes, OH, OW = y.shape
    for t in prange(threads):
        for p in range(t * planes // threads, (t + 1) * planes // threads):
            for oh in range(OH):
                for ow in range(OW):
                    total = x.dtype.type(0)
                    for h in range(rows[oh, 0], rows[oh, 1]):
                        part, line = x.dtype.type(0), x[p, h, columns[ow, 0] : columns[ow, 1]]
                        for w in range(line.size):
                            part += line[w]
                        total += part
                    count = (rows[oh, 1] - rows[oh, 0]) * (columns[ow, 1] - columns[ow, 0])
                    y[p, oh, ow] = total / x.dtype.type(count)


@parallel
def mean_gradient(dy, rows, columns, dx, threads):
    """dx (planes, H, W) from dy (planes, OH, OW)."""
    planes, OH, OW = dy.shape
    for t in prange(threads):
        for p in range(t * planes // threads, (t + 1) * planes // threads):
            dx[p] = 0
            for oh in range(OH):
                for ow in range(OW):
                    count = (rows[oh, 1] - rows[oh, 0]) * (columns[ow, 1] - columns[ow, 0])
                    part = dy[p, oh, ow] / dy.dtype.type(count)
                    for h in range(rows[oh, 0], rows[oh, 1]):
                        line = dx[p, h, columns[ow, 0] : columns[ow, 1]]
                        for w in range(line.size):
                            line[w] += part


def bounds(x_shape: tuple[int, ...], size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Where the windows begin and end, down (OH, 2) and across (OW, 2)."""
    down, across = (np.array(shares(*pair)).reshape(-1, 2) for pair in zip(x_shape[2:], size, strict=True))
    return down, across


def planes(x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) as (N*C, H, W)."""
    N, C, H, W = x.shape
    return np.ascontiguousarray(x).reshape(N * C, H, W)


def adaptive_max_pool2d(x: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """y (N, C, OH, OW), each window's largest value, and index (int32), the first place h*W + w where it was.

    A NaN counts as larger than any number. The gradient is that of max_pool2d.
    """
    y = np.empty((*x.shape[:2], *size), x.dtype)
    index = np.empty(y.shape, np.int32)
    largest(planes(x), *bounds(x.shape, size), planes(y), planes(index), get_num_threads())
    return y, index


def adaptive_avg_pool2d(x: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """y (N, C, OH, OW): each window's mean."""
    y = np.empty((*x.shape[:2], *size), x.dtype)
    mean(planes(x), *bounds(x.shape, size), planes(y), get_num_threads())
    return y


def adaptive_avg_pool2d_gradient(dy: np.ndarray, x_shape: tuple[int, ...]) -> np.ndarray:
    """dx (N, C, H, W): each window's gradient in equal parts to its cells."""
    dx = np.empty(x_shape, dy.dtype)
    mean_gradient(planes(dy), *bounds(x_shape, dy.shape[2:]), planes(dx), get_num_threads())
    return dx
