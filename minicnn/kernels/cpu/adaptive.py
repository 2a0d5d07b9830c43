"""Adaptive pooling: windows that share the plane evenly. The planes (N*C) are shared among the threads."""

from functools import lru_cache

import numpy as np

from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.memory import result
from minicnn.kernels.cpu.rows import total
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.cpu.scratch import reshape
from minicnn.kernels.geometry import shares

__all__ = ["adaptive_avg_pool2d", "adaptive_avg_pool2d_gradient", "adaptive_max_pool2d"]


@kernel
def largest(x, rows, columns, y, index, begin, end):
    """y and index (planes, OH, OW) from x (planes, H, W); rows (OH, 2), columns (OW, 2): begins and ends."""
    _, OH, OW = y.shape
    for p in range(begin, end):
        for oh in range(OH):
            for ow in range(OW):
                best, at_h, at_w = x[p, rows[oh, 0], columns[ow, 0]], rows[oh, 0], columns[ow, 0]
                for h in range(rows[oh, 0], rows[oh, 1]):
                    for w in range(columns[ow, 0], columns[ow, 1]):
                        value = x[p, h, w]
                        if value > best or value != value:
                            best, at_h, at_w = value, h, w
                y[p, oh, ow], index[p, oh, ow] = best, at_h * x.shape[2] + at_w


@kernel
def mean(x, rows, columns, y, begin, end):
    """y (planes, OH, OW) from x (planes, H, W)."""
    (planes, H, W), (_, OH, OW) = x.shape, y.shape
    flat = reshape(x, (planes, H * W))
    for p in range(begin, end):
        for oh in range(OH):
            for ow in range(OW):
                sum = 0.0
                if OW == 1:  # whole lines, one after the other
                    sum += total(flat[p, rows[oh, 0] * W : rows[oh, 1] * W])
                else:
                    for h in range(rows[oh, 0], rows[oh, 1]):
                        part, line = x.dtype.type(0), x[p, h, columns[ow, 0] : columns[ow, 1]]
                        for w in range(line.size):
                            part += line[w]
                        sum += part
                y[p, oh, ow] = sum / ((rows[oh, 1] - rows[oh, 0]) * (columns[ow, 1] - columns[ow, 0]))


@kernel
def mean_gradient(dy, rows, columns, dx, begin, end):
    """dx (planes, H, W) from dy (planes, OH, OW)."""
    _, OH, OW = dy.shape
    for p in range(begin, end):
        dx[p] = 0
        for oh in range(OH):
            for ow in range(OW):
                count = (rows[oh, 1] - rows[oh, 0]) * (columns[ow, 1] - columns[ow, 0])
                part = dy[p, oh, ow] / dy.dtype.type(count)
                for h in range(rows[oh, 0], rows[oh, 1]):
                    line = dx[p, h, columns[ow, 0] : columns[ow, 1]]
                    for w in range(line.size):
                        line[w] += part


@lru_cache(64)
def bounds(size: int, count: int) -> np.ndarray:
    """Where the windows along an axis begin and end (count, 2)."""
    return np.array(shares(size, count)).reshape(-1, 2)


def planes(x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) as (N*C, H, W)."""
    N, C, H, W = x.shape
    return np.ascontiguousarray(x).reshape(N * C, H, W)


def adaptive_max_pool2d(x: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """y (N, C, OH, OW), each window's largest value, and index (int32), the first place h*W + w where it was.

    A NaN counts as larger than any number. The gradient is that of max_pool2d.
    """
    N, C, H, W = x.shape
    y, index = result((N * C, *size), x.dtype), result((N * C, *size), np.int32)
    arrays = planes(x), bounds(H, size[0]), bounds(W, size[1]), y, index
    run(largest, N * C, x.size, *arrays)
    return y.reshape(N, C, *size), index.reshape(N, C, *size)


def adaptive_avg_pool2d(x: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """y (N, C, OH, OW): each window's mean."""
    N, C, H, W = x.shape
    y = result((N * C, *size), x.dtype)
    run(mean, N * C, x.size, planes(x), bounds(H, size[0]), bounds(W, size[1]), y)
    return y.reshape(N, C, *size)


def adaptive_avg_pool2d_gradient(dy: np.ndarray, x_shape: tuple[int, ...]) -> np.ndarray:
    """dx (N, C, H, W): each window's gradient in equal parts to its cells."""
    N, C, H, W = x_shape
    dx = result((N * C, H, W), dy.dtype)
    arrays = planes(dy), bounds(H, dy.shape[2]), bounds(W, dy.shape[3]), dx
    run(mean_gradient, N * C, dx.size, *arrays)
    return dx.reshape(x_shape)
