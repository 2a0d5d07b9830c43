"""Convolution of interleaved pictures with 3x3 filters and stride 1 by Winograd's minimal filtering.

The method is that of ../winograd.py, F(4x4, 3x3) alone: few shapes are for F(2x2), and a direct convolution
is fast there, too. A tile of 4 x 4 pixels comes from a patch of 6 x 6. For each of the 36 places there is a
product of matrices, whose numbers are vectors of L pictures here:

    M[e] (O, tiles) = U[e] (O, C) V[e] (C, tiles)          V: transformed input, U: transformed filters

for all tiles that have the place: tiles of two rows or columns, at the end, have not all (winograd_tiles.py).

A block of tiles is one or more rows of tiles of a group of pictures: as many as leave V and M in an L2 cache.

The largest errors are those of ../winograd.py, and so is what happens to numbers that are not finite: the
functions return None, and the caller computes in another way.
"""

import math

import numpy as np

from minicnn.kernels.cpu import winograd
from minicnn.kernels.cpu.graph import all_set
from minicnn.kernels.cpu.interleaved.finish import MAX, NONE, How, finish_rows, keeps, looked_at
from minicnn.kernels.cpu.interleaved.layout import empty
from minicnn.kernels.cpu.interleaved.winograd_products import MR, NV, outer_products, products, turn
from minicnn.kernels.cpu.interleaved.winograd_tiles import (
    PAIR,
    PATCH,
    STEP,
    add_patches,
    filter_gradients,
    gradient_tiles,
    input_tiles,
    output_tiles,
    places,
    transform_filters,
)
from minicnn.kernels.cpu.jit import inner, kernel
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.simd import BYTES, hsum, load, load_part, store
from minicnn.kernels.cpu.winograd_transforms import L, vectors
from minicnn.kernels.geometry import Window

FEWEST = 16  # channels: with fewer the transforms take longer than a direct convolution
FILLED = 8  # pixels of a tile's 16 that are looked at on average, or a direct convolution is faster
CACHE = 1 << 20  # bytes of an L2 cache for a block's V and M
CHUNKS = 16  # parts that a weight gradient is summed in, each some groups of pictures


def suits(C: int, O: int, OH: int, OW: int, window: Window) -> bool:
    """Whether y (B, O, OH, OW, L) from C channels should be computed here: if that is faster, or a wish."""
    plain = window.kernel == (3, 3) and window.stride == window.dilation == (1, 1)
    if not (plain and all(0 <= side <= 2 for side in window.padding) and min(OH, OW) > 0):
        return False
    if winograd.choice != "auto":
        return winograd.choice == "f4"
    tiles = -(-OH // STEP) * -(-OW // STEP)
    return min(C, O) >= FEWEST and tiles > 1 and FILLED * tiles <= OH * OW


def cut(OH: int, OW: int, channels: int, multiple: int = 1) -> tuple[int, int]:
    """How many tile rows make a block where V and M have so many channels together; and its tiles."""
    down, across = -(-OH // STEP), -(-OW // STEP)
    fit = max(CACHE // (PATCH * PATCH * across * channels * BYTES), 1)
    rows = -(-down // -(-down // fit))  # blocks about as large as each other
    rows = -(-rows // multiple) * multiple
    return rows, rows * across


def panels_at_once(tiles: int, panels: int) -> int:
    """For how many panels of L channels M is computed at once."""
    return min(max(CACHE // 2 // (PATCH * PATCH * tiles * L * BYTES), 1), panels)


def transformed(weight: np.ndarray, turned: bool) -> np.ndarray:
    """U (panels of L filters, places, C, L), or turned (panels of L channels, places, O, L)."""
    O, C = weight.shape[:2]
    K, J = (O, C) if turned else (C, O)
    U = empty((-(-J // L), PATCH * PATCH, K | 1, L))
    run(transform_filters, len(U), U.size, np.ascontiguousarray(weight).reshape(O, C, 9), turned, U)
    return U


@inner
def block_of(size, row, block_rows):
    """The block of tiles of OH x OW results from tile row `row` on (see winograd_tiles.py)."""
    OH, OW = size
    left, across = -(-OH // STEP) - row, -(-OW // STEP)
    short, narrow = 0 < OH % STEP <= PAIR, 0 < OW % STEP <= PAIR
    return min(block_rows, left), across, 1 if short and left <= block_rows else 0, 1 if narrow else 0


@kernel
def convolve(x, U, bias, how, y, out, index, top, left, block_rows, at_once, finite, begin, end):
    """y (B, O, OH, OW, L), out and index (B, O, QH, QW, L) from x (B, C, H, W, L), U and bias (O).

    A job is a block of tile rows of a group. Without pictures in y, its rows stay in a scratch.
    """
    (_, O, OH, OW, _), C = y.shape, x.shape[1]
    down, across, PH = -(-OH // STEP), -(-OW // STEP), how[2]
    blocks = -(-down // block_rows)
    V, M = places(block_rows * across, C), places(block_rows * across, at_once * L)
    half, scratch = vectors((1, PATCH, across * STEP + 2))[0], vectors((at_once * L, block_rows * STEP, OW))
    for job in range(begin, end):
        b, row = job // blocks, job % blocks * block_rows
        tiles, first = block_of((OH, OW), row, block_rows), row * STEP
        last, total = min(first + tiles[0] * STEP, OH), np.float32(0)
        input_tiles(x[b], row, tiles, top, left, half, V)
        for panel in range(0, len(U), at_once):
            count = min(at_once * L, O - panel * L)
            products(U, V, M, C, count, panel, tiles)
            channels = slice(panel * L, panel * L + count)
            part = y[b, channels, first:last] if len(y) > 0 else scratch[:count, : last - first]
            total += output_tiles(M, tiles, half, bias[channels], part)
            pooled = slice(first // PH, last // PH)
            finish_rows(part, how, out[b, channels, pooled], index[b, channels, pooled])
        finite[job] = total == 0


@inner
def not_seen(x, first_row, first_column):
    """0, or NaN if a number of x (C, H, W, L) from that row or that column on is not finite."""
    finite = load_part(0, x, 0, 0, 0, 0)
    C, H, W, _ = x.shape
    for c in range(C):
        for h in range(H):
            for w in range(first_column if h < first_row else 0, W):
                finite += load(x, c, h, w, 0) * 0.0
    return hsum(finite)


@kernel
def differentiate(dy, x, U, dx, partial, top, left, block_rows, at_once, finite, begin, end):
    """dx (B, C, H, W, L), and partial (chunks, blocks of C, O, 9, L), the weight gradients of chunks of B.

    They come from dy (B, O, OH, OW, L), and are not wanted if they have no pictures, or chunks. dy may lack
    its last rows and columns, where they are 0. What only these meet in x is looked at: 0 times NaN is NaN.
    """
    (B, O, OH, OW, _), (_, C, _, W, _), chunks = dy.shape, dx.shape, len(finite)
    down, across = -(-OH // STEP), -(-OW // STEP)
    blocks, filters = partial.shape[1], -(-O // MR) * MR
    D, M = places(block_rows * across, filters), places(block_rows * across, at_once * L)
    V, sums = places(block_rows * across, blocks * L), places(blocks, filters)
    half = vectors((1, PATCH, max(across * STEP, W) + 2))[0]
    for chunk in range(begin, end):
        total, first = np.float32(0), chunk * B // chunks
        for b in range(first, (chunk + 1) * B // chunks):
            carry = vectors((C, 2, W))
            for row in range(0, down, block_rows):
                tiles = block_of((OH, OW), row, block_rows)
                gradient_tiles(dy[b], row, tiles, 0, 0, half, D)
                for panel in range(0, len(U), at_once):
                    count = min(at_once * L, C - panel * L)
                    channels = slice(panel * L, panel * L + count)
                    products(U, D, M, O, count, panel, tiles)
                    part = dx[b, channels]
                    total += add_patches(M, row, tiles, top, left, down - 1, half, carry[channels], part)
                if len(partial) > 0:
                    input_tiles(x[b], row, tiles, top, left, half, V)
                    turn(V, C, tiles)
                    outer_products(V, D, sums, C, O, tiles, b > first or row > 0)
            if len(partial) > 0:
                total += not_seen(x[b], OH + 2 - top, OW + 2 - left)
        if len(partial) > 0:
            filter_gradients(sums, partial[chunk])
        finite[chunk] = total == 0


@kernel
def add_up(partial, dweight, finite, begin, end):
    """dweight (O, C, 9) = the sum of the chunks, in order, for some of the filters."""
    chunks, C = len(partial), dweight.shape[1]
    line = vectors((1, 1, 9))[0]
    for o in range(begin, end):
        total = load_part(0, line, 0, 0, 0)
        for block in range(-(-C // L)):
            for tap in range(9):
                v = load(partial, 0, block, o, tap, 0)
                for chunk in range(1, chunks):
                    v += load(partial, chunk, block, o, tap, 0)
                total += v * 0.0
                store(line, 0, tap, 0, v)
            for lane in range(min(L, C - block * L)):
                for tap in range(9):
                    dweight[o, block * L + lane, tap] = line[0, tap, lane]
        finite[o] = hsum(total) == 0


def forward(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, window: Window, how: How
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None] | None:
    """The convolution, and what follows it (see finish.py).

    Parameters
    ----------
    x, weight, bias : float32 (B, C, H, W, L), (O, C, 3, 3) and (O) or None
    window : 3x3, with a padding of 0, 1 or 2 on each side
    how : the activation and pooling

    Returns
    -------
    out (B, O, QH, QW, L); y (B, O, OH, OW, L) if `keeps(how)`; index, as out, with maximum pooling. None if
    a number is not finite, or where this does not suit.
    """
    (B, C, H, W, _), O, (_, pool, PH, PW) = x.shape, len(weight), how
    size = window.output_size(H, W)
    OH, OW = size if keeps(how) else looked_at(size, how)
    if not suits(C, O, OH, OW, window):
        return None
    y = empty((B if keeps(how) else 0, O, OH, OW, L))
    out = y if pool == NONE else empty((B, O, OH // PH, OW // PW, L))
    index = empty(out.shape) if pool == MAX else out
    U = transformed(weight, False)
    block_rows, tiles = cut(OH, OW, C + min(O, 64), math.lcm(STEP, PH) // STEP)
    at_once = panels_at_once(tiles, len(U))
    finite = np.empty(B * -(-OH // (STEP * block_rows)), np.bool_)
    offsets = np.zeros(O, np.float32) if bias is None else bias
    arrays = np.ascontiguousarray(x), U, offsets, how, y, out, index
    numbers = B * O * OH * OW * L * C * 9 // PRODUCTS
    run(convolve, len(finite), numbers, *arrays, *top_left(window), block_rows, at_once, finite)
    if not all_set(finite):
        return None
    return out, y if keeps(how) else None, index if pool == MAX else None


def gradients(
    dy: np.ndarray,
    x: np.ndarray | None,
    weight: np.ndarray | None,
    x_shape: tuple[int, ...],
    window: Window,
) -> tuple[np.ndarray | None, np.ndarray | None] | None:
    """Both gradients, which share dy's transform; or only dx without x, or dweight without weight.

    Parameters
    ----------
    dy : (B, O, OH, OW, L); the last rows and columns may be missing, and count as 0
    x, weight, x_shape, window : of the convolution

    Returns
    -------
    dx (B, C, H, W, L) or None and dweight (O, C, 3, 3) or None. None alone as above.
    """
    (B, O, OH, OW, _), C = dy.shape, x_shape[1]
    if not suits(C, O, OH, OW, window):
        return None
    chunks, blocks = min(B, CHUNKS), -(-C // (NV * L)) * NV
    dx = empty(x_shape if weight is not None else (0, *x_shape[1:]))
    U = empty((0, 1, 1, L)) if weight is None else transformed(weight, True)
    partial = np.empty((0 if x is None else chunks, blocks, O, 9, L), np.float32)
    block_rows, tiles = cut(OH, OW, O + 2 * C)
    at_once = panels_at_once(tiles, -(-C // L))
    finite = np.empty(chunks, np.bool_)
    arrays = np.ascontiguousarray(dy), dx if x is None else np.ascontiguousarray(x), U, dx, partial
    numbers = dy.size * C * 9 // PRODUCTS
    run(differentiate, chunks, numbers, *arrays, *top_left(window), block_rows, at_once, finite)
    if not all_set(finite):
        return None
    if x is None:
        return dx, None
    dweight, finite = np.empty((O, C, 3, 3), np.float32), np.empty(O, np.bool_)
    run(add_up, O, partial.size, partial, dweight.reshape(O, C, 9), finite)
    return (None if weight is None else dx, dweight) if all_set(finite) else None


def top_left(window: Window) -> tuple[int, int]:
    """The padding before the first row and the first column."""
    return window.padding[0], window.padding[2]
