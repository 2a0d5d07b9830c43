"""Interleaved pictures to and from the tiles of Winograd's F(4x4, 3x3).

The matrices are those of ../winograd_transforms.py, where a vector holds L channels of a pixel; here it holds
a channel of L pictures, which makes no difference to them. What they make of patches of 6 x 6 pixels lies as

    E (places, tiles, channels, L)         place r * 6 + s is row r, column s of the patch

The gradient of a picture takes the same way back, through the transposed matrices: with

    Y = A' [(G g G') * (B' d B)] A         dd = B [(G g G') * (A dY A')] B'

and as patches overlap by two rows and columns, what they give is added up. So it has as many tiles as the
convolution; as a convolution with turned filters, 11x11 numbers of dY beside a border of zeros would make 16
tiles of 13x13 instead of 9.

Where the last tile of a row or column would give one or two results, it is made to give two: from a patch of
4, by the points 0, 1, -1 and infinity alone. The filters are the same, and it has no numbers in rows, or
columns, 3 and 4 of the places. A block of tiles is (rows, across, short, narrow): whether its last row, and
the last of each row, are such pairs.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minicnn.kernels.cpu.jit import inner, kernel
from minicnn.kernels.cpu.prefetch import prefetch
from minicnn.kernels.cpu.scratch import scratch
from minicnn.kernels.cpu.simd import hsum, load, load_part, store, tile
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
PAIR = 2  # results of a last tile that needs no more


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


@inner
def input_pair(d, v, r):
    """v = B' d for a patch of 4; what v has in rows 3 and 4 stays. Filters of F(4x4) have 1/3 for 1/2."""
    d0, d1, d2, d3 = d[r, 0], d[r, 1], d[r, 2], d[r, 3]
    v[0, r] = d0 - d2
    v[1, r] = (d1 + d2) * 1.5
    v[2, r] = (d1 - d2) * 1.5
    v[5, r] = d3 - d1


@inner
def output_pair(m, y, r):
    """y = A' m, two results, without rows 3 and 4 of m"""
    m0, m1, m2, m5 = m[r, 0], m[r, 1], m[r, 2], m[r, 5]
    y[0, r] = m0 + (m1 + m2)
    y[1, r] = (m1 - m2) + m5


@inner
def gradient_pair(y, m, r):
    """m = A y for two results"""
    y0, y1 = y[r, 0], y[r, 1]
    m[0, r] = y0
    m[1, r] = y0 + y1
    m[2, r] = y0 - y1
    m[5, r] = y1


@inner
def spread_pair(v, d, r):
    """d = B v for a patch of 4, whose last two numbers come to rows 4 and 5, as those of a whole patch."""
    v0, v1, v2, v5 = v[r, 0], v[r, 1], v[r, 2], v[r, 5]
    d[0, r] = v0
    d[1, r] = (v1 + v2) * 1.5 - v5
    d[4, r] = (v1 - v2) * 1.5 - v0
    d[5, r] = v5


@inner
def missing(k, pair):
    """Whether a tile has no numbers in row, or column, k of the places."""
    return pair and (k == 3 or k == 4)


@inner
def number(block, t, s):
    """Where tile s of row t lies: a short row first, a narrow column last, so `span` is without gaps."""
    rows, across, short, narrow = block
    inside = across - narrow
    if s == inside:
        return rows * inside + t
    return s if short and t == rows - 1 else (t + short) * inside + s


@inner
def span(block, place):
    """The first of the tiles that have a place, as they lie, and the one after the last."""
    rows, across, short, narrow = block
    without_row, without_column = missing(place // PATCH, short), missing(place % PATCH, narrow)
    first = across - narrow if without_row else 0
    beside = 0 if without_column else narrow * (rows - short if without_row else rows)
    return first, rows * (across - narrow) + beside


def to_places(formula: Callable, pair: Callable, n: int) -> Any:
    """A kernel that transforms a block of tiles, n x n vectors STEP apart, to E (places, tiles, C, L).

    They are those of x (C, H, W, L) from tile row `row` on, where tile row 0 begins at (-top, -left); what is
    outside of x is zero. half (PATCH, columns, L) is a scratch: as tiles overlap, whole columns come first.
    """

    @inner
    def kernel(x, row, block, top, left, half, E):
        (C, H, W, _), (rows, across, short, narrow) = x.shape, block
        source, result = tile(1, n, x), tile(PATCH, 1, x)
        for c in range(C):
            for t in range(rows):
                i, low = (row + t) * STEP - top, short and t == rows - 1
                whole = 0 <= i <= H - n
                for w in range((across - narrow) * STEP + narrow * PAIR + n - STEP):
                    inside = 0 <= w - left < W
                    if inside and whole:
                        for r in range(n):
                            source[0, r] = load(x, c, i + r, w - left, 0)
                            prefetch(x, c + 1, i + r, w - left, 0)
                    else:
                        j = min(max(w - left, 0), W - 1)
                        for r in range(n):
                            filled = L if inside and 0 <= i + r < H else 0
                            source[0, r] = load_part(filled, x, c, min(max(i + r, 0), H - 1), j, 0)
                    if low:
                        pair(source, result, 0)
                    else:
                        formula(source, result, 0)
                    for r in range(PATCH):
                        store(half, r, w, 0, result[r, 0])
                for r in range(PATCH):
                    if not missing(r, low):
                        for s in range(across):
                            slim = narrow and s == across - 1
                            for k in range(n):
                                source[0, k] = load(half, r, s * STEP + k, 0)
                            if slim:
                                pair(source, result, 0)
                            else:
                                formula(source, result, 0)
                            for k in range(PATCH):
                                if not missing(k, slim):
                                    store(E, r * PATCH + k, number(block, t, s), c, 0, result[k, 0])

    return kernel


@inner
def output_tiles(E, block, half, bias, y):
    """y (O, R, OW, L) = a block of tiles of E (places, tiles, O, L), and bias (O).

    It returns 0, or NaN if a number is not finite.
    """
    (O, R, OW, _), (rows, across, short, narrow) = y.shape, block
    source, result = tile(1, PATCH, E), tile(STEP, 1, E)
    finite = load_part(0, E, 0, 0, 0, 0)
    for o in range(O):
        for t in range(rows):
            low = short and t == rows - 1
            for r in range(PATCH):
                if not missing(r, low):
                    for s in range(across):
                        slim = narrow and s == across - 1
                        for k in range(PATCH):
                            if not missing(k, slim):
                                source[0, k] = load(E, r * PATCH + k, number(block, t, s), o, 0)
                        if slim:
                            output_pair(source, result, 0)
                        else:
                            output_4(source, result, 0)
                        for k in range(STEP):
                            store(half, r, s * STEP + k, 0, result[k, 0])
            for w in range(OW):
                for r in range(PATCH):
                    source[0, r] = load(half, r, w, 0)
                if low:
                    output_pair(source, result, 0)
                else:
                    output_4(source, result, 0)
                for r in range(STEP):
                    if t * STEP + r < R:
                        v = result[r, 0] + bias[o]
                        finite += v * 0.0
                        store(y, o, t * STEP + r, w, 0, v)
    return hsum(finite)


@inner
def add_patches(E, row, block, top, left, last, half, carry, dx):
    """dx (C, H, W, L) = the sum of the patches of E (places, tiles, C, L), a block; returns 0 or NaN, too.

    They are those that `input_tiles` cuts. carry (C, 2, W, L) takes what they add to the next row of tiles.
    Beyond their columns half must be zero. Below the `last` row of tiles dx becomes zero.
    """
    (C, H, W, _), (rows, across, short, narrow) = dx.shape, block
    source, result = tile(1, PATCH, E), tile(PATCH, 1, E)
    zero = load_part(0, E, 0, 0, 0, 0)
    finite, end = zero, (across - narrow) * STEP + narrow * PAIR
    for c in range(C):
        for t in range(rows):
            low = short and t == rows - 1
            for r in range(PATCH):  # 3 and 4 of a short row are left over from before, and of no use
                before, beside = zero, zero
                for s in range(across):
                    slim = narrow and s == across - 1
                    for k in range(PATCH):
                        if not missing(k, slim):
                            source[0, k] = load(E, r * PATCH + k, number(block, t, s), c, 0)
                    if slim:
                        spread_pair(source, result, 0)
                    else:
                        spread_4(source, result, 0)
                    store(half, r, s * STEP, 0, result[0, 0] + before)
                    store(half, r, s * STEP + 1, 0, result[1, 0] + beside)
                    for k in range(2, STEP):
                        store(half, r, s * STEP + k, 0, result[k, 0])
                    before, beside = result[STEP, 0], result[STEP + 1, 0]
                store(half, r, end, 0, before)
                store(half, r, end + 1, 0, beside)
            i = (row + t) * STEP - top
            complete = PATCH if row + t == last and not low else STEP  # the next row of tiles adds to others
            for w in range(W):
                for r in range(PATCH):
                    source[0, r] = load(half, r, left + w, 0)
                if low:
                    spread_pair(source, result, 0)
                else:
                    spread_4(source, result, 0)
                for r in range(PAIR):
                    result[r, 0] += load(carry, c, r, w, 0)
                    store(carry, c, r, w, 0, result[STEP + r, 0])
                    if low:
                        result[PAIR + r, 0] = result[STEP + r, 0]
                for r in range(PATCH):
                    if r < complete and 0 <= i + r < H:
                        finite += result[r, 0] * 0.0
                        store(dx, c, i + r, w, 0, result[r, 0])
            if row + t == last:
                for h in range(i + complete, H):
                    for w in range(W):
                        store(dx, c, h, w, 0, zero)
    return hsum(finite)


input_tiles = to_places(input_4, input_pair, PATCH)
gradient_tiles = to_places(gradient_4, gradient_pair, STEP)


@inner
def places(tiles, channels):
    """Room for E (places, tiles, channels, L), its strides odd: even ones would share places in the cache.

    A tile alone is multiplied with its neighbour.
    """
    return scratch((PATCH * PATCH, max(tiles, 2) | 1, channels | 1, L), np.float32)


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
