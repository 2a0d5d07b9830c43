"""Resampling as its definition: each cell of the result takes one cell of x, or blends four.

Which ones, the index vectors say, one for each axis: rows (OH) and columns (OW) of ints. A blend has two for
each axis, low and high, and share, how far from the one to the other.
"""

import numpy as np

__all__ = ["blend", "blend_gradient", "pick", "pick_gradient"]

Axis = tuple[np.ndarray, np.ndarray, np.ndarray]


def pick(x: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """y (planes, OH, OW) from x (planes, H, W)."""
    y = np.empty((len(x), len(rows), len(columns)), x.dtype)
    for p, i, j in np.ndindex(y.shape):
        y[p, i, j] = x[p, rows[i], columns[j]]
    return y


def pick_gradient(dy: np.ndarray, rows: np.ndarray, columns: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """dx (planes, H, W) of the size (H, W)."""
    dx = np.zeros((len(dy), *size), dy.dtype)
    for p, i, j in np.ndindex(dy.shape):
        dx[p, rows[i], columns[j]] += dy[p, i, j]
    return dx


def corners(down: Axis, across: Axis, i: int, j: int) -> list[tuple[int, int, float]]:
    """The row, column and weight of the four cells that y[i, j] blends."""
    number = down[2].dtype.type
    rows = (down[0][i], number(1) - down[2][i]), (down[1][i], down[2][i])
    columns = (across[0][j], number(1) - across[2][j]), (across[1][j], across[2][j])
    return [(h, w, by_row * by_column) for h, by_row in rows for w, by_column in columns]


def blend(x: np.ndarray, down: Axis, across: Axis) -> np.ndarray:
    """y (planes, OH, OW) from x (planes, H, W); down and across are (low, high, share)."""
    y = np.zeros((len(x), len(down[0]), len(across[0])), x.dtype)
    for p, i, j in np.ndindex(y.shape):
        for h, w, weight in corners(down, across, i, j):
            y[p, i, j] += x[p, h, w] * weight
    return y


def blend_gradient(dy: np.ndarray, down: Axis, across: Axis, size: tuple[int, int]) -> np.ndarray:
    """dx (planes, H, W) of the size (H, W)."""
    dx = np.zeros((len(dy), *size), dy.dtype)
    for p, i, j in np.ndindex(dy.shape):
        for h, w, weight in corners(down, across, i, j):
            dx[p, h, w] += dy[p, i, j] * weight
    return dx
