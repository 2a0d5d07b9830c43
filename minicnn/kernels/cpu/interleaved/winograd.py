"""Convolution of interleaved pictures with 3x3 filters and stride 1 by Winograd's minimal filtering.

The method is that of ../winograd.py. Each output tile of m x m pixels, in a patch of a x a, a = m + 2, takes
a*a products of matrices, but their numbers are vectors of L pictures here:

    M[e] (O, tiles) = U[e] (O, C) V[e] (C, tiles)          V: transformed input, U: transformed filters

A block of tiles is one or more rows of tiles of a group of pictures: as many as leave V and M in an L2 cache.

The largest errors are those of ../winograd.py, and so is what happens to numbers that are not finite: the
functions return None, and the caller computes in another way.
"""

import math

import numpy as np

from minicnn.kernels.cpu import winograd
from minicnn.kernels.cpu.interleaved.finish import MAX, NONE, How, finish_rows, keeps
from minicnn.kernels.cpu.interleaved.layout import empty
from minicnn.kernels.cpu.interleaved.winograd_tiles import (
    MR,
    NV,
    gradient_tiles,
    input_tiles,
    outer_products,
    output_tiles,
    patches,
    places,
    products,
    transform_filters,
    turn,
)
from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.simd import BYTES, hsum, load, store
from minicnn.kernels.cpu.winograd_transforms import L, add_filters, vectors
from minicnn.kernels.geometry import Window

FEWEST = 16  # channels: with fewer the transforms take longer than a direct convolution
CACHE = 1 << 20  # bytes of an L2 cache for a block's V and M
CHUNKS = 16  # parts that a weight gradient is summed in, each some groups of pictures


def tile_size(C: int, O: int, OH: int, OW: int, window: Window) -> int:
    """m of the F(m x m, 3x3) that should compute y (B, O, OH, OW, L) from C channels; 0: none of them."""
    plain = window.kernel == (3, 3) and window.stride == window.dilation == (1, 1)
    if not (winograd.choice and plain and all(0 <= side <= 2 for side in window.padding) and min(OH, OW) > 0):
        return 0
    if winograd.choice != "auto":
        return 2 if winograd.choice == "f2" else 4
    if min(C, O) < FEWEST:
        return 0
    tiles = {m: -(-OH // m) * -(-OW // m) for m in (2, 4)}
    return 2 if 16 * tiles[2] <= 36 * tiles[4] else 4


def cut(m: int, OH: int, OW: int, channels: int, step: int = 1) -> int:
    """How many tile rows make a block, a multiple of step, where V and M have so many channels together."""
    down, across = -(-OH // m), -(-OW // m)
    fit = max(CACHE // ((m + 2) ** 2 * across * channels * BYTES), 1)
    rows = -(-down // -(-down // fit))  # blocks about as large as each other
    return -(-rows // step) * step


def panels_at_once(m: int, tiles: int, panels: int) -> int:
    """For how many panels of L channels M is computed at once."""
    return min(max(CACHE // 2 // ((m + 2) ** 2 * tiles * L * BYTES), 1), panels)


def transformed(weight: np.ndarray, turned: bool, m: int) -> np.ndarray:
    """U (panels of L filters, a*a, 1, C, L), or turned (panels of L channels, a*a, 1, O, L)."""
    O, C = weight.shape[:2]
    K, J = (O, C) if turned else (C, O)
    E, panels = (m + 2) ** 2, -(-J // L)
    U = empty((panels, E, 1, K | 1, L))
    run(transform_filters, panels, U.size, np.ascontiguousarray(weight).reshape(O, C, 9), turned, m, U)
    return U


@jit
def convolve(x, U, bias, how, y, out, index, top, left, m, block_rows, at_once, finite, begin, end):
    """y (B, O, OH, OW, L), out and index (B, O, QH, QW, L) from x (B, C, H, W, L), U and bias (O).

    A job is a block of tile rows of a group. Without pictures in y, its rows stay in a scratch.
    """
    (_, O, OH, OW, _), C = y.shape, x.shape[1]
    down, across, PH = (OH + m - 1) // m, (OW + m - 1) // m, how[2]
    blocks = (down + block_rows - 1) // block_rows
    V, M = places(m, block_rows * across, C), places(m, block_rows * across, at_once * L)
    half, scratch = vectors(1, m + 2, across * m + 2)[0], vectors(at_once * L, block_rows * m, OW)
    for job in range(begin, end):
        b, row = job // blocks, job % blocks * block_rows
        rows, first = min(block_rows, down - row), row * m
        last, total = min(first + rows * m, OH), np.float32(0)
        input_tiles(m, x[b], row, rows, across, top, left, half, V)
        for panel in range(0, len(U), at_once):
            count = min(at_once * L, O - panel * L)
            products(U, V, M, C, count, panel, rows * across)
            channels = slice(panel * L, panel * L + count)
            part = y[b, channels, first:last] if len(y) > 0 else scratch[:count, : last - first]
            total += output_tiles(m, M, rows, across, half, bias[channels], part)
            pooled = slice(first // PH, last // PH)
            finish_rows(part, how, out[b, channels, pooled], index[b, channels, pooled])
        finite[job] = total == 0


@jit
def differentiate(dy, x, U, dx, partial, top, left, m, block_rows, at_once, finite, begin, end):
    """dx (B, C, H, W, L) and partial (chunks, blocks of C, O, 9, L), weight gradients, from dy (B, O, OH, OW, L).

    Without pictures in dx, or chunks in partial, they are not wanted. A job is a chunk of the groups.
    """
    (B, O, OH, OW, _), (_, C, _, W, _), chunks = dy.shape, dx.shape, len(finite)
    down, across = (OH + m - 1) // m, (OW + m - 1) // m
    blocks, filters = partial.shape[1], (O + MR - 1) // MR * MR
    D, M = places(m, block_rows * across, filters), places(m, block_rows * across, at_once * L)
    V, sums = places(m, block_rows * across, blocks * L), places(m, blocks, filters)
    half = vectors(1, m + 2, across * m + 2)[0]
    for chunk in range(begin, end):
        total, first = np.float32(0), chunk * B // chunks
        for b in range(first, (chunk + 1) * B // chunks):
            carry = vectors(C, 2, W)
            for row in range(0, down, block_rows):
                rows = min(block_rows, down - row)
                gradient_tiles(m, dy[b], row, rows, across, 0, 0, half, D)
                for panel in range(0, len(U), at_once):
                    count = min(at_once * L, C - panel * L)
                    channels = slice(panel * L, panel * L + count)
                    products(U, D, M, O, count, panel, rows * across)
                    total += patches(
                        m, M, row, rows, across, top, left, down - 1, half, carry[channels], dx[b, channels]
                    )
                if len(partial) > 0:
                    input_tiles(m, x[b], row, rows, across, top, left, half, V)
                    turn(V, C, rows * across)
                    outer_products(V, D, sums, C, O, rows * across, b > first or row > 0)
        if len(partial) > 0:
            add_filters(sums, m, partial[chunk])
        finite[chunk] = total == 0


@jit
def add_up(partial, dweight, finite, begin, end):
    """dweight (O, C, 9) = the sum of the chunks, in order, for some of the filters."""
    chunks, C = len(partial), dweight.shape[1]
    line = vectors(1, 1, 9)[0]
    for o in range(begin, end):
        total = np.float32(0)
        for block in range((C + L - 1) // L):
            for tap in range(9):
                v = load(partial, 0, block, o, tap, 0)
                for chunk in range(1, chunks):
                    v += load(partial, chunk, block, o, tap, 0)
                total += hsum(v * 0.0)
                store(line, 0, tap, 0, v)
            for lane in range(min(L, C - block * L)):
                for tap in range(9):
                    dweight[o, block * L + lane, tap] = line[0, tap, lane]
        finite[o] = total == 0


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
    a number is not finite, or `tile_size` wants no Winograd.
    """
    (B, C, H, W, _), O = x.shape, len(weight)
    (OH, OW), (_, pool, PH, PW) = window.output_size(H, W), how
    m = tile_size(C, O, OH, OW, window)
    if m == 0:
        return None
    y = empty((B if keeps(how) else 0, O, OH, OW, L))
    out = y if pool == NONE else empty((B, O, OH // PH, OW // PW, L))
    index = empty(out.shape) if pool == MAX else out
    U = transformed(weight, False, m)
    block_rows = cut(m, OH, OW, C + min(O, 64), math.lcm(m, PH) // m)
    at_once = panels_at_once(m, block_rows * -(-OW // m), len(U))
    finite = np.empty(B * -(-OH // (m * block_rows)), np.bool_)
    offsets = np.zeros(O, np.float32) if bias is None else bias
    arrays = np.ascontiguousarray(x), U, offsets, how, y, out, index
    numbers = B * O * OH * OW * L * C * 9 // PRODUCTS
    run(convolve, len(finite), numbers, *arrays, *top_left(window), m, block_rows, at_once, finite)
    if not finite.all():
        return None
    return out, y if keeps(how) else None, index if pool == MAX else None


def gradients(
    dy: np.ndarray,
    x: np.ndarray | None,
    weight: np.ndarray | None,
    x_shape: tuple[int, ...],
    window: Window,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Both gradients, which share dy's transform; or that for which its argument is given.

    Parameters
    ----------
    dy : (B, O, OH, OW, L)
    x : (B, C, H, W, L), for the gradient of the weight
    weight : (O, C, 3, 3), for that of x
    x_shape, window : as of the convolution

    Returns
    -------
    dx (B, C, H, W, L) and dweight (O, C, 3, 3); one that is not wanted is empty. None as above.
    """
    (B, O, OH, OW, _), C = dy.shape, x_shape[1]
    m = tile_size(C, O, OH, OW, window)
    if m == 0:
        return None
    dx = empty((0 if weight is None else B, *x_shape[1:]))
    U = empty((0, 1, 1, 1, L)) if weight is None else transformed(weight, True, m)
    chunks = min(B, CHUNKS)
    partial = np.zeros((0 if x is None else chunks, -(-C // (NV * L)) * NV, O, 9, L), np.float32)
    block_rows = cut(m, OH, OW, O + 2 * C)
    at_once = panels_at_once(m, block_rows * -(-OW // m), -(-C // L))
    finite = np.empty(chunks, np.bool_)
    arrays = np.ascontiguousarray(dy), dx if x is None else np.ascontiguousarray(x), U, dx, partial
    numbers = dy.size * C * 9 // PRODUCTS
    run(differentiate, chunks, numbers, *arrays, *top_left(window), m, block_rows, at_once, finite)
    dweight, known = np.empty((0 if x is None else O, C, 9), np.float32), np.ones(O, np.bool_)
    run(add_up, len(dweight), partial.size, partial, dweight, known)
    return (dx, dweight.reshape(-1, C, 3, 3)) if finite.all() and known.all() else None


def input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], window: Window
) -> np.ndarray | None:
    """dx (B, C, H, W, L) from dy (B, O, OH, OW, L) and weight (O, C, 3, 3), or None as above."""
    both = gradients(dy, None, weight, x_shape, window)
    return both and both[0]


def weight_gradient(dy: np.ndarray, x: np.ndarray, window: Window) -> np.ndarray | None:
    """dweight (O, C, 3, 3) from dy (B, O, OH, OW, L) and x (B, C, H, W, L), or None as above."""
    both = gradients(dy, x, None, x.shape, window)
    return both and both[1]


def top_left(window: Window) -> tuple[int, int]:
    """The padding before the first row and the first column."""
    return window.padding[0], window.padding[2]
