"""Convolution of interleaved pictures straight from the picture, for any window; and its input gradient.

    y[o, h, w] = bias[o] + sum of weight[o, c, kh, kw] x[c, h SH + kh DH - PT, w SW + kw DW - PL]

for all channels c and taps kh, kw. Each number of x and y is a vector here, one pixel of L pictures, and each
weight a number. A tile holds some channels of some places (h, w), neighbours or not, from which the same taps
meet the picture (see walk.py). The gradient of x is the same sum over dy, the gradient of y.
"""

from functools import lru_cache

import numpy as np
from numba import literally

from minicnn.kernels.cpu.interleaved.finish import MAX, NONE, How, finish_rows, keeps, looked_at
from minicnn.kernels.cpu.interleaved.layout import empty
from minicnn.kernels.cpu.interleaved.walk import Walk, backward_axis, forward_axis, walk_of
from minicnn.kernels.cpu.jit import inner, kernel
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.scratch import reshape, scratch
from minicnn.kernels.cpu.simd import REGISTERS, load, noinline, splat, store, tile
from minicnn.kernels.cpu.winograd_transforms import vectors
from minicnn.kernels.geometry import Window

MANY, FEW = (8, 6) if REGISTERS == 32 else (6, 4)  # channels of a tile
PLACES_OF_MANY, PLACES_OF_FEW = (
    (3, 4) if REGISTERS == 32 else (2, 3)
)  # its places, if there are so many alike
BLOCK = 1 << 12  # vectors of y that are finished at once: what an L2 cache holds
JOBS = 8  # parts of the work, where nothing else says how many
PLAIN: How = (NONE, NONE, 1, 1)


@inner
def pack(weight, turned, bias, down, across, height):
    """Panels (P, K + 1, height) of weight (O, C, KH, KW), or (C, O, KH, KW) if turned; then the bias."""
    O, C = len(bias), weight.shape[0 if turned else 1]
    K = len(across) * len(down) * C
    panels = scratch(((O + height - 1) // height, K + 1, height), weight.dtype)
    for p in range(len(panels)):
        for r in range(height):
            o, k = min(p * height + r, O - 1), 0  # the last one may come several times
            for kw in across:
                for kh in down:
                    for c in range(C):
                        panels[p, k, r] = weight[c, o, kh, kw] if turned else weight[o, c, kh, kw]
                        k += 1
            panels[p, K, r] = bias[o]
    return panels


@inner
def sum_over_taps(height, places, panel, offsets, column, tiles, source, first_pixel, y):
    """y (O, pixels, L) at the places of some tiles, from a panel (K + 1, height) of O channels."""
    noinline()
    K, last = len(offsets), len(y) - 1
    for t in range(len(tiles)):
        acc = tile(literally(height), literally(places), source)
        for r in range(height):
            for c in range(places):
                acc[r, c] = splat(panel, K, r)
        for i in range(tiles[t, 1]):
            first = tiles[t, 0] + i * column
            for k in range(first, first + tiles[t, 2]):
                for r in range(height):
                    weight = splat(panel, k, r)
                    for c in range(places):
                        acc[r, c] += weight * load(source, tiles[t, 3 + c] + offsets[k])
        for r in range(height):
            for c in range(places):
                pixel = tiles[t, 3 + places + c] - first_pixel
                store(y, min(r, last), pixel, 0, acc[r, c])


@kernel
def correlate(x, weight, turned, bias, walk, how, kept, y, out, index, begin, end):
    """Some blocks of rows of y (B, O, OH, OW, L), if it is kept, and of out and index (B, O, QH, QW, L)."""
    O, L, (OH, OW), PH = len(bias), x.shape[-1], walk.size, how[2]
    height = MANY if O >= MANY else FEW
    panels = pack(weight, turned, bias, walk.down, walk.across, height)
    held = vectors((height, walk.rows, 0 if kept else OW))
    blocks, offsets, column = len(walk.blocks) - 1, walk.offsets, walk.column
    for job in range(begin, end):
        b, block = job // blocks, job % blocks
        (t0, s0), (t1, s1) = walk.blocks[block], walk.blocks[block + 1]
        tiles, singles, source = walk.tiles[t0:t1], walk.singles[s0:s1], reshape(x[b], x[b].size)
        h0, h1 = block * walk.rows, min((block + 1) * walk.rows, OH)
        for p in range(len(panels)):
            panel, o0, o1 = panels[p], p * height, min((p + 1) * height, O)
            if kept:
                first, pixels = 0, reshape(y[b, o0:o1], (o1 - o0, y.shape[2] * y.shape[3], L))
                rows = y[b, o0:o1, h0:h1]
            else:
                first, pixels = h0 * OW, reshape(held, (height, walk.rows * OW, L))[: o1 - o0]
                rows = held[: o1 - o0, : h1 - h0]
            if height == MANY:
                sum_over_taps(MANY, PLACES_OF_MANY, panel, offsets, column, tiles, source, first, pixels)
                sum_over_taps(MANY, 1, panel, offsets, column, singles, source, first, pixels)
            else:
                sum_over_taps(FEW, PLACES_OF_FEW, panel, offsets, column, tiles, source, first, pixels)
                sum_over_taps(FEW, 1, panel, offsets, column, singles, source, first, pixels)
            q0, q1 = h0 // PH, h1 // PH
            finish_rows(rows, how, out[b, o0:o1, q0:q1], index[b, o0:o1, q0:q1])


def run_correlate(
    x: np.ndarray,
    weight: np.ndarray,
    turned: bool,
    bias: np.ndarray,
    walk: Walk,
    how: How,
    y: np.ndarray | None,
    out: np.ndarray,
    index: np.ndarray | None,
) -> None:
    """Fill in y and index, unless they are None, and out."""
    B, L, (OH, OW) = len(x), x.shape[-1], walk.size
    jobs, products = B * (len(walk.blocks) - 1), B * len(bias) * OH * OW * len(walk.offsets) * L
    arrays = out if y is None else y, out, out if index is None else index
    run(correlate, jobs, products // PRODUCTS, x, weight, turned, bias, walk, how, y is not None, *arrays)


@lru_cache(256)
def forward_walk(x_shape: tuple[int, ...], O: int, window: Window, how: How, kept: bool) -> Walk:
    """To all rows and columns; or, if they are not kept, to those that the pooling looks at."""
    (B, C, H, W, _), (_, _, PH, _) = x_shape, how
    size = window.output_size(H, W)
    OH, OW = size if kept else looked_at(size, how)
    height, places = (MANY, PLACES_OF_MANY) if O >= MANY else (FEW, PLACES_OF_FEW)
    rows = min(-(-OH * B // JOBS), BLOCK // (height * OW))
    rows = max(-(-rows // PH), 1) * PH
    return walk_of(C, forward_axis(window, 0, H, OH), forward_axis(window, 1, W, OW), OW, rows, places)


def forward(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    window: Window,
    how: How,
    wanted: bool = True,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """The convolution, an activation and a pooling.

    Parameters
    ----------
    x, weight, bias : float32 (B, C, H, W, L), (O, C, KH, KW) and (O) or None
    how : what follows, see finish.py
    wanted : whether there will be a gradient

    Returns
    -------
    out : (B, O, QH, QW, L)
    y : (B, O, OH, OW, L) before the pooling, if the gradient needs it (see finish.keeps), or None
    index : of out's shape, where in its window each maximum was; None without max pooling
    """
    (B, _, H, W, L), O, (_, pool, PH, PW) = x.shape, len(weight), how
    OH, OW = window.output_size(H, W)
    kept = keeps(how) and (wanted or pool == NONE)
    y = empty((B, O, OH, OW, L)) if kept else None
    out = empty((B, O, OH // PH, OW // PW, L)) if y is None or pool != NONE else y
    index = empty(out.shape) if pool == MAX else None
    bias = np.zeros(O, np.float32) if bias is None else bias
    walk = forward_walk(x.shape, O, window, how, kept)
    run_correlate(x, weight, False, bias, walk, how, y, out, index)
    return out, y, index


@lru_cache(256)
def backward_walks(x_shape: tuple[int, ...], dy_shape: tuple[int, ...], window: Window) -> list[Walk]:
    """One for each grid of pixels."""
    (B, C, H, W, _), (_, O, OH, OW, _), (SH, SW) = x_shape, dy_shape, window.stride
    rows = max(-(-H * B * 2 // (SH * JOBS)), 1)  # large blocks: each has few places of each kind
    places = PLACES_OF_MANY if C >= MANY else PLACES_OF_FEW
    axes = [
        (backward_axis(window, 0, OH, H, h), backward_axis(window, 1, OW, W, w))
        for h in range(min(SH, H))
        for w in range(min(SW, W))
    ]
    return [walk_of(O, down, across, W, rows, places) for down, across in axes]


def input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], window: Window
) -> np.ndarray:
    """dx (B, C, H, W, L) from dy (B, O, OH, OW, L)."""
    dx, bias = empty(x_shape), np.zeros(x_shape[1], np.float32)
    for grid in backward_walks(x_shape, dy.shape, window):
        run_correlate(dy, weight, True, bias, grid, PLAIN, dx, dx, None)
    return dx
