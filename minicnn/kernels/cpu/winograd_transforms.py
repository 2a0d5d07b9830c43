"""The transforms of Winograd's minimal filtering, F(2x2, 3x3) and F(4x4, 3x3), on vectors of channels.

A 3-tap filter g over m + 2 numbers d gives m results with m + 2 products (Lavin and Gray 2016):

    y = A' [(G g) * (B' d)]            in two dimensions            Y = A' [(G g G') * (B' d B)] A

Filters and numbers are polynomials here, evaluated at m + 1 points and at infinity, multiplied there, and
interpolated again. For m = 2 the points are 0, 1, -1:

    B' = 1  0 -1  0      G =  1    0    0       A' = 1  1  1  0
         0  1  1  0          1/2  1/2  1/2           0  1 -1 -1
         0 -1  1  0          1/2 -1/2  1/2
         0  1  0 -1           0    0    1

For m = 4 they are 0, 1, -1, 1/2, -2, which round two to three times less than the paper's 0, 1, -1, 2, -2
(Barabasz et al. 2020):

    B' = 1  3/2  -2  -3/2   1   0     G =    1       0       0        A' = 1  1  1   1   1  0
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

import numba

from minicnn.kernels.cpu.jit import OPTIONS
from minicnn.kernels.cpu.simd import load, store, tile

inline = numba.njit(**OPTIONS)  # compiled as part of the kernels that use it, which are cached


@inline
def input_2(d, v, r):
    """v = B' d"""
    d0, d1, d2, d3 = d[r, 0], d[r, 1], d[r, 2], d[r, 3]
    v[0, r] = d0 - d2
    v[1, r] = d1 + d2
    v[2, r] = d2 - d1
    v[3, r] = d1 - d3


@inline
def filter_2(g, u, r):
    """u = G g"""
    g0, g1, g2 = g[r, 0], g[r, 1], g[r, 2]
    ends, middle = (g0 + g2) * 0.5, g1 * 0.5
    u[0, r] = g0
    u[1, r] = ends + middle
    u[2, r] = ends - middle
    u[3, r] = g2


@inline
def output_2(m, y, r):
    """y = A' m"""
    m0, m1, m2, m3 = m[r, 0], m[r, 1], m[r, 2], m[r, 3]
    y[0, r] = m0 + (m1 + m2)
    y[1, r] = (m1 - m2) - m3


@inline
def gradient_2(y, m, r):
    """m = A y"""
    y0, y1 = y[r, 0], y[r, 1]
    m[0, r] = y0
    m[1, r] = y0 + y1
    m[2, r] = y0 - y1
    m[3, r] = y1 * -1.0


@inline
def filter_gradient_2(u, g, r):
    """g = G' u"""
    u0, u1, u2, u3 = u[r, 0], u[r, 1], u[r, 2], u[r, 3]
    half = (u1 + u2) * 0.5
    g[0, r] = u0 + half
    g[1, r] = (u1 - u2) * 0.5
    g[2, r] = half + u3


@inline
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


@inline
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


@inline
def output_4(m, y, r):
    """y = A' m"""
    m0, m1, m2, m3, m4, m5 = m[r, 0], m[r, 1], m[r, 2], m[r, 3], m[r, 4], m[r, 5]
    p, q = m1 + m2, m1 - m2
    y[0, r] = (m0 + p) + (m3 + m4)
    y[1, r] = q + m3 * 0.5 - m4 * 2.0
    y[2, r] = p + m3 * 0.25 + m4 * 4.0
    y[3, r] = (q + m5) + m3 * 0.125 - m4 * 8.0


@inline
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


@inline
def filter_gradient_4(u, g, r):
    """g = G' u"""
    u0, u1, u2, u3, u4, u5 = u[r, 0], u[r, 1], u[r, 2], u[r, 3], u[r, 4], u[r, 5]
    p, q = (u1 + u2) * (1 / 3), (u1 - u2) * (1 / 3)
    s, t = u3 * (4 / 15), u4 * (1 / 15)
    g[0, r] = u0 + q - s * 4.0 + t
    g[1, r] = p - s * 2.0 - t * 2.0
    g[2, r] = u5 + q - s + t * 4.0


def to_components(formula: Callable, n: int, a: int) -> Any:
    """A kernel that transforms the n x n vectors of a grid (rows, columns, L) from (i, j) on.

    The a x a results go to E[:, b, t] (a*a, blocks, rows, L): one matrix for each.
    """

    @inline
    def kernel(grid, i, j, E, b, t):
        source, half, result = tile(n, n, grid), tile(a, n, grid), tile(a, a, grid)
        for s in range(n):
            for r in range(n):
                source[s, r] = load(grid, i + r, j + s, 0)
            formula(source, half, s)
        for r in range(a):
            formula(half, result, r)
            for s in range(a):
                store(E, r * a + s, b, t, 0, result[s, r])

    return kernel


def from_components(formula: Callable, a: int, n: int) -> Any:
    """The way back: a kernel that transforms E[:, b, t] to n x n vectors of a grid."""

    @inline
    def kernel(E, b, t, grid, i, j):
        source, half, result = tile(a, a, grid), tile(n, a, grid), tile(n, n, grid)
        for s in range(a):
            for r in range(a):
                source[s, r] = load(E, r * a + s, b, t, 0)
            formula(source, half, s)
        for r in range(n):
            formula(half, result, r)
            for s in range(n):
                store(grid, i + r, j + s, 0, result[s, r])

    return kernel
