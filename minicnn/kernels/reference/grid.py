"""Sampling of pictures at any places as its definition: each result blends the four cells around a place.

A place is a row and a column, not whole numbers; places outside the picture blend with zeros. What is seen at
a place that is NaN is NaN, and has no part in the gradient of a picture.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["sample", "sample_gradient", "sample_place_gradient"]


def corners(row: Any, column: Any, size: tuple[int, ...]) -> Iterator[tuple[int, int, float, float]]:
    """Of the cells around a place that there are: row and column, and their distances from the place."""
    H, W = size
    if np.isnan(row + column):
        return
    top, left = int(np.floor(row)), int(np.floor(column))
    for h in (top, top + 1):
        for w in (left, left + 1):
            if 0 <= h < H and 0 <= w < W:
                yield h, w, h - row, w - column


def sample(x: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """y (N, C, OH, OW) from x (N, C, H, W) at rows and columns (N, OH, OW)."""
    y = np.zeros((*x.shape[:2], *rows.shape[1:]), x.dtype)
    for n, c, i, j in np.ndindex(y.shape):
        if np.isnan(rows[n, i, j] + columns[n, i, j]):
            y[n, c, i, j] = np.nan
        for h, w, down, across in corners(rows[n, i, j], columns[n, i, j], x.shape[2:]):
            weight = (1 - abs(down)) * (1 - abs(across))
            if weight:  # at whole numbers one cell alone counts, whatever stands beside it
                y[n, c, i, j] += x[n, c, h, w] * weight
    return y


def sample_gradient(
    dy: np.ndarray, rows: np.ndarray, columns: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """dx (N, C, H, W) of the size (H, W)."""
    dx = np.zeros((*dy.shape[:2], *size), dy.dtype)
    for n, c, i, j in np.ndindex(dy.shape):
        for h, w, down, across in corners(rows[n, i, j], columns[n, i, j], size):
            dx[n, c, h, w] += dy[n, c, i, j] * (1 - abs(down)) * (1 - abs(across))
    return dx


def sample_place_gradient(
    dy: np.ndarray, x: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of rows and columns (N, OH, OW)."""
    d_rows, d_columns = columns - columns, rows - rows  # 0, or NaN where the other one is
    for n, c, i, j in np.ndindex(dy.shape):
        for h, w, down, across in corners(rows[n, i, j], columns[n, i, j], x.shape[2:]):
            grad = dy[n, c, i, j] * x[n, c, h, w]
            d_rows[n, i, j] += grad * (1 - abs(across)) * (1 if down > 0 else -1)  # nearer the lower cell
            d_columns[n, i, j] += grad * (1 - abs(down)) * (1 if across > 0 else -1)
    return d_rows, d_columns
