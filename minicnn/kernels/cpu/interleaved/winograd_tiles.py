"""Interleaved pictures to and from the tiles of Winograd's minimal filtering, and its products.

The transforms are those of ../winograd_transforms.py, where a vector holds L channels of a pixel; here it
holds a channel of L pictures, which makes no difference to them. What they write lies as

    E (places, tiles, channels, L)         place e = r * a + s is row r, column s of a patch of a x a pixels

The gradient of a picture takes the same way back, through the transposed matrices: with

    Y = A' [(G g G') * (B' d B)] A         dd = B [(G g G') * (A dY A')] B'

and as patches overlap by two rows and columns, what they give is added up. So it has as many tiles as the
convolution; as a convolution with turned filters, 11x11 numbers of dY beside a border of zeros would make 16
tiles of 13x13 instead of 9.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import literally

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.simd import REGISTERS, hsum, load, load_part, noinline, splat, store, tile
from minicnn.kernels.cpu.transpose import STAGES, shuffle
from minicnn.kernels.cpu.winograd_transforms import (
    L,
    gradient_2,
    gradient_4,
    inline,
    input_2,
    input_4,
    output_2,
    output_4,
    transform_filter,
    vectors,
)

MR, NV = 8 if REGISTERS == 32 else 4, 2  # a tile of a product: MR rows of NV, or 3, vectors
DEPTH = 64  # channels summed in one go: longer sums round more


@inline
def spread_2(v, d, r):
    """d = B v"""
    v0, v1, v2, v3 = v[r, 0], v[r, 1], v[r, 2], v[r, 3]
    d[0, r] = v0
    d[1, r] = v1 - v2 + v3
    d[2, r] = v1 + v2 - v0
    d[3, r] = v3 * -1.0


@inline
def spread_4(v, d, r):
    """d = B v; a, b, c, e, p, q are those of input_4, taken backwards."""
    v0, v1, v2, v3, v4, v5 = v[r, 0], v[r, 1], v[r, 2], v[r, 3], v[r, 4], v[r, 5]
    b, c = v1 - v2 - v5, v0 + v1 + v2
    p, q = v3 * 2.0 - v4 * 0.5, v3 + v4
    d[0, r] = v0
    d[1, r] = v0 * -1.5 - b - p
    d[2, r] = b * 1.5 - v0 - c - q
    d[3, r] = c * 1.5 + b - v5 + p
    d[4, r] = v5 * 1.5 + c + q
    d[5, r] = v5


def to_places(formula: Callable, n: int, m: int, a: int) -> Any:
    """A kernel that transforms rows of tiles, n x n vectors in steps of m, to E (a*a, tiles, C, L).

    They are those of x (C, H, W, L) from tile row `row` on, where tile row 0 begins at (-top, -left); what is
    outside of x is zero. half (a, columns, L) is a scratch: as tiles overlap, whole columns come first.
    """

    @inline
    def kernel(x, row, rows, across, top, left, half, E):
        C, H, W, _ = x.shape
        source, result = tile(1, n, x), tile(a, 1, x)
        for c in range(C):
            for t in range(rows):
                i = (row + t) * m - top
                whole = 0 <= i <= H - n
                for w in range(across * m + n - m):
                    inside = 0 <= w - left < W
                    if inside and whole:
                        for r in range(n):
                            source[0, r] = load(x, c, i + r, w - left, 0)
                    else:
                        j = min(max(w - left, 0), W - 1)
                        for r in range(n):
                            filled = L if inside and 0 <= i + r < H else 0
                            source[0, r] = load_part(filled, x, c, min(max(i + r, 0), H - 1), j, 0)
                    formula(source, result, 0)
                    for r in range(a):
                        store(half, r, w, 0, result[r, 0])
                for r in range(a):
                    for s in range(across):
                        for k in range(n):
                            source[0, k] = load(half, r, s * m + k, 0)
                        formula(source, result, 0)
                        for k in range(a):
                            store(E, r * a + k, t * across + s, c, 0, result[k, 0])

    return kernel


def from_places(formula: Callable, m: int, a: int) -> Any:
    """A kernel that transforms E (a*a, tiles, O, L) to rows of tiles of y (O, R, OW, L), and adds bias (O).

    It returns 0, or NaN if a number is not finite.
    """

    @inline
    def kernel(E, rows, across, half, bias, y):
        O, R, OW, _ = y.shape
        source, result = tile(1, a, E), tile(m, 1, E)
        finite = load_part(0, E, 0, 0, 0, 0)
        for o in range(O):
            for t in range(rows):
                for r in range(a):
                    for s in range(across):
                        for k in range(a):
                            source[0, k] = load(E, r * a + k, t * across + s, o, 0)
                        formula(source, result, 0)
                        for k in range(m):
                            store(half, r, s * m + k, 0, result[k, 0])
                for w in range(OW):
                    for r in range(a):
                        source[0, r] = load(half, r, w, 0)
                    formula(source, result, 0)
                    for r in range(m):
                        if t * m + r < R:
                            v = result[r, 0] + bias[o]
                            finite += v * 0.0
                            store(y, o, t * m + r, w, 0, v)
        return hsum(finite)

    return kernel


def back_from_places(formula: Callable, m: int, a: int) -> Any:
    """A kernel that transforms E (a*a, tiles, C, L) to patches of dx (C, H, W, L), and adds up what overlaps.

    The patches are those that `to_places` cuts. carry (C, 2, W, L) takes what they add to the next row of
    tiles. The kernel returns 0 or NaN as above.
    """

    @inline
    def kernel(E, row, rows, across, top, left, last, half, carry, dx):
        C, H, W, _ = dx.shape
        source, result = tile(1, a, E), tile(a, 1, E)
        zero = load_part(0, E, 0, 0, 0, 0)
        finite = zero
        for c in range(C):
            for t in range(rows):
                for r in range(a):
                    before, beside = zero, zero
                    for s in range(across):
                        for k in range(a):
                            source[0, k] = load(E, r * a + k, t * across + s, c, 0)
                        formula(source, result, 0)
                        store(half, r, s * m, 0, result[0, 0] + before)
                        store(half, r, s * m + 1, 0, result[1, 0] + beside)
                        for k in range(2, m):
                            store(half, r, s * m + k, 0, result[k, 0])
                        before, beside = result[m, 0], result[m + 1, 0]
                    store(half, r, across * m, 0, before)
                    store(half, r, across * m + 1, 0, beside)
                i = (row + t) * m - top
                complete = a if row + t == last else m
                for w in range(W):
                    for r in range(a):
                        source[0, r] = load(half, r, left + w, 0)
                    formula(source, result, 0)
                    for r in range(2):
                        result[r, 0] += load(carry, c, r, w, 0)
                        store(carry, c, r, w, 0, result[m + r, 0])
                    for r in range(a):
                        if r < complete and 0 <= i + r < H:
                            finite += result[r, 0] * 0.0
                            store(dx, c, i + r, w, 0, result[r, 0])
        return hsum(finite)

    return kernel


def either(two: Any, four: Any) -> Any:
    """One kernel for both sizes, with m as its first argument."""

    @jit
    def kernel(m, *arguments):
        if m == 4:
            return four(*arguments)
        return two(*arguments)

    return kernel


input_tiles = either(to_places(input_2, 4, 2, 4), to_places(input_4, 6, 4, 6))
gradient_tiles = either(to_places(gradient_2, 2, 2, 4), to_places(gradient_4, 4, 4, 6))
output_tiles = either(from_places(output_2, 2, 4), from_places(output_4, 4, 6))
patches = either(back_from_places(spread_2, 2, 4), back_from_places(spread_4, 4, 6))


@jit
def places(m, tiles, channels):
    """Room for E (a*a, tiles, channels, L), with odd strides: even ones would share places in the cache."""
    shape = (m + 2) ** 2, max(tiles, NV) | 1, channels | 1, L
    memory = np.empty(shape[0] * shape[1] * shape[2] * L + L, np.float32)
    first = -(memory.ctypes.data // 4) % L
    return memory[first : memory.size - L + first].reshape(shape)


@jit
def transform_filters(weight, turned, m, U, begin, end):
    """U (panels, a*a, 1, C, L) = G g G' for some panels of L filters of weight (O, C, 9).

    Turned, they are panels of its channels instead, U (panels, a*a, 1, O, L).
    """
    O, C, _ = weight.shape
    K, J = (O, C) if turned else (C, O)
    taps = vectors(K, 3, 3)
    for panel in range(begin, end):
        for lane in range(min(L, J - panel * L)):
            for k in range(K):
                g = weight[k, panel * L + lane] if turned else weight[panel * L + lane, k]
                for tap in range(9):
                    taps[k, tap // 3, tap % 3, lane] = g[tap]
        for k in range(K):
            transform_filter(m, taps[k], 0, 0, U[panel], 0, k)


@jit
def product(width, U, V, M, C, O, panel, first, last):
    """M[:, first:last, :O] = U[panel:] V[:, first:last, :C], MR channels and some tiles at once."""
    noinline()
    for e in range(len(V)):
        for o in range(0, O, MR):
            for p in range(first, last, width):
                for begin in range(0, C, DEPTH):
                    acc = tile(MR, literally(width), V)
                    for k in range(begin, min(begin + DEPTH, C)):
                        for r in range(MR):
                            u = splat(U, panel + o // L, e, 0, k, o % L + r)
                            for c in range(width):
                                acc[r, c] += u * load(V, e, p + c, k, 0)
                    for r in range(MR):
                        for c in range(width):
                            if begin > 0:
                                acc[r, c] += load(M, e, p + c, o + r, 0)
                            store(M, e, p + c, o + r, 0, acc[r, c])


@jit
def products(U, V, M, C, O, panel, tiles):
    """The same for all tiles: by two, and before that by three, if their number is odd."""
    odd = 3 if tiles % 2 == 1 and tiles > 1 else 0
    if odd:
        product(3, U, V, M, C, O, panel, 0, odd)
    product(2, U, V, M, C, O, panel, odd, tiles)


@jit
def turn(V, C, tiles):
    """Each block of L channels, a vector of L pictures for each, to L pictures, a vector of L channels."""
    noinline()
    block, other = tile(L, 1, V), tile(L, 1, V)
    for e in range(len(V)):
        for p in range(tiles):
            for first in range(0, C, L):
                for i in range(L):
                    block[i, 0] = load_part(L if first + i < C else 0, V, e, p, first + i, 0)
                for _ in range(STAGES):
                    shuffle(block, other)
                for i in range(L):
                    store(V, e, p, first + i, 0, block[i, 0])


@jit
def outer_products(V, M, U, C, O, tiles, more):
    """U (E, blocks of C, O, L) (+)= the products of M (E, tiles, O, L) and turned V, summed over pictures."""
    noinline()
    for e in range(len(V)):
        for block in range(0, C, NV * L):
            for o in range(0, O, MR):
                acc = tile(MR, NV, V)
                for p in range(tiles):
                    for k in range(L):
                        for r in range(MR):
                            v = splat(M, e, p, o + r, k)
                            for c in range(NV):
                                acc[r, c] += v * load(V, e, p, block + c * L + k, 0)
                for r in range(MR):
                    for c in range(NV):
                        if more:
                            acc[r, c] += load(U, e, block // L + c, o + r, 0)
                        store(U, e, block // L + c, o + r, 0, acc[r, c])
