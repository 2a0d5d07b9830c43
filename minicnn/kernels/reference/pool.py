"""Pooling as its definition: look at every cell of every window."""

from collections.abc import Iterator

import numpy as np

from minicnn.kernels.geometry import Window

__all__ = ["avg_pool2d", "avg_pool2d_gradient", "max_pool2d", "max_pool2d_gradient"]


def windows(
    shape: tuple[int, ...], window: Window
) -> Iterator[tuple[tuple[int, ...], list[tuple[int, int]]]]:
    """The place of every result (n, c, oh, ow), and the cells (h, w) inside the plane that it looks at."""
    N, C, H, W = shape
    KH, KW, SH, SW, PT, PL, DH, DW = window.numbers()
    for n, c, oh, ow in np.ndindex(N, C, *window.output_size(H, W)):
        rows = [h for kh in range(KH) if 0 <= (h := oh * SH + kh * DH - PT) < H]
        columns = [w for kw in range(KW) if 0 <= (w := ow * SW + kw * DW - PL) < W]
        yield (n, c, oh, ow), [(h, w) for h in rows for w in columns]


def max_pool2d(x: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """y (N, C, OH, OW), each window's largest value, and index (int32), the first place h*W + w where it was.

    A NaN counts as larger than any number.
    """
    N, C, H, W = x.shape
    y = np.empty((N, C, *window.output_size(H, W)), x.dtype)
    index = np.empty(y.shape, np.int32)
    for at, cells in windows(x.shape, window):
        plane = x[at[:2]]
        best = cells[0]
        for cell in cells[1:]:
            if plane[cell] > plane[best] or np.isnan(plane[cell]):
                best = cell
        y[at] = plane[best]
        index[at] = best[0] * W + best[1]
    return y, index


def max_pool2d_gradient(dy: np.ndarray, index: np.ndarray, x_shape: tuple[int, ...]) -> np.ndarray:
    """dx (N, C, H, W): each window's gradient goes to the place its value came from."""
    dx = np.zeros(x_shape, dy.dtype)
    for n, c, oh, ow in np.ndindex(*dy.shape):
        dx[n, c].reshape(-1)[index[n, c, oh, ow]] += dy[n, c, oh, ow]
    return dx


def divisors(x_shape: tuple[int, ...], window: Window, count_include_pad: bool, divisor: int) -> np.ndarray:
    """What each window's sum is divided by (OH, OW): `divisor` unless 0, else the cells it has.

    With `count_include_pad` cells in the padding count, but not those beyond it, where ceil_mode may lead.
    """
    H, W = x_shape[2:]
    KH, KW, SH, SW, PT, PL, _, _ = window.numbers()
    _, bottom, _, right = window.padding
    counts = np.zeros(window.output_size(H, W), int)
    for oh, ow in np.ndindex(*counts.shape):
        top, left = oh * SH - PT, ow * SW - PL
        tall, wide = min(top + KH, H + bottom) - top, min(left + KW, W + right) - left
        if not count_include_pad:
            tall, wide = min(top + KH, H) - max(top, 0), min(left + KW, W) - max(left, 0)
        counts[oh, ow] = divisor or tall * wide
    return counts


def avg_pool2d(x: np.ndarray, window: Window, count_include_pad: bool, divisor: int) -> np.ndarray:
    """y (N, C, OH, OW): each window's mean, or its sum by `divisor` if that is not 0."""
    counts = divisors(x.shape, window, count_include_pad, divisor)
    y = np.empty((*x.shape[:2], *counts.shape), x.dtype)
    for at, cells in windows(x.shape, window):
        y[at] = sum(x[at[:2]][cell] for cell in cells) / x.dtype.type(counts[at[2:]])
    return y


def avg_pool2d_gradient(
    dy: np.ndarray, x_shape: tuple[int, ...], window: Window, count_include_pad: bool, divisor: int
) -> np.ndarray:
    """dx (N, C, H, W): each window's gradient in equal parts to its cells."""
    counts = divisors(x_shape, window, count_include_pad, divisor)
    dx = np.zeros(x_shape, dy.dtype)
    for at, cells in windows(x_shape, window):
        for cell in cells:
            dx[at[:2]][cell] += dy[at] / dy.dtype.type(counts[at[2:]])
    return dx
