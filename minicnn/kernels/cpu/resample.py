"""Resampling, plane by plane: take cells, or blend four. The planes are shared among the threads."""

import numpy as np

from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.cpu.scratch import scratch

__all__ = ["blend", "blend_gradient", "pick", "pick_gradient"]

Axis = tuple[np.ndarray, np.ndarray, np.ndarray]


@kernel
def take(x, rows, columns, y, begin, end):
    """Some planes of y (planes, OH, OW): the cells of x (planes, H, W) at rows (OH) and columns (OW)."""
    _, OH, OW = y.shape
    for p in range(begin, end):
        for i in range(OH):
            line, out = x[p, rows[i]], y[p, i]
            for j in range(OW):
                out[j] = line[columns[j]]


@kernel
def give_back(dy, rows, columns, dx, begin, end):
    """Some planes of dx (planes, H, W): dy (planes, OH, OW), added to the cells it came from."""
    _, OH, OW = dy.shape
    for p in range(begin, end):
        dx[p] = 0
        for i in range(OH):
            line, out = dy[p, i], dx[p, rows[i]]
            for j in range(OW):
                out[columns[j]] += line[j]


@kernel
def mix(x, top, bottom, down, left, right, across, y, begin, end):
    """Some planes of y (planes, OH, OW), each number from four cells of x (planes, H, W).

    They are in the rows top and bottom with a share `down` (OH) of the lower one, and in the columns left and
    right with a share `across` (OW) of the right one.
    """
    _, OH, OW = y.shape
    one = x.dtype.type(1)
    for p in range(begin, end):
        for i in range(OH):
            upper, lower, out, share = x[p, top[i]], x[p, bottom[i]], y[p, i], down[i]
            for j in range(OW):
                a, b, s = left[j], right[j], across[j]
                above = (one - s) * upper[a] + s * upper[b]
                out[j] = (one - share) * above + share * ((one - s) * lower[a] + s * lower[b])


@kernel
def unmix(dy, top, bottom, down, left, right, across, dx, begin, end):
    """Some planes of dx (planes, H, W): dy (planes, OH, OW), shared out to the four cells it came from."""
    _, OH, OW = dy.shape
    one = dy.dtype.type(1)
    line = scratch(dx.shape[2], dy.dtype)
    for p in range(begin, end):
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
    arrays = (np.ascontiguousarray(a) for a in (x, rows, columns))
    run(take, len(x), y.size, *arrays, y)
    return y


def pick_gradient(dy: np.ndarray, rows: np.ndarray, columns: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """dx (planes, H, W) of the size (H, W)."""
    dx = np.empty((len(dy), *size), dy.dtype)
    arrays = (np.ascontiguousarray(a) for a in (dy, rows, columns))
    run(give_back, len(dy), dy.size, *arrays, dx)
    return dx


def blend(x: np.ndarray, down: Axis, across: Axis) -> np.ndarray:
    """y (planes, OH, OW) from x (planes, H, W); down and across are (low, high, share)."""
    y = np.empty((len(x), len(down[0]), len(across[0])), x.dtype)
    arrays = (np.ascontiguousarray(a) for a in (x, *down, *across))
    run(mix, len(x), y.size, *arrays, y)
    return y


def blend_gradient(dy: np.ndarray, down: Axis, across: Axis, size: tuple[int, int]) -> np.ndarray:
    """dx (planes, H, W) of the size (H, W)."""
    dx = np.empty((len(dy), *size), dy.dtype)
    arrays = (np.ascontiguousarray(a) for a in (dy, *down, *across))
    run(unmix, len(dy), dy.size, *arrays, dx)
    return dx
