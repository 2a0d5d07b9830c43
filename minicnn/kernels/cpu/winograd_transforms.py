"""The transforms of Winograd's minimal filtering, F(2x2, 3x3) and F(4x4, 3x3), on vectors of channels.

A 3-tap filter g over m + 2 numbers d gives m results with m + 2 products (Lavin and Gray 2016):

    y = A' [(G g) * (B' d)]            in two dimensions            Y = A' [(G g G') * (B' d B)] A

Filters and numbers are polynomials here, evaluated at m + 1 points and at infinity, multiplied there, and
interpolated again. For m = 2 the points are 0, 1, -1:

    B' = 1  0 -1  0      G =  1    0    0       A' = 1  1  1  0
         0  1  1  0          1/2  1/2  1/2           0  1 -1 -1
         0 -1  1  0          1/2 -1/2  1/2
         0  1  0 -1           0    0    1

For m = 4 they are 0, 1, -1, 1/2, -2, whose largest error is half that of the paper's 0, 1, -1, 2, -2
(Barabasz et al. 2020):

    B' = 1 -3/2  -2   3/2   1   0     G =    1       0       0        A' = 1  1  1   1   1  0
         0  -1   1/2  5/2   1   0           1/3     1/3     1/3            0  1 -1  1/2 -2  0
         0   1  -5/2  1/2   1   0          -1/3     1/3    -1/3            0  1  1  1/4  4  0
         0  -2   -1    2    1   0        -16/15   -8/15   -4/15            0  1 -1  1/8 -8  1
         0  1/2  -1  -1/2   1   0          1/15   -2/15    4/15
         0   1  -3/2  -2   3/2  1            0       0       1

The weight gradient needs the same matrices the other way round: dg = G' sum of (A dY A') * (B' d B) G.

Each formula below takes row r of a tile through one matrix, and writes the result as column r of another
tile. Done to all rows, and then to all rows of that result, it is the transform in two dimensions.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minicnn.kernels.cpu.jit import inner, kernel
from minicnn.kernels.cpu.scratch import zeros
from minicnn.kernels.cpu.simd import hsum, load, load_part, maximum, noinline, store, store_part, tile
from minicnn.kernels.cpu.transpose import LANES, STAGES, shuffle

L = LANES  # numbers in a vector of float32
POINTS = {2: (0.0, 1.0, -1.0), 4: (0.0, 1.0, -1.0, 0.5, -2.0)}  # of F(m x m), beside infinity


@inner
def input_2(d, v, r):
    """v = B' d"""
    d0, d1, d2, d3 = d[r, 0], d[r, 1], d[r, 2], d[r, 3]
    v[0, r] = d0 - d2
    v[1, r] = d1 + d2
    v[2, r] = d2 - d1
    v[3, r] = d1 - d3


@inner
def filter_2(g, u, r):
    """u = G g"""
    g0, g1, g2 = g[r, 0], g[r, 1], g[r, 2]
    ends, middle = (g0 + g2) * 0.5, g1 * 0.5
    u[0, r] = g0
    u[1, r] = ends + middle
    u[2, r] = ends - middle
    u[3, r] = g2


@inner
def output_2(m, y, r):
    """y = A' m"""
    m0, m1, m2, m3 = m[r, 0], m[r, 1], m[r, 2], m[r, 3]
    y[0, r] = m0 + (m1 + m2)
    y[1, r] = (m1 - m2) - m3


@inner
def gradient_2(y, m, r):
    """m = A y"""
    y0, y1 = y[r, 0], y[r, 1]
    m[0, r] = y0
    m[1, r] = y0 + y1
    m[2, r] = y0 - y1
    m[3, r] = y1 * -1.0


@inner
def filter_gradient_2(u, g, r):
    """g = G' u"""
    u0, u1, u2, u3 = u[r, 0], u[r, 1], u[r, 2], u[r, 3]
    half = (u1 + u2) * 0.5
    g[0, r] = u0 + half
    g[1, r] = (u1 - u2) * 0.5
    g[2, r] = half + u3


@inner
def input_4(d, v, r):
    """v = B' d; a, b, c, e are d times x^2 + 3/2 x - 1, a factor of all rows for the points 0, 1, -1."""
    d0, d1, d2, d3, d4, d5 = d[r, 0], d[r, 1], d[r, 2], d[r, 3], d[r, 4], d[r, 5]
    a, b = d1 * 1.5 + (d2 - d0), d2 * 1.5 + (d3 - d1)
    c, e = d3 * 1.5 + (d4 - d2), d4 * 1.5 + (d5 - d3)
    p, q = d3 - d1, d4 - d2
    v[0, r] = c - a
    v[1, r] = c + b
    v[2, r] = c - b
    v[3, r] = p * 2.0 + q
    v[4, r] = p * -0.5 + q
    v[5, r] = e - b


@inner
def filter_4(g, u, r):
    """u = G g"""
    g0, g1, g2 = g[r, 0], g[r, 1], g[r, 2]
    ends = g0 + g2
    u[0, r] = g0
    u[1, r] = (ends + g1) * (1 / 3)
    u[2, r] = (ends - g1) * (-1 / 3)
    u[3, r] = (g0 * 4.0 + g1 * 2.0 + g2) * (-4 / 15)
    u[4, r] = (g0 - g1 * 2.0 + g2 * 4.0) * (1 / 15)
    u[5, r] = g2


@inner
def output_4(m, y, r):
    """y = A' m"""
    m0, m1, m2, m3, m4, m5 = m[r, 0], m[r, 1], m[r, 2], m[r, 3], m[r, 4], m[r, 5]
    p, q = m1 + m2, m1 - m2
    y[0, r] = (m0 + p) + (m3 + m4)
    y[1, r] = q + m3 * 0.5 - m4 * 2.0
    y[2, r] = p + m3 * 0.25 + m4 * 4.0
    y[3, r] = (q + m5) + m3 * 0.125 - m4 * 8.0


@inner
def gradient_4(y, m, r):
    """m = A y"""
    y0, y1, y2, y3 = y[r, 0], y[r, 1], y[r, 2], y[r, 3]
    p, q = y0 + y2, y1 + y3
    m[0, r] = y0
    m[1, r] = p + q
    m[2, r] = p - q
    m[3, r] = (y0 + y2 * 0.25) + (y1 + y3 * 0.25) * 0.5
    m[4, r] = (y0 + y2 * 4.0) - (y1 + y3 * 4.0) * 2.0
    m[5, r] = y3


@inner
def filter_gradient_4(u, g, r):
    """g = G' u"""
    u0, u1, u2, u3, u4, u5 = u[r, 0], u[r, 1], u[r, 2], u[r, 3], u[r, 4], u[r, 5]
    p, q = (u1 + u2) * (1 / 3), (u1 - u2) * (1 / 3)
    s, t = u3 * (4 / 15), u4 * (1 / 15)
    g[0, r] = u0 + q - s * 4.0 + t
    g[1, r] = p - s * 2.0 - t * 2.0
    g[2, r] = u5 + q - s + t * 4.0


def either(two: Any, four: Any) -> Any:
    """One kernel for both sizes, with points as first argument: only the size they are for is compiled."""

    @inner
    def kernel(points, *arguments):
        if len(points) == 5:
            four(*arguments)
        else:
            two(*arguments)

    return kernel


def to_places(formula: Callable, n: int, a: int) -> Any:
    """A kernel that transforms the n x n vectors of a grid (rows, columns, L) from (i, j) on.

    The a x a results go to E[b, :, t] (blocks, a*a, rows, L): one matrix for each.
    """

    @inner
    def kernel(grid, i, j, E, b, t):
        source, half, result = tile(a, a, grid), tile(a, a, grid), tile(a, a, grid)
        for s in range(n):
            for r in range(n):
                source[s, r] = load(grid, i + r, j + s, 0)
            formula(source, half, s)
        for r in range(a):
            formula(half, result, r)
            for s in range(a):
                store(E, b, r * a + s, t, 0, result[s, r])

    return kernel


def from_places(formula: Callable, a: int, n: int) -> Any:
    """The way back: a kernel that transforms E[b, :, t] to n x n vectors of a grid."""

    @inner
    def kernel(E, b, t, grid, i, j):
        source, half, result = tile(a, a, grid), tile(a, a, grid), tile(a, a, grid)
        for s in range(a):
            for r in range(a):
                source[s, r] = load(E, b, r * a + s, t, 0)
            formula(source, half, s)
        for r in range(n):
            formula(half, result, r)
            for s in range(n):
                store(grid, i + r, j + s, 0, result[s, r])

    return kernel


transform_input = either(to_places(input_2, 4, 4), to_places(input_4, 6, 6))
transform_filter = either(to_places(filter_2, 3, 4), to_places(filter_4, 3, 6))
transform_gradient = either(to_places(gradient_2, 2, 4), to_places(gradient_4, 4, 6))
transform_output = either(from_places(output_2, 4, 2), from_places(output_4, 6, 4))
transform_filter_gradient = either(from_places(filter_gradient_2, 4, 3), from_places(filter_gradient_4, 6, 3))


# Strips: rows of L channels of a picture as a grid (rows, columns, L), and the picture again

MARGIN = 2  # columns before the picture, room for its padding


@inner
def vectors(shape):
    """Zeros (three of them, L), each vector in a cache line of its own."""
    return zeros((shape[0], shape[1], shape[2], L), np.float32)


@inner
def read_block(picture, b, h, w, grid, r, s):
    """grid[r, s:s+L] = the L pixels of picture (C, H, W) from (h, w) on, channels bL to bL + L."""
    noinline()
    C, _, W = picture.shape
    t, other = tile(L, 1, grid), tile(L, 1, grid)
    for i in range(L):
        c = b * L + i
        t[i, 0] = load_part(min(W - w, L) if c < C else 0, picture, min(c, C - 1), h, w)
    for _ in range(STAGES):
        shuffle(t, other)
    for i in range(L):
        store(grid, r, s + i, 0, t[i, 0])


@inner
def write_block(grid, r, s, bias, b, floor, picture, h, w):
    """The way back, with bias[b] added, and nothing below the floor; 0, or NaN if a number is not finite."""
    noinline()
    C, _, W = picture.shape
    t, other = tile(L, 1, grid), tile(L, 1, grid)
    offset, lowest = load(bias, b, 0), load_part(0, bias, b, 0) + floor
    finite = offset * 0.0
    for i in range(L):
        v = load(grid, r, s + i, 0) + offset
        finite += v * 0.0
        t[i, 0] = maximum(lowest, v)  # v, if it is NaN
    for _ in range(STAGES):
        shuffle(t, other)
    for i in range(L):
        c = b * L + i
        store_part(min(W - w, L) if c < C else 0, picture, min(c, C - 1), h, w, t[i, 0])
    return hsum(finite)


@inner
def read_strip(picture, b, row0, rows, grid):
    """grid[:rows, MARGIN:] = rows row0 to row0 + rows of picture (C, H, W), channels bL to bL + L.

    Rows outside of the picture are zeros, as is what stands beside it.
    """
    _, H, W = picture.shape
    for r in range(rows):
        if 0 <= row0 + r < H:
            for w in range(0, W, L):
                read_block(picture, b, row0 + r, w, grid, r, MARGIN + w)
        else:
            grid[r] = 0


@inner
def write_strip(grid, bias, b, floor, picture, row0, rows):
    """Rows row0 to row0 + rows of picture = grid[:rows], where it has such rows; 0, or NaN as above."""
    _, H, W = picture.shape
    finite = np.float32(0)
    for r in range(min(rows, H - row0)):
        for w in range(0, W, L):
            finite += write_block(grid, r, w, bias, b, floor, picture, row0 + r, w)
    return finite


@inner
def strip(rows, across, W, m):
    """A grid for `rows` tile rows, `across` in each, and for pictures W wide."""
    columns = MARGIN + max(across * m + 2, (W + L - 1) // L * L)
    return vectors((1, rows * m + 2, columns))[0]


# Filters, which lie in memory as pictures of one row, nine numbers for each channel


@inner
def transform_filters(filters, turned, panel, begin, end, points, U):
    """U (blocks, a*a, rows, L) = G g G' for the filters from channels begin to end to a panel of channels.

    filters is (1, O, 1, 9*C); or, to be turned upside down and back to front, (C, O, 1, 9).
    """
    line, grid = vectors((1, 1, 9 * L + L))[0], vectors((1, 3, 3))[0]
    for b in range(len(U)):
        o = panel * len(U) + b
        for first in range(begin, end, L):
            count = min(L, end - first)
            if turned:
                for f in range(count):  # what is read past a filter, the next one overwrites
                    for w in range(0, 9, L):
                        read_block(filters[first + f], o, 0, w, line, 0, 9 * f + w)
            else:
                for w in range(0, 9 * count, L):
                    read_block(filters[0], o, 0, 9 * first + w, line, 0, w)
            for f in range(count):
                for tap in range(9):
                    place = 8 - tap if turned else tap
                    store(grid, place // 3, place % 3, 0, load(line, 0, 9 * f + tap, 0))
                transform_filter(points, grid, 0, 0, U, b, first + f - begin)


@kernel
def transform_all_filters(filters, turned, first, last, points, U, begin, end):
    """U (panels, blocks, a*a, channels, L) for some panels, and the channels from first to last."""
    for panel in range(begin, end):
        transform_filters(filters, turned, panel, first, last, points, U[panel])


@inner
def add_filters(U, points, sums, more):
    """sums (blocks, channels, 9, L) (+)= G' U G, the gradients of as many filters."""
    grid = vectors((1, 3, 3))[0]
    for b in range(sums.shape[0]):
        for c in range(sums.shape[1]):
            transform_filter_gradient(points, U, b, c, grid, 0, 0)
            for tap in range(9):
                before = load_part(L if more else 0, sums, b, c, tap, 0)
                store(sums, b, c, tap, 0, before + load(grid, tap // 3, tap % 3, 0))
