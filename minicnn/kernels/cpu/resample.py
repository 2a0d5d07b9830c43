"""Resampling, plane by plane: take cells, or blend four. The planes are shared among the threads."""

import numpy as np
from numba import get_num_threads, prange

from minicnn.kernels.cpu.jit import parallel

__all__ = ["blend", "blend_gradient", "pick", "pick_gradient"]

Axis = tuple[np.ndarray, np.ndarray, np.ndarray]


@parallel
def take(x, rows, columns, y, threads):
    planes, OH, OW = y.shape
    for t in prange(threads):
        for p in range(t * planes // threads, (t + 1) * planes // threads):
            for i in range(OH):
                line, out = x[p, rows[i]], y[p, i]
                for j in range(OW):
                    out[j] = line[columns[j]]


@parallel
def give_back(dy, rows, columns, dx, threads):
    planes, OH, OW = dy.shape
    for t in prange(threads):
        for p in range(t * planes // threads, (t + 1) * planes // threads):
            dx[p] = 0
            for i in range(OH):
                line, out = dy[p, i], dx[p, rows[i]]
                for j in range(OW):
                    out[columns[j]] += line[j]


@parallel
def mix(x, top, bottom, down, left, right, across, y, threads):
    planes, OH, OW = y.shape
    one = x.dtype.type(1)
    for t in prange(threads):
        for p in range(t * planes // threads, (t + 1) * planes // threads):
            for i in range(OH):
                upper, lower, out, share = x[p, top[i]], x[p, bottom[i]], y[p, i], down[i]
                for j in range(OW):
                    a, b, s = left[j], right[j], across[j]
                    above = (one - s) * upper[a] + s * upper[b]
                    out[j] = (one - share) * above + share * ((one - s) * lower[a] + s * lower[b])


@parallel
def unmix(dy, top, bottom, down, left, right, across, dx, threads):
    planes, OH, OW = dy.shape
    one = dy.dtype.type(1)
    for t in prange(threads):
        line = np.empty(dx.shape[2], dy.dtype)
        for p in range(t * planes // threads, (t + 1) * planes // threads):
            dx[p] = 0
            for i in range(OH):
                line[:] = 0  # the row's gradient, gathered across before it is divided down
                for j in range(OW):
                    grad, s = dy[p, i, j], across[j]
                    line[left[j]] += (one - s) * grad
                    line[right[j]] += s * grad
                upper, lower, share = dx[p, top[i]], dx[p, bottom[i]], down[i]
                for w in range(line.size):
                    upper[w] += (one - share) * line[w]
                for w in range(line.size):
                    lower[w] += share * line[w]


def pick(x: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """y (planes, OH, OW) from x (planes, H, W)."""
    y = np.empty((len(x), len(rows), len(columns)), x.dtype)
    take(*(np.ascontiguousarray(a) for a in (x, rows, columns)), y, get_num_threads())
    return y


def pick_gradient(dy: np.ndarray, rows: np.ndarray, columns: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """dx (planes, H, W) of the size (H, W)."""
    dx = np.empty((len(dy), *size), dy.dtype)
    give_back(*(np.ascontiguousarray(a) for a in (dy, rows, columns)), dx, get_num_threads())
    return dx


def blend(x: np.ndarray, down: Axis, across: Axis) -> np.ndarray:
    """y (planes, OH, OW) from x (planes, H, W); down and across are (low, high, share)."""
    y = np.empty((len(x), len(down[0]), len(across[0])), x.dtype)
    mix(*(np.ascontiguousarray(a) for a in (x, *down, *across)), y, get_num_threads())
    return y


def blend_gradient(dy: np.ndarray, down: Axis, across: Axis, size: tuple[int, int]) -> np.ndarray:
    """dx (planes, H, W) of the size (H, W)."""
    dx = np.empty((len(dy), *size), dy.dtype)
    unmix(*(np.ascontiguousarray(a) for a in (dy, *down, *across)), dx, get_num_threads())
    return dx
