"""Convolution as a product of matrices for each tap of the window, with channels in the lanes.

What a tap sees from all places of the output is a matrix V[tap] (places, C), and

    y (places, O) = sum over taps of V[tap] U[tap] (C, O)          U: the filters, a matrix for each tap
    dU[tap] (C, O) = V[tap]' dy (places, O)

All matrices lie in blocks of L channels, one vector wide, as in winograd.py: a strip of a picture's rows is
turned to (rows, columns, L), and V is put together from it vector by vector, whatever the stride.

dx is a convolution, too, of dy by steps of one. But with strides (2, 2) the pixels of x are of four kinds,
even or odd down and across, and each kind has met some of the taps only. So y is cut into phases here: each
has a pixel at every place, and its own taps. The convolution itself has one phase.
"""

from functools import lru_cache
from itertools import product as pairs
from typing import NamedTuple

import numpy as np

from minicnn.kernels.cpu.jit import inner, kernel
from minicnn.kernels.cpu.memory import empty, result
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.simd import load, load_part, noinline, splat, store, tile
from minicnn.kernels.cpu.winograd import add_up, cut, part_of_picture
from minicnn.kernels.cpu.winograd_products import MR, NV, lines_of, outer_product
from minicnn.kernels.cpu.winograd_transforms import (
    MARGIN,
    L,
    read_block,
    read_strip,
    vectors,
    write_strip,
)
from minicnn.kernels.geometry import Window

DEPTH = 16  # blocks of channels that are summed in one go: their filters are in an L1 cache
PLACES = 96  # of a block, if there are so many
NUMBERS = 1 << 18  # of V, at most: half of an L2 cache
JOBS = 8  # at least, if there are as many panels
SUMS = 1 << 20  # numbers in all chunks of a weight gradient, at most, but for two chunks


class Taps(NamedTuple):
    """Which taps each phase of y has, and where they look.

    Attributes
    ----------
    shifts : array of int64
        (E, 2) Rows from `top` and columns of a strip to where a tap looks from a strip's first place.
    top, tall : int
        The first row that the first place sees, and how many it sees.
    order : array of int64
        (T) Where each tap stands among all, phase by phase.
    seen : array of int64
        (T) The shift of each tap, in that order.
    phases : array of int64
        (F, 3) Row and column of a phase's first pixel in y, and how many taps there are up to this phase.
    """

    shifts: np.ndarray
    top: int
    tall: int
    order: np.ndarray
    seen: np.ndarray
    phases: np.ndarray


@lru_cache(64)
def taps_of(window: Window, gradient: bool) -> Taps:
    """The taps of a convolution, or of its input gradient; nothing of which fits is checked."""
    (KH, KW), (SH, SW), (DH, DW) = window.kernel, window.stride, window.dilation
    top, _, left, _ = window.padding
    seen, order, phases = [], [], []
    for a, b in pairs(range(SH), range(SW)) if gradient else [(0, 0)]:
        for kh, kw in pairs(range(KH), range(KW)):
            h, w = (a + top - kh * DH, b + left - kw * DW) if gradient else (kh * DH - top, kw * DW - left)
            if not gradient or h % SH == w % SW == 0:
                seen.append((h // SH, w // SW) if gradient else (h, w))
                order.append(kh * KW + kw)
        phases.append((a, b, len(order)))
    shifts = sorted(set(seen))
    first, last = shifts[0][0], shifts[-1][0]
    return Taps(
        np.array([(h - first, MARGIN + w) for h, w in shifts]),
        first,
        last - first + 1,
        np.argsort(order),
        np.array([shifts.index(shift) for shift in seen]),
        np.array(phases),
    )


def fits(window: Window) -> bool:
    """Whether the strips' margins are wide enough."""
    return all((taps_of(window, gradient).shifts >= 0).all() for gradient in (False, True))


@inner
def gather(x, block, blocks, first, last, size, step, shifts, top, tall, grid, V):
    """V (E*blocks, 1, rows, L) = what each shift sees from the places of rows first to last of all pictures.

    So many blocks of channels of x (N, C, H, W), from one block on; size: rows and columns of places.
    """
    (down, across), (SH, SW) = size, step
    row = first
    while row < last:
        n, i, rows = part_of_picture(row, last, down)
        t = (row - first) * across
        for b in range(blocks):
            read_strip(x[n], block + b, i * SH + top, (rows - 1) * SH + tall, grid)
            for e in range(len(shifts)):
                for r in range(rows):
                    h, w, to = r * SH + shifts[e, 0], shifts[e, 1], t + r * across
                    for s in range(across):
                        store(V, e * blocks + b, 0, to + s, 0, load(grid, h, w + s * SW, 0))
        row += rows


@inner
def spread_out(M, panel, phases, first, last, size, step, bias, grid, y):
    """The pixels of y (N, O, H, W) at the same places, from M (phases*NV, 1, rows, L): a panel's channels."""
    (down, across), (SH, SW) = size, step
    row = first
    while row < last:
        n, i, rows = part_of_picture(row, last, down)
        t = (row - first) * across
        for c in range(NV):
            for f in range(len(phases)):
                for r in range(rows):
                    h, w, at = r * SH + phases[f, 0], phases[f, 1], t + r * across
                    for s in range(across):
                        store(grid, h, w + s * SW, 0, load(M, f * NV + c, 0, at + s, 0))
            write_strip(grid, bias, panel * NV + c, -np.inf, y[n], i * SH, rows * SH)
        row += rows


@inner
def product(V, U, M, places, seen, begin, end, more):
    """M (NV, 1, rows*L) (+)= sum of V[seen[b]] U[:, b] for blocks b from begin to end of U (NV, rows*L)."""
    noinline()
    for t in range(0, places, MR):
        acc = tile(MR, NV, V)
        for b in range(begin, end):
            e = seen[b]
            for k in range(L):
                for r in range(MR):
                    v = splat(V, e, 0, (t + r) * L + k)
                    for c in range(NV):
                        acc[r, c] += v * load(U, c, (b * L + k) * L)
        for r in range(MR):
            for c in range(NV):
                if more:
                    acc[r, c] += load(M, c, 0, (t + r) * L)
                store(M, c, 0, (t + r) * L, acc[r, c])


@kernel
def pack(filters, bias, order, C, U, offsets, begin, end):
    """U (panels, NV, T*rows*L): some panels of the filters, of which each tap has rows for all C channels.

    filters: (1, O, 1, C*T), or (C, O, 1, T) for the input gradient. bias (O) goes to offsets (panels*NV, L).
    """
    T, line = order.size, vectors((1, 1, L))[0]
    rows, zero = (C + L - 1) // L * L, load(line, 0, 0, 0)
    for panel in range(begin, end):
        for c in range(NV):
            o = (panel * NV + c) * L
            n = min(max(bias.size - o, 0), L)
            store(offsets, panel * NV + c, 0, load_part(n, bias, min(o, bias.size - 1)))
            for k in range(filters.shape[0]):
                channel, tap = k, 0
                for w in range(0, filters.shape[3], L):
                    read_block(filters[k], panel * NV + c, 0, w, line, 0, 0)
                    for i in range(min(L, filters.shape[3] - w)):
                        store(U, panel, c, (order[tap] * rows + channel) * L, load(line, 0, i, 0))
                        tap += 1
                        if tap == T:
                            channel, tap = channel + 1, 0
            for tap in range(T):
                for channel in range(C, rows):
                    store(U, panel, c, (tap * rows + channel) * L, zero)


@kernel
def correlate(x, U, taps, bias, y, size, steps, block_rows, groups, begin, end):
    """y (N, O, OH, OW) from x (N, C, H, W), U (panels, NV, T*C*L), bias (panels*NV, L); size as in gather.

    A job is a group of panels of a block of rows of places; steps: from place to place in x, and in y.
    """
    shifts, top, tall, seen, phases = taps
    (N, C, _, W), (down, across), panels = x.shape, size, len(U)
    blocks, rows = (C + L - 1) // L, min(block_rows, down)
    room = (block_rows * across + MR - 1) // MR * MR | 1  # odd, or rows would share places in cache
    V, M = vectors((len(shifts) * blocks, 1, room)), vectors((len(phases) * NV, 1, room))
    grid = strip(rows * steps[0][0] + tall, across * steps[0][1] + shifts[-1, 1], W)
    out = strip(rows * steps[1][0], across * steps[1][1], y.shape[3])
    for job in range(begin, end):
        block, group = job // groups, job % groups
        first, last = block * block_rows, min((block + 1) * block_rows, N * down)
        if job == begin or group == 0:
            gather(x, 0, blocks, first, last, size, steps[0], shifts, top, tall, grid, V)
        for panel in range(group * panels // groups, (group + 1) * panels // groups):
            start = 0
            for f in range(len(phases)):
                part, stop = M[f * NV : (f + 1) * NV], phases[f, 2] * blocks
                if start == stop:
                    part[:] = 0  # no tap meets these pixels
                for b in range(start, stop, DEPTH):
                    now, places = min(b + DEPTH, stop), (last - first) * across
                    product(lines_of(V), U[panel], lines_of(part), places, seen, b, now, b > start)
                start = stop
            spread_out(M, panel, phases, first, last, size, steps[1], bias, out, y)


@inner
def strip(rows, columns, W):
    """A grid for strips of pictures W wide, of which so many columns are looked at."""
    return vectors((1, rows, max(columns, MARGIN + (W + L - 1) // L * L)))[0]


@kernel
def sum_taps(dy, x, partial, taps, step, block_rows, begin, end):
    """partial (chunks, panels, NV, 1, T*C*L) = dU of chunks of blocks of rows of dy (N, O, OH, OW)."""
    shifts, top, tall = taps
    chunks, panels = partial.shape[:2]
    (N, C, _, W), (OH, OW) = x.shape, dy.shape[2:]
    size, here, blocks = (OH, OW), np.array([[0, MARGIN]]), (C + L - 1) // L
    parts = (N * OH + block_rows - 1) // block_rows
    V, M = vectors((len(shifts) * blocks, 1, block_rows * OW | 1)), vectors((NV, 1, block_rows * OW | 1))
    grid = strip(min(block_rows, OH) * step[0] + tall, OW * step[1] + shifts[-1, 1], W)
    out = strip(min(block_rows, OH), MARGIN + OW, OW)
    for chunk in range(begin, end):
        for block in range(chunk * parts // chunks, (chunk + 1) * parts // chunks):
            first, last = block * block_rows, min((block + 1) * block_rows, N * OH)
            gather(x, 0, blocks, first, last, size, step, shifts, top, tall, grid, V)
            more = block > chunk * parts // chunks
            for panel in range(panels):
                gather(dy, panel * NV, NV, first, last, size, (1, 1), here, 0, 1, out, M)
                tiles, U = (last - first) * OW, partial[chunk, panel]
                outer_product(lines_of(V), lines_of(M), U, tiles, 0, len(V), more)


def block_rows_of(N: int, down: int, across: int, numbers: int) -> tuple[int, int]:
    """How many rows of places make a block, and how many blocks there are; V has `numbers` for a place."""
    return cut(N * down, across, max(MR, min(PLACES, NUMBERS // numbers)))


def run_correlate(
    x: np.ndarray,
    filters: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    taps: Taps,
    steps: tuple[tuple[int, int], tuple[int, int]],
) -> None:
    """y (N, O, OH, OW) from x (N, C, H, W), filters as in `pack` and bias (O) or None."""
    if y.size == 0:
        return
    (N, O, OH, OW), C, T = y.shape, x.shape[1], taps.order.size
    panels, blocks = -(-O // (NV * L)), -(-C // L)
    size = -(-OH // steps[1][0]), -(-OW // steps[1][1])
    bias = np.zeros(O, np.float32) if bias is None else np.ascontiguousarray(bias)
    U, offsets = empty((panels, NV, T * blocks * L * L)), empty((panels * NV, L))
    run(pack, panels, U.size, filters, bias, taps.order, C, U, offsets)
    block_rows, parts = block_rows_of(N, *size, len(taps.shifts) * blocks * L)
    groups = min(panels, -(-JOBS // parts))
    seen = (taps.seen[:, None] * blocks + np.arange(blocks)).ravel()
    where = taps.shifts, taps.top, taps.tall, seen, taps.phases
    products = N * size[0] * size[1] * O * C * T // PRODUCTS
    arrays = np.ascontiguousarray(x), U, where, offsets, y
    run(correlate, parts * groups, products, *arrays, size, steps, block_rows, groups)


def conv2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, window: Window, groups: int
) -> np.ndarray:
    """y (N, O, OH, OW) from x (N, C, H, W), weight (O, C, KH, KW) and bias (O) or None; float32."""
    (N, _, H, W), O = x.shape, len(weight)
    y = result((N, O, *window.output_size(H, W)), np.float32)
    filters = np.ascontiguousarray(weight).reshape(1, O, 1, -1)
    run_correlate(x, filters, bias, y, taps_of(window, False), (window.stride, (1, 1)))
    return y


def conv2d_input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], window: Window, groups: int
) -> np.ndarray:
    """dx (N, C, H, W) from dy (N, O, OH, OW)."""
    dx = result(x_shape, np.float32)
    filters = np.ascontiguousarray(weight).reshape(*weight.shape[:2], 1, -1)
    run_correlate(dy, filters, None, dx, taps_of(window, True), ((1, 1), window.stride))
    return dx


def conv2d_weight_gradient(dy: np.ndarray, x: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """dweight (O, C, KH, KW) from dy (N, O, OH, OW) and x (N, C, H, W)."""
    (N, O, OH, OW), C, taps = dy.shape, x.shape[1], taps_of(window, False)
    if dy.size == 0:
        return np.zeros((O, C, *window.kernel), np.float32)
    T, panels, blocks = taps.order.size, -(-O // (NV * L)), -(-C // L)
    block_rows, parts = block_rows_of(N, OH, OW, T * blocks * L)
    one = panels * NV * T * blocks * L * L  # numbers in a chunk
    chunks = min(parts, next(count for count in (8, 4, 2) if count == 2 or count * one <= SUMS))
    partial = empty((chunks, panels, NV, 1, one // panels // NV))
    arrays = np.ascontiguousarray(dy), np.ascontiguousarray(x), partial
    where = taps.shifts, taps.top, taps.tall
    run(sum_taps, chunks, dy.size * C * T // PRODUCTS, *arrays, where, window.stride, block_rows)
    dweight, finite = np.empty((O, C, *window.kernel), np.float32), np.empty(panels, np.bool_)
    rows = partial.reshape(chunks, panels, NV, -1)
    run(add_up, panels, partial.size, rows, dweight.reshape(O, 1, C * T), T, (1, blocks * L), finite)
    return dweight
