"""Interleaved pictures to and from the tiles of Winograd's F(4x4, 3x3), and the products of these.

The matrices are those of ../winograd_transforms.py, where a vector holds L channels of a pixel; here it holds
a channel of L pictures, which makes no difference to them. What they make of patches of 6 x 6 pixels lies as

    E (places, tiles, channels, L)         place r * 6 + s is row r, column s of the patch

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

from minicnn.kernels.cpu.jit import inner, kernel
from minicnn.kernels.cpu.scratch import scratch
from minicnn.kernels.cpu.simd import REGISTERS, hsum, load, load_part, noinline, splat, store, tile
from minicnn.kernels.cpu.transpose import STAGES, shuffle
from minicnn.kernels.cpu.winograd_transforms import (
    L,
    filter_4,
    filter_gradient_4,
    gradient_4,
    input_4,
    output_4,
    vectors,
)

STEP, PATCH = 4, 6  # pixels from tile to tile, and across the patches they come from
MR, NV = 8 if REGISTERS == 32 else 4, 2  # a tile of a product: MR rows of NV, or 3, vectors
DEPTH = 64  # channels, or pictures of tiles, summed in one go: longer sums round more


@inner
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


def to_places(formula: Callable, n: int) -> Any:
    """A kernel that transforms rows of tiles, n x n vectors STEP apart, to E (places, tiles, C, L).

    They are those of x (C, H, W, L) from tile row `row` on, where tile row 0 begins at (-top, -left); what is
    outside of x is zero. half (PATCH, columns, L) is a scratch: as tiles overlap, whole columns come first.
    """

    @inner
    def kernel(x, row, rows, across, top, left, half, E):
        C, H, W, _ = x.shape
        source, result = tile(1, n, x), tile(PATCH, 1, x)
        for c in range(C):
            for t in range(rows):
                i = (row + t) * STEP - top
                whole = 0 <= i <= H - n
                for w in range(across * STEP + n - STEP):
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
                    for r in range(PATCH):
                        store(half, r, w, 0, result[r, 0])
                for r in range(PATCH):
                    for s in range(across):
                        for k in range(n):
                            source[0, k] = load(half, r, s * STEP + k, 0)
                        formula(source, result, 0)
                        for k in range(PATCH):
                            store(E, r * PATCH + k, t * across + s, c, 0, result[k, 0])

    return kernel


@inner
def output_tiles(E, rows, across, half, bias, y):
    """y (O, R, OW, L) = rows of tiles of E (places, tiles, O, L), and bias (O).

    It returns 0, or NaN if a number is not finite.
    """
    O, R, OW, _ = y.shape
    source, result = tile(1, PATCH, E), tile(STEP, 1, E)
    finite = load_part(0, E, 0, 0, 0, 0)
    for o in range(O):
        for t in range(rows):
            for r in range(PATCH):
                for s in range(across):
                    for k in range(PATCH):
                        source[0, k] = load(E, r * PATCH + k, t * across + s, o, 0)
                    output_4(source, result, 0)
                    for k in range(STEP):
                        store(half, r, s * STEP + k, 0, result[k, 0])
            for w in range(OW):
                for r in range(PATCH):
                    source[0, r] = load(half, r, w, 0)
                output_4(source, result, 0)
                for r in range(STEP):
                    if t * STEP + r < R:
                        v = result[r, 0] + bias[o]
                        finite += v * 0.0
                        store(y, o, t * STEP + r, w, 0, v)
    return hsum(finite)


@inner
def add_patches(E, row, rows, across, top, left, last, half, carry, dx):
    """dx (C, H, W, L) = the sum of the patches of E (places, tiles, C, L), some rows; returns 0 or NaN, too.

    They are those that `input_tiles` cuts. carry (C, 2, W, L) takes what they add to the next row of tiles.
    """
    C, H, W, _ = dx.shape
    source, result = tile(1, PATCH, E), tile(PATCH, 1, E)
    zero = load_part(0, E, 0, 0, 0, 0)
    finite = zero
    for c in range(C):
        for t in range(rows):
            for r in range(PATCH):
                before, beside = zero, zero
                for s in range(across):
                    for k in range(PATCH):
                        source[0, k] = load(E, r * PATCH + k, t * across + s, c, 0)
                    spread_4(source, result, 0)
                    store(half, r, s * STEP, 0, result[0, 0] + before)
                    store(half, r, s * STEP + 1, 0, result[1, 0] + beside)
                    for k in range(2, STEP):
                        store(half, r, s * STEP + k, 0, result[k, 0])
                    before, beside = result[STEP, 0], result[STEP + 1, 0]
                store(half, r, across * STEP, 0, before)
                store(half, r, across * STEP + 1, 0, beside)
            i = (row + t) * STEP - top
            complete = PATCH if row + t == last else STEP
            for w in range(W):
                for r in range(PATCH):
                    source[0, r] = load(half, r, left + w, 0)
                spread_4(source, result, 0)
                for r in range(2):
                    result[r, 0] += load(carry, c, r, w, 0)
                    store(carry, c, r, w, 0, result[STEP + r, 0])
                for r in range(PATCH):
                    if r < complete and 0 <= i + r < H:
                        finite += result[r, 0] * 0.0
                        store(dx, c, i + r, w, 0, result[r, 0])
    return hsum(finite)


input_tiles = to_places(input_4, PATCH)
gradient_tiles = to_places(gradient_4, STEP)


@inner
def places(tiles, channels):
    """Room for E (places, tiles, channels, L), its strides odd: even ones would share places in the cache."""
    return scratch((PATCH * PATCH, max(tiles, NV) | 1, channels | 1, L), np.float32)


@kernel
def transform_filters(weight, turned, U, begin, end):
    """U (panels, places, C, L) = G g G' for some panels of L filters of weight (O, C, 9).

    Turned, they are panels of its channels instead, U (panels, places, O, L).
    """
    O, C, _ = weight.shape
    K, J = (O, C) if turned else (C, O)
    taps, half = vectors((1, K, 9))[0], vectors((1, PATCH, 3))[0]
    source, result = tile(1, 3, U), tile(PATCH, 1, U)
    for panel in range(begin, end):
        for lane in range(min(L, J - panel * L)):
            for k in range(K):
                g = weight[k, panel * L + lane] if turned else weight[panel * L + lane, k]
                for tap in range(9):
                    taps[k, tap, lane] = g[tap]
        for k in range(K):
            for s in range(3):
                for r in range(3):
                    source[0, r] = load(taps, k, r * 3 + s, 0)
                filter_4(source, result, 0)
                for r in range(PATCH):
                    store(half, r, s, 0, result[r, 0])
            for r in range(PATCH):
                for s in range(3):
                    source[0, s] = load(half, r, s, 0)
                filter_4(source, result, 0)
                for s in range(PATCH):
                    store(U, panel, r * PATCH + s, k, 0, result[s, 0])


@inner
def filter_gradients(U, taps):
    """taps (blocks, O, 9, L) = G' U G for U (places, blocks, O, L)."""
    half = vectors((1, 3, PATCH))[0]
    source, result = tile(1, PATCH, U), tile(3, 1, U)
    for b in range(taps.shape[0]):
        for o in range(taps.shape[1]):
            for s in range(PATCH):
                for r in range(PATCH):
                    source[0, r] = load(U, r * PATCH + s, b, o, 0)
                filter_gradient_4(source, result, 0)
                for r in range(3):
                    store(half, r, s, 0, result[r, 0])
            for r in range(3):
                for s in range(PATCH):
                    source[0, s] = load(half, r, s, 0)
                filter_gradient_4(source, result, 0)
                for s in range(3):
                    store(taps, b, o, r * 3 + s, 0, result[s, 0])


@inner
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
                            u = splat(U, panel + o // L, e, k, o % L + r)
                            for c in range(width):
                                acc[r, c] += u * load(V, e, p + c, k, 0)
                    for r in range(MR):
                        for c in range(width):
                            if begin > 0:
                                acc[r, c] += load(M, e, p + c, o + r, 0)
                            store(M, e, p + c, o + r, 0, acc[r, c])


@inner
def products(U, V, M, C, O, panel, tiles):
    """The same for all tiles: by two, and before that by three, if their number is odd."""
    odd = 3 if tiles % 2 == 1 and tiles > 1 else 0
    if odd:
        product(3, U, V, M, C, O, panel, 0, odd)
    product(2, U, V, M, C, O, panel, odd, tiles)


@inner
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


@inner
def outer_products(V, M, U, C, O, tiles, more):
    """U (places, blocks of C, O, L) (+)= M (places, tiles, O, L) times turned V, summed over pictures."""
    noinline()
    for e in range(len(V)):
        for block in range(0, C, NV * L):
            for o in range(0, O, MR):
                for begin in range(0, tiles, DEPTH // L):
                    acc = tile(MR, NV, V)
                    for p in range(begin, min(begin + DEPTH // L, tiles)):
                        for k in range(L):
                            for r in range(MR):
                                v = splat(M, e, p, o + r, k)
                                for c in range(NV):
                                    acc[r, c] += v * load(V, e, p, block + c * L + k, 0)
                    for r in range(MR):
                        for c in range(NV):
                            if more or begin > 0:
                                acc[r, c] += load(U, e, block // L + c, o + r, 0)
                            store(U, e, block // L + c, o + r, 0, acc[r, c])
