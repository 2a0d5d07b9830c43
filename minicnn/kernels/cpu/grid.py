"""Sampling of pictures at any places, plane by plane. The threads share the planes, or the pictures."""

import numpy as np

from minicnn.kernels.cpu.jit import jit, kernel
from minicnn.kernels.cpu.runner import run

__all__ = ["sample", "sample_gradient", "sample_place_gradient"]


@jit
def split(place):
    """The last whole number before a place, and the rest; math.floor would take three times as long."""
    low = np.floor(place)
    return np.int32(low) if low > -2 else np.int32(-2), place - low  # -2 for NaN, too


@jit
def part(plane, h, w, weight):
    """What a cell adds: nothing if it has no weight, or is outside; NaN if the weight is."""
    H, W = plane.shape
    if weight == 0 or h < 0 or h >= H or w < 0 or w >= W:
        return plane.dtype.type(0) * weight
    return plane[h, w] * weight


@jit
def give(plane, h, w, value):
    """plane[h, w] += value, if there is such a cell."""
    H, W = plane.shape
    if 0 <= h < H and 0 <= w < W:
        plane[h, w] += value


@kernel
def gather(x, rows, columns, y, begin, end):
    """Some planes of y (N, C, OH, OW): x (N, C, H, W) at rows and columns (N, OH, OW), four cells each."""
    _, C, OH, OW = y.shape
    one = x.dtype.type(1)
    for p in range(begin, end):
        n, c = p // C, p % C
        plane = x[n, c]
        for i in range(OH):
            for j in range(OW):
                (h, s), (w, t) = split(rows[n, i, j]), split(columns[n, i, j])
                above = part(plane, h, w, (one - s) * (one - t)) + part(plane, h, w + 1, (one - s) * t)
                below = part(plane, h + 1, w, s * (one - t)) + part(plane, h + 1, w + 1, s * t)
                y[n, c, i, j] = above + below


@kernel
def scatter(dy, rows, columns, dx, begin, end):
    """Some planes of dx (N, C, H, W): dy (N, C, OH, OW), given back to the four cells each came from."""
    _, C, OH, OW = dy.shape
    one = dy.dtype.type(1)
    for p in range(begin, end):
        n, c = p // C, p % C
        plane = dx[n, c]
        plane[:] = 0
        for i in range(OH):
            for j in range(OW):
                (h, s), (w, t), grad = split(rows[n, i, j]), split(columns[n, i, j]), dy[n, c, i, j]
                give(plane, h, w, grad * (one - s) * (one - t))
                give(plane, h, w + 1, grad * (one - s) * t)
                give(plane, h + 1, w, grad * s * (one - t))
                give(plane, h + 1, w + 1, grad * s * t)


@kernel
def slopes(dy, x, rows, columns, d_rows, d_columns, begin, end):
    """d_rows, d_columns (N, OH, OW) of some pictures: dy times how x changes down and across."""
    _, C, OH, OW = dy.shape
    one = x.dtype.type(1)
    for n in range(begin, end):
        d_rows[n] = 0
        d_columns[n] = 0
        for c in range(C):
            plane = x[n, c]
            for i in range(OH):
                for j in range(OW):
                    (h, s), (w, t), grad = split(rows[n, i, j]), split(columns[n, i, j]), dy[n, c, i, j]
                    nw, ne = part(plane, h, w, one), part(plane, h, w + 1, one)
                    sw, se = part(plane, h + 1, w, one), part(plane, h + 1, w + 1, one)
                    d_rows[n, i, j] += grad * ((one - t) * (sw - nw) + t * (se - ne))
                    d_columns[n, i, j] += grad * ((one - s) * (ne - nw) + s * (se - sw))


def sample(x: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """y (N, C, OH, OW) from x (N, C, H, W) at rows and columns (N, OH, OW)."""
    y = np.empty((*x.shape[:2], *rows.shape[1:]), x.dtype)
    arrays = (np.ascontiguousarray(a) for a in (x, rows, columns))
    run(gather, y.shape[0] * y.shape[1], y.size, *arrays, y)
    return y


def sample_gradient(
    dy: np.ndarray, rows: np.ndarray, columns: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """dx (N, C, H, W) of the size (H, W)."""
    dx = np.empty((*dy.shape[:2], *size), dy.dtype)
    arrays = (np.ascontiguousarray(a) for a in (dy, rows, columns))
    run(scatter, dy.shape[0] * dy.shape[1], dy.size, *arrays, dx)
    return dx


def sample_place_gradient(
    dy: np.ndarray, x: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of rows and columns (N, OH, OW)."""
    dy, x, rows, columns = (np.ascontiguousarray(a) for a in (dy, x, rows, columns))
    d_rows, d_columns = np.empty_like(rows), np.empty_like(columns)
    run(slopes, len(x), dy.size, dy, x, rows, columns, d_rows, d_columns)
    return d_rows, d_columns
