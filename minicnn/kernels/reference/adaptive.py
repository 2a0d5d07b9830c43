"""Adaptive pooling as its definition: the windows share the plane evenly, whatever its size."""

from collections.abc import Iterator

import numpy as np

from minicnn.kernels.geometry import shares

__all__ = ["adaptive_avg_pool2d", "adaptive_avg_pool2d_gradient", "adaptive_max_pool2d"]


def windows(
    shape: tuple[int, ...], size: tuple[int, int]
) -> Iterator[tuple[tuple[int, ...], list[tuple[int, int]]]]:
    """The place of every result (n, c, oh, ow), and the cells (h, w) that it looks at."""
    N, C, H, W = shape
    rows, columns = shares(H, size[0]), shares(W, size[1])
    for n, c, oh, ow in np.ndindex(N, C, *size):
        yield (n, c, oh, ow), [(h, w) for h in range(*rows[oh]) for w in range(*columns[ow])]


def adaptive_max_pool2d(x: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """y (N, C, OH, OW), each window's largest value, and index (int32), the first place h*W + w where it was.

    A NaN counts as larger than any number. The gradient is that of max_pool2d.
    """
    y = np.empty((*x.shape[:2], *size), x.dtype)
    index = np.empty(y.shape, np.int32)
    for at, cells in windows(x.shape, size):
        plane = x[at[:2]]
        best = cells[0]
        for cell in cells[1:]:
            if plane[cell] > plane[best] or np.isnan(plane[cell]):
                best = cell
        y[at] = plane[best]
        index[at] = best[0] * x.shape[3] + best[1]
    return y, index


def adaptive_avg_pool2d(x: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """y (N, C, OH, OW): each window's mean."""
    y = np.empty((*x.shape[:2], *size), x.dtype)
    for at, cells in windows(x.shape, size):
        y[at] = sum(x[at[:2]][cell] for cell in cells) / x.dtype.type(len(cells))
    return y


def adaptive_avg_pool2d_gradient(dy: np.ndarray, x_shape: tuple[int, ...]) -> np.ndarray:
    """dx (N, C, H, W): each window's gradient in equal parts to its cells."""
    dx = np.zeros(x_shape, dy.dtype)
    for at, cells in windows(x_shape, dy.shape[2:]):
        for cell in cells:
            dx[at[:2]][cell] += dy[at] / dy.dtype.type(len(cells))
    return dx
