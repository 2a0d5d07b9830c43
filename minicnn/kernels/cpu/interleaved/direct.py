"""Convolution of interleaved pictures straight from the picture, for any window; and its two gradients.

    y[o, h, w] = bias[o] + sum over c, kh, kw of weight[o, c, kh, kw] x[c, h SH + kh DH - PT, w SW + kw DW - PL]

Each x[c, h, w] and y[o, h, w] is a vector here, one pixel of L pictures, and each weight a number. A tile holds
some channels of some places (h, w), neighbours or not: all that counts is that the same taps (kh, kw) meet the
picture from each of them. So places are sorted by their taps, once for each shape, and no padding is needed:
what it would add is zero.

The gradient of x is such a sum over dy, the gradient of y. Which taps reach a pixel of x depends on its place
modulo the stride: there is one sum for each of the SH x SW grids of pixels, with steps of 1.

For the gradient of the weight a tile holds some channels of dy times some taps, summed over all places; its
lanes are added up at the end.
"""

from collections import defaultdict
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import literally

from minicnn.kernels.cpu.interleaved.finish import MAX, NONE, How, finish_rows, keeps
from minicnn.kernels.cpu.interleaved.layout import LANES, empty
from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.simd import REGISTERS, hsum, lanes, load, load_part, noinline, splat, store, tile
from minicnn.kernels.geometry import Window

DOWN, TAPS = (3, 9) if REGISTERS == 32 else (2, 5)
MANY, FEW = (8, 6) if REGISTERS == 32 else (6, 4)  # channels of a tile
PLACES_OF_MANY, PLACES_OF_FEW = (3, 4) if REGISTERS == 32 else (2, 3)  # and its places; or one
BLOCK = 1 << 8  # vectors of y that are finished at once: what an L1 cache holds
JOBS = 8  # parts of the work
PLAIN: How = (NONE, NONE, 1, 1)


class Axis(NamedTuple):
    """Down or across: from place i, tap t sees cell i * step + shifts[t], if there is such a cell."""

    taps: tuple[int, ...]  # which of the window's
    shifts: tuple[int, ...]
    step: int
    places: range  # where the places lie in the result
    cells: int

    def met(self, i: int) -> tuple[int, int]:
        """The taps that see a cell from place i: the first, and the one after the last."""
        seeing = [t for t, shift in enumerate(self.shifts) if 0 <= i * self.step + shift < self.cells]
        return (seeing[0], seeing[-1] + 1) if seeing else (0, 0)


def forward_axis(window: Window, i: int, cells: int, places: int) -> Axis:
    """Down (i = 0) or across (1), from `cells` rows or columns to `places`."""
    kernel, dilation, before = window.kernel[i], window.dilation[i], window.padding[2 * i]
    shifts = tuple(k * dilation - before for k in range(kernel))
    return Axis(tuple(range(kernel)), shifts, window.stride[i], range(places), cells)


def backward_axis(window: Window, i: int, cells: int, places: int, phase: int) -> Axis:
    """The way back to those of `places` rows or columns that are `phase` modulo the stride."""
    stride, dilation, before = window.stride[i], window.dilation[i], window.padding[2 * i]
    reach = [phase + before - k * dilation for k in range(window.kernel[i])]
    taps = tuple(k for k, cell in enumerate(reach) if cell % stride == 0)
    return Axis(taps, tuple(reach[k] // stride for k in taps), 1, range(phase, places, stride), cells)


class Walk(NamedTuple):
    """How `correlate` goes through taps and places.

    Attributes
    ----------
    down, across : (T) the taps' numbers in the window
    offsets : (K) where the vector of a tap lies, seen from a place; by columns, then rows, then channels
    tiles, singles : (tiles, 3 + 2 * places) which taps: the first, that after the last column, how many of
        each column; then where in x the places lie, and where in y
    blocks : (blocks + 1, 2) where the tiles and the singles of each block of rows begin
    rows : in a block
    places : down and across
    """

    down: np.ndarray
    across: np.ndarray
    offsets: np.ndarray
    tiles: np.ndarray
    singles: np.ndarray
    blocks: np.ndarray
    rows: int
    places: tuple[int, int]


def walk(C: int, down: Axis, across: Axis, width: int, rows: int, places: int) -> Walk:
    """Over C channels, to y whose rows are `width` long, some rows at once, in tiles of some places."""
    tiles: list[tuple[int, ...]] = []
    singles: list[tuple[int, ...]] = []
    blocks = [(0, 0)]
    column = len(down.taps) * C  # taps in a column
    lines, columns = ([axis.met(i) for i in range(len(axis.places))] for axis in (down, across))
    for first in range(0, len(lines), rows):
        alike = defaultdict(list)  # places by the taps that meet
        for h in range(first, min(first + rows, len(lines))):
            for w, (begin, end) in enumerate(columns):
                top, bottom = lines[h][0] * C, lines[h][1] * C
                met = begin * column + top, end * column, bottom - top
                if (end - begin) * (bottom - top) == column * len(across.taps):
                    met = 0, column, column * len(across.taps)  # all of them are one long column
                source = (h * down.step * across.cells + w * across.step) * LANES
                alike[met].append((source, down.places[h] * width + across.places[w]))
        for met, where in alike.items():
            full = len(where) // places * places
            for i in range(0, full, places):
                sources, targets = zip(*where[i : i + places], strict=True)
                tiles.append((*met, *sources, *targets))
            singles += [(*met, *place) for place in where[full:]]
        blocks.append((len(tiles), len(singles)))
    shifts = np.array(across.shifts)[:, None, None] + np.array(down.shifts)[:, None] * across.cells
    offsets = (shifts + np.arange(C) * down.cells * across.cells) * LANES
    return Walk(
        np.array(down.taps, np.int64),
        np.array(across.taps, np.int64),
        offsets.ravel().astype(np.int64),
        np.array(tiles, np.int64).reshape(-1, 3 + 2 * places),
        np.array(singles, np.int64).reshape(-1, 5),
        np.array(blocks),
        rows,
        (len(lines), len(columns)),
    )


@jit
def vectors(count):
    """Room for some vectors, each in a line of the cache of its own."""
    memory = np.empty((count + 1) * LANES, np.float32)
    first = -(memory.ctypes.data // 4) % LANES
    return memory[first : first + count * LANES]


@jit
def pack(weight, turned, bias, down, across, height):
    """Panels (P, K + 1, height) of weight (O, C, KH, KW), or (C, O, KH, KW) if turned; the last row is bias."""
    O, C = len(bias), weight.shape[0 if turned else 1]
    K = len(across) * len(down) * C
    panels = np.empty(((O + height - 1) // height, K + 1, height), weight.dtype)
    for p in range(len(panels)):
        for r in range(height):
            o, k = min(p * height + r, O - 1), 0  # the last channel again and again
            for kw in across:
                for kh in down:
                    for c in range(C):
                        panels[p, k, r] = weight[c, o, kh, kw] if turned else weight[o, c, kh, kw]
                        k += 1
            panels[p, K, r] = bias[o]
    return panels


@jit
def sum_over_taps(height, places, panel, offsets, column, tiles, begin, end, source, y, base):
    """y (O, pixels, L) at the places of some tiles, from a panel (K + 1, height >= O)."""
    noinline()
    K, last = len(offsets), len(y) - 1
    for t in range(begin, end):
        acc = tile(literally(height), literally(places), source)
        for first in range(tiles[t, 0], tiles[t, 1], column):
            for k in range(first, first + tiles[t, 2]):
                for r in range(height):
                    weight = splat(panel, k, r)
                    for c in range(places):
                        acc[r, c] += weight * load(source, tiles[t, 3 + c] + offsets[k])
        for r in range(height):
            for c in range(places):
                at = tiles[t, 3 + places + c] - base
                store(y, min(r, last), at, 0, acc[r, c] + splat(panel, K, r))


@jit
def correlate(x, weight, turned, bias, y, kept, out, index, how, walk, parts, begin, end):
    """y (B, O, OH, OW, L), if it is kept, and out, index (B, O, QH, QW, L) for some parts of the pictures.

    Those of `forward`; or, with how = PLAIN, one grid of pixels of an input gradient y.
    """
    (_, C, _, _, L), O, (OH, OW), PH = x.shape, len(bias), walk.places, how[2]
    height = MANY if O >= MANY else FEW
    panels, column = pack(weight, turned, bias, walk.down, walk.across, height), max(len(walk.down) * C, 1)
    own, blocks = vectors(height * walk.rows * OW), len(walk.blocks) - 1
    for job in range(begin, end):
        b, part = job // parts, job % parts
        source = x[b].reshape(-1)
        for block in range(part * blocks // parts, (part + 1) * blocks // parts):
            h = block * walk.rows
            rows = min(walk.rows, OH - h)
            (t0, s0), (t1, s1) = walk.blocks[block], walk.blocks[block + 1]
            for p in range(len(panels)):
                panel, o = panels[p], p * height
                count = min(height, O - o)
                if kept:
                    target, base = y[b, o : o + count].reshape(count, -1, L), 0
                    finished = y[b, o : o + count, h : h + rows]
                else:
                    target, base = own[: count * walk.rows * OW * L].reshape(count, -1, L), h * OW
                    finished = own.reshape(height, -1, OW, L)[:count, :rows]
                if height == MANY:
                    sum_over_taps(
                        MANY,
                        PLACES_OF_MANY,
                        panel,
                        walk.offsets,
                        column,
                        walk.tiles,
                        t0,
                        t1,
                        source,
                        target,
                        base,
                    )
                    sum_over_taps(
                        MANY, 1, panel, walk.offsets, column, walk.singles, s0, s1, source, target, base
                    )
                else:
                    sum_over_taps(
                        FEW,
                        PLACES_OF_FEW,
                        panel,
                        walk.offsets,
                        column,
                        walk.tiles,
                        t0,
                        t1,
                        source,
                        target,
                        base,
                    )
                    sum_over_taps(
                        FEW, 1, panel, walk.offsets, column, walk.singles, s0, s1, source, target, base
                    )
                q0, q1 = h // PH, (h + rows) // PH
                finish_rows(finished, how, out[b, o : o + count, q0:q1], index[b, o : o + count, q0:q1])


@lru_cache(256)
def forward_walk(x_shape: tuple[int, ...], O: int, window: Window, how: How) -> Walk:
    """Of a convolution and what follows it."""
    (B, C, H, W, _), (_, pool, PH, PW) = x_shape, how
    OH, OW = window.output_size(H, W)
    if not keeps(how):  # no matter what no window of the pooling looks at
        OH, OW = OH // PH * PH, OW // PW * PW
    height, places = (MANY, PLACES_OF_MANY) if O >= MANY else (FEW, PLACES_OF_FEW)
    rows = max(BLOCK // (height * OW * PH), 1) * PH if how != PLAIN else -(-OH // -(-JOBS // B))
    down, across = forward_axis(window, 0, H, OH), forward_axis(window, 1, W, OW)
    return walk(C, down, across, OW, rows, places)


@lru_cache(256)
def backward_walks(x_shape: tuple[int, ...], dy_shape: tuple[int, ...], window: Window) -> list[Walk]:
    """Of an input gradient, one for each grid of pixels."""
    (B, C, H, W, _), (_, O, OH, OW, _), (SH, SW) = x_shape, dy_shape, window.stride
    places = PLACES_OF_MANY if C >= MANY else PLACES_OF_FEW
    return [
        walk(
            O,
            backward_axis(window, 0, OH, H, h),
            backward_axis(window, 1, OW, W, w),
            W,
            -(-H // SH // -(-JOBS // B)),
            places,
        )
        for h in range(min(SH, H))
        for w in range(min(SW, W))
    ]


def run_correlate(x, weight, turned, bias, y, out, index, how, walk) -> None:
    B, L = len(x), x.shape[-1]
    parts = min(-(-JOBS // B), len(walk.blocks) - 1)
    products = B * L * len(bias) * walk.places[0] * walk.places[1] * len(walk.offsets) // PRODUCTS
    kept = y is not None
    y = y if kept else out
    run(correlate, B * parts, products, x, weight, turned, bias, y, kept, out, index, how, walk, parts)


def forward(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, window: Window, how: How
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """y, index."""
    (B, _, H, W, L), O = x.shape, len(weight)
    OH, OW = window.output_size(H, W)
    _, pool, PH, PW = how
    y = empty((B, O, OH, OW, L)) if keeps(how) else None
    out = y if pool == NONE else empty((B, O, OH // PH, OW // PW, L))
    index = empty(out.shape) if pool == MAX else None
    bias = np.zeros(O, np.float32) if bias is None else bias
    run_correlate(
        x,
        weight,
        False,
        bias,
        y,
        out,
        out if index is None else index,
        how,
        forward_walk(x.shape, O, window, how),
    )
    return out, y, index


def input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], window: Window
) -> np.ndarray:
    dx, bias = empty(x_shape), np.zeros(x_shape[1], np.float32)
    for walk in backward_walks(x_shape, dy.shape, window):
        run_correlate(dy, weight, True, bias, dx, dx, dx, PLAIN, walk)
    return dx


@jit
def pad(x, size, top, left, padded):
    """The picture x (C, H, W, L) and zeros around it, or as much of both as its size (rows, columns, plane) holds."""
    (C, H, W, L), (rows, columns, plane) = x.shape, size
    for c in range(C):
        for h in range(rows):
            for w in range(columns):
                at, inside = (c * plane + h * columns + w) * L, 0 <= h - top < H and 0 <= w - left < W
                i, j = min(max(h - top, 0), H - 1), min(max(w - left, 0), W - 1)
                store(padded, at, load_part(L if inside else 0, x, c, i, j, 0))


@jit
def sum_over_places(dy, o, size, source, offsets, k, down, across, sums):
    """sums (DOWN, K, L)[:, k : k + TAPS] += channels o to o + DOWN of dy (pixels of a picture) times source."""
    noinline()
    L, (O, OH, OW) = lanes(source), size
    acc = tile(DOWN, TAPS, source)
    for h in range(OH):
        for w in range(OW):
            for c in range(TAPS):
                v = load(source, offsets[k + c] + h * down + w * across)
                for r in range(DOWN):
                    acc[r, c] += v * load(dy, (min(o + r, O - 1) * OH + h) * OW + w, 0)
    for r in range(DOWN):
        for c in range(TAPS):
            store(sums, r, k + c, 0, load(sums, r, k + c, 0) + acc[r, c])


@jit
def correlate_gradients(dy, x, padding, size, steps, offsets, blocks, partial, begin, end):
    """partial (chunks, panels * DOWN, K), sums over chunks of the groups, for some blocks of panels of channels."""
    (B, O, OH, OW, L), C, (chunks, height, K) = dy.shape, x.shape[1], partial.shape
    panels = height // DOWN
    sums = vectors(height * K).reshape(height, K, L)
    padded = vectors(C * size[2] if padding[0] else 0)
    for job in range(begin, end):
        chunk, block = job // blocks, job % blocks
        first, last = block * panels // blocks, (block + 1) * panels // blocks
        sums[: (last - first) * DOWN] = 0
        for b in range(chunk * B // chunks, (chunk + 1) * B // chunks):
            source, lines = x[b].reshape(-1), dy[b].reshape(-1, L)
            if padding[0]:
                pad(x[b], size, padding[1], padding[2], padded)
                source = padded
            for p in range(first, last):
                own = sums[(p - first) * DOWN : (p + 1 - first) * DOWN]
                for k in range(0, K, TAPS):
                    sum_over_places(lines, p * DOWN, (O, OH, OW), source, offsets, k, steps[0], steps[1], own)
        for i in range((last - first) * DOWN):
            for k in range(K):
                partial[chunk, first * DOWN + i, k] = hsum(load(sums, i, k, 0))


@lru_cache(256)
def offsets_of(C: int, window: Window, plane: int, width: int) -> np.ndarray:
    """Where the vector of each tap lies (C * KH * KW), and of some more, as many as tiles of TAPS hold."""
    (KH, KW), (DH, DW) = window.kernel, window.dilation
    lines = np.arange(C)[:, None] * plane + np.arange(KH) * DH * width
    offsets = (lines[..., None] + np.arange(KW) * DW).ravel() * LANES
    return np.resize(offsets, -(-offsets.size // TAPS) * TAPS)


def weight_gradient(dy: np.ndarray, x: np.ndarray, window: Window) -> np.ndarray:
    """dweight (O, C, KH, KW) from dy (B, O, OH, OW, L) and x (B, C, H, W, L)."""
    (B, O, OH, OW, L), (_, C, H, W, _) = dy.shape, x.shape
    padded = any(window.padding)
    tall, wide = window.extent()
    rows, columns = (
        ((OH - 1) * window.stride[0] + tall, (OW - 1) * window.stride[1] + wide) if padded else (H, W)
    )
    plane = rows * columns | padded  # odd
    offsets = offsets_of(C, window, plane, columns)
    panels = -(-O // DOWN)
    chunks = min(B, JOBS) if padded else max(min(B, JOBS // panels), 1)
    blocks = min(panels, -(-JOBS // chunks))
    partial = np.empty((chunks, panels * DOWN, offsets.size), np.float32)
    steps = window.stride[0] * columns * L, window.stride[1] * L
    padding = padded, window.padding[0], window.padding[2]
    run(
        correlate_gradients, chunks * blocks, dy.size * offsets.size // PRODUCTS, dy, x, padding,
        (rows, columns, plane), steps, offsets, blocks, partial,
    )  # fmt: skip
    K = C * window.kernel[0] * window.kernel[1]
    return partial.sum(axis=0)[:O, :K].reshape(O, C, *window.kernel)
