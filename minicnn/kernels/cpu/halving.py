"""Pooling by cells of 2x2, side by side: the one that halves a picture. Each number is read once.

The general way (pool.py) brings the taps of all windows into rows first, which here costs more than the rest.
"""

import numpy as np

from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.scratch import reshape, scratch
from minicnn.kernels.cpu.simd import stretch


@kernel
def largest(x, base, y, index, begin, end):
    """y and index (N, C, OH, OW): the largest number in each cell of x (N, C, H, W), and its place there.

    base (OH, OW) is where the cells begin in the plane; some of the N*C planes.
    """
    (N, C, H, W), (OH, OW), cells = x.shape, base.shape, base.size
    planes, start = reshape(x, (N * C, H, W)), reshape(base, cells)
    bests, places = reshape(y, (N * C, cells)), reshape(index, (N * C, cells))
    W = np.int32(W)
    taps = scratch((4, cells), x.dtype)
    a, b, c, d = taps[0], taps[1], taps[2], taps[3]  # the four numbers of a cell
    for p in range(begin, end):
        for i in range(OH):
            for down in range(2):
                row = planes[p, 2 * i + down]
                left, right = stretch(OW, taps, 2 * down, i * OW), stretch(OW, taps, 2 * down + 1, i * OW)
                for j in range(OW):
                    left[j], right[j] = row[2 * j], row[2 * j + 1]
        best, where = bests[p], places[p]
        for j in range(cells):  # no branch, so that this runs in vectors; a NaN is larger than any number
            upper_right = (b[j] > a[j]) | (b[j] != b[j])
            upper = b[j] if upper_right else a[j]
            lower_right = (d[j] > c[j]) | (d[j] != d[j])
            lower = d[j] if lower_right else c[j]
            below = (lower > upper) | (lower != lower)
            best[j] = lower if below else upper
            where[j] = start[j] + (W + np.int32(lower_right) if below else np.int32(upper_right))


@kernel
def mean(x, scale, y, begin, end):
    """y (P, OH, OW): the sum of each cell of x (P, H, W), times a scale."""
    _, OH, OW = y.shape
    for p in range(begin, end):
        for i in range(OH):
            upper, lower, out = x[p, 2 * i], x[p, 2 * i + 1], y[p, i]
            for j in range(OW):
                out[j] = (upper[2 * j] + upper[2 * j + 1] + lower[2 * j] + lower[2 * j + 1]) * scale


@kernel
def mean_gradient(dy, scale, dx, begin, end):
    """dx (P, H, W): dy (P, OH, OW) times a scale for each of a cell's numbers, and 0 outside the cells."""
    _, H, W = dx.shape
    _, OH, OW = dy.shape
    for p in range(begin, end):
        for i in range(OH):
            grad, upper, lower = dy[p, i], dx[p, 2 * i], dx[p, 2 * i + 1]
            for j in range(OW):
                g = grad[j] * scale
                upper[2 * j], upper[2 * j + 1] = g, g
            upper[2 * OW :] = 0
            for w in range(W):  # `lower[:] = upper` would compile two seconds longer, for its error message
                lower[w] = upper[w]
        dx[p, 2 * OH :] = 0
