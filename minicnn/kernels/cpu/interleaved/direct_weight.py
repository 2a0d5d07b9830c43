"""The weight gradient of a direct convolution of interleaved pictures, for any window.

    dweight[o, c, kh, kw] = sum of dy[o, h, w] x[c, h SH + kh DH - PT, w SW + kw DW - PL]

for all places (h, w). A tile holds some channels of dy times some taps (c, kh, kw). Its lanes, one a picture,
are added up when all pictures have been through it. There are wide tiles and tall ones: 16 channels and 150
taps are 100 tiles of 4 x 6, while of 3 x 9 they are 102, which hold a seventh more.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import literally

from minicnn.kernels.cpu.interleaved.direct import JOBS, PLAIN
from minicnn.kernels.cpu.interleaved.finish import CURVES, MAX, How, add_up, gradient, rows_gradient, sums_of
from minicnn.kernels.cpu.interleaved.layout import LANES
from minicnn.kernels.cpu.jit import inner, kernel
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.scratch import reshape, zeros
from minicnn.kernels.cpu.simd import REGISTERS, hsum, load, noinline, store, tile
from minicnn.kernels.cpu.winograd_transforms import vectors
from minicnn.kernels.geometry import Window

WIDE, TALL = ((3, 9), (4, 6)) if REGISTERS == 32 else ((2, 5), (3, 4))  # tiles: channels of dy, taps
TERMS = 256  # places summed in one go: longer sums round more


class Sweep(NamedTuple):
    """How a weight gradient goes through its sums.

    Attributes
    ----------
    places : OH, OW
    tile : WIDE or TALL
    padded : whether the picture is copied, with zeros around it
    padding : rows above and columns left of it
    size : rows, columns and vectors of a channel of the copy
    offsets : (K) where each tap's vector lies, seen from a place; and some more, to fill the last tile
    steps : from a place's numbers to those of the next, down and across
    chunks, blocks : parts of the groups of pictures, and of the channels of dy
    """

    places: tuple[int, int]
    tile: tuple[int, int]
    padded: bool
    padding: tuple[int, int]
    size: tuple[int, int, int]
    offsets: np.ndarray
    steps: tuple[int, int]
    chunks: int
    blocks: int


@lru_cache(256)
def sweep_of(B: int, O: int, places: tuple[int, int], x_shape: tuple[int, ...], window: Window) -> Sweep:
    """From dy (B, O, OH, OW, L) and x (B, C, H, W, L)."""
    (OH, OW), (_, C, H, W, _), (SH, SW), (top, _, left, _) = places, x_shape, window.stride, window.padding
    (KH, KW), (DH, DW), extent = window.kernel, window.dilation, window.extent()
    # that of which all tiles together are smallest
    tile = min(WIDE, TALL, key=lambda t: -(-O // t[0]) * t[0] * -(-C * KH * KW // t[1]) * t[1])
    size, padded, panels = (H, W, H * W), any(window.padding), -(-O // tile[0])
    chunks = max(min(B, JOBS // panels), 1)
    if padded:
        rows, columns = (OH - 1) * SH + extent[0], (OW - 1) * SW + extent[1]
        size = rows, columns, rows * columns | 1  # odd, or channels would share places in the cache
        chunks = min(B, JOBS)  # each block of channels has to pad the pictures again
    _, columns, plane = size
    lines = np.arange(C)[:, None] * plane + np.arange(KH) * DH * columns
    offsets = (lines[..., None] + np.arange(KW) * DW).ravel() * LANES
    offsets = np.resize(offsets, -(-offsets.size // tile[1]) * tile[1])
    steps = SH * columns * LANES, SW * LANES
    blocks = min(panels, -(-JOBS // chunks))
    return Sweep(places, tile, padded, (top, left), size, offsets, steps, chunks, blocks)


@inner
def pad(x, padding, size, padded):
    """x (C, H, W, L) into the middle of zeros; what does not fit is cut off."""
    (C, H, W, L), (rows, columns, plane), (top, left) = x.shape, size, padding
    for c in range(C):
        for h in range(max(0, -top), min(H, rows - top)):
            at = c * plane + (h + top) * columns + left
            for w in range(max(0, -left), min(W, columns - left)):
                store(padded, (at + w) * L, load(x, c, h, w, 0))


@inner
def sum_over_rows(height, taps, lines, part, source, offsets, k, steps, sums):
    """sums (height, K, L)[:, k : k + taps] += part of lines (O, OH * OW, L), O <= height, times the source.

    The part is some rows: OW, the first, and where they end.
    """
    noinline()
    O, (OW, begin, end), (down, across) = len(lines), part, steps
    acc = tile(literally(height), literally(taps), source)
    for h in range(begin, end):
        for w in range(OW):
            for c in range(taps):
                v = load(source, offsets[k + c] + h * down + w * across)
                for r in range(height):
                    acc[r, c] += v * load(lines, min(r, O - 1), h * OW + w, 0)
    for r in range(height):
        for c in range(taps):
            store(sums, r, k + c, 0, load(sums, r, k + c, 0) + acc[r, c])


@kernel
def correlate_gradients(dout, y, index, how, finished, x, sweep, partial, dbias, begin, end):
    """partial (chunks, O, K) and dbias (B, O), for some chunks of the groups and blocks of the channels.

    If rows were finished, a tile's channels of dy are made of dout, y and index here; else dout is dy.
    """
    (B, O, _, _, L), (OH, OW), (chunks, _, K), C = dout.shape, sweep.places, partial.shape, x.shape[1]
    (height, taps), blocks, rows = sweep.tile, sweep.blocks, max(TERMS // OW, 1)
    offsets, steps = sweep.offsets, sweep.steps
    panels = (O + height - 1) // height
    sums = vectors((panels, height, K))
    made = vectors((height, OH, OW if finished else 0))
    around = zeros(C * sweep.size[2] * L if sweep.padded else 0, x.dtype)
    for job in range(begin, end):
        chunk, block = job // blocks, job % blocks
        first, last = block * panels // blocks, (block + 1) * panels // blocks
        sums[first:last] = 0
        for b in range(chunk * B // chunks, (chunk + 1) * B // chunks):
            source = reshape(x[b], x[b].size)
            if sweep.padded:
                pad(x[b], sweep.padding, sweep.size, around)
                source = around
            for p in range(first, last):
                o0, o1 = p * height, min((p + 1) * height, O)
                lines = dout[b, o0:o1]
                if finished:
                    lines = made[: o1 - o0]
                    given = dout[b, o0:o1], y[b, o0:o1], index[b, o0:o1]
                    rows_gradient(*given, how, lines, dbias[b, o0:o1], 0, o1 - o0)
                lines = reshape(lines, (o1 - o0, lines.shape[1] * lines.shape[2], L))
                for h in range(0, OH, rows):
                    part = OW, h, min(h + rows, OH)
                    for k in range(0, K, taps):
                        if sweep.tile == WIDE:
                            sum_over_rows(WIDE[0], WIDE[1], lines, part, source, offsets, k, steps, sums[p])
                        else:
                            sum_over_rows(TALL[0], TALL[1], lines, part, source, offsets, k, steps, sums[p])
        for p in range(first, last):
            for r in range(min(height, O - p * height)):
                for k in range(K):
                    partial[chunk, p * height + r, k] = hsum(load(sums, p, r, k, 0))


def run_gradients(
    dout: np.ndarray,
    y: np.ndarray,
    index: np.ndarray,
    how: How,
    x: np.ndarray,
    size: tuple[int, int],
    window: Window,
) -> tuple[np.ndarray, np.ndarray]:
    """dweight, and sums (B, O) of dy, which are not computed without `how`."""
    (B, O), C, (OH, OW) = dout.shape[:2], x.shape[1], size
    sweep = sweep_of(B, O, size, x.shape, window)
    partial, sums = np.empty((sweep.chunks, O, sweep.offsets.size), np.float32), np.empty((B, O), np.float32)
    products = B * O * OH * OW * LANES * sweep.offsets.size
    given = dout, y, index, how, how != PLAIN, x, sweep, partial, sums
    run(correlate_gradients, sweep.chunks * sweep.blocks, products // PRODUCTS, *given)
    KH, KW = window.kernel
    dweight = np.empty((O, C, KH, KW), np.float32)
    run(add_up, O, partial.size, partial, dweight.reshape(O, C * KH * KW))
    return dweight, sums


def weight_gradient(dy: np.ndarray, x: np.ndarray, window: Window) -> np.ndarray:
    """dweight (O, C, KH, KW) from dy (B, O, OH, OW, L) and x (B, C, H, W, L)."""
    return run_gradients(dy, dy, dy, PLAIN, x, dy.shape[2:4], window)[0]


def parameter_gradients(
    dout: np.ndarray,
    out: np.ndarray,
    y: np.ndarray | None,
    index: np.ndarray | None,
    how: How,
    x: np.ndarray,
    window: Window,
) -> tuple[np.ndarray, np.ndarray]:
    """dweight and dbias where dx is not wanted: dy is made plane by plane in the cache, never as a whole.

    Parameters
    ----------
    dout : (B, O, QH, QW, L), the gradient of `forward`'s out
    out, y, index, how : what `forward` gave and took

    Returns
    -------
    dweight : (O, C, KH, KW)
    dbias : (O)
    """
    (activation, pool, _, _), size = how, window.output_size(*x.shape[2:4])
    if how == PLAIN or (pool == MAX and activation in CURVES):  # nothing to make, or not plane by plane
        dy, dbias = gradient(dout, out, y, index, how, (*dout.shape[:2], *size, LANES))
        return weight_gradient(dy, x, window), dbias
    given = dout if y is None else y, dout if index is None else index
    dweight, sums = run_gradients(dout, *given, how, x, size, window)
    return dweight, sums_of(sums)
