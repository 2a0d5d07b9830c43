"""Convolution straight from the picture: no columns are laid out. For few channels, above all.

    y[o, h, w] = bias[o] + sum over k of weight[o, k] strip[offset[k] + h step + w]

is a product of matrices in which a row of B is the padded picture itself, shifted by the offset of tap
k = (c, kh, kw) (see strips.py). A tile holds some output channels times some rows times a vector of places;
where rows are too short to fill vectors, some pixels times a vector of output channels, turned afterwards.

The gradient of x is the same product: y's gradient, padded, with the filters turned by half a turn and their
channels swapped. That of the weight sums dy times the shifted picture: over pixels, with dy turned and its
channels in the lanes; or, if it has few, over places, the lanes added up at the end.
"""

import numpy as np
from numba import literally

from minicnn.kernels.cpu.graph import again
from minicnn.kernels.cpu.jit import inner, kernel
from minicnn.kernels.cpu.memory import result
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.scratch import reshape, scratch, zeros
from minicnn.kernels.cpu.simd import (
    BYTES,
    REGISTERS,
    hsum,
    lanes,
    load,
    load_part,
    noinline,
    splat,
    store,
    store_part,
    tile,
)
from minicnn.kernels.cpu.strips import empty_strip, fill_strip, strip_of
from minicnn.kernels.cpu.transpose import transpose
from minicnn.kernels.geometry import Window

MR, NV = (8, 2) if REGISTERS == 32 else (4, 2)  # a tile: output channels, output rows
FEW, WIDE = (6, 4) if REGISTERS == 32 else (6, 2)  # the tile for up to six channels
DOWN, ACROSS = 2, 5  # a tile of pixels, each a vector of output channels
TAPS = 9 if REGISTERS == 32 else 6  # of a tile with two vectors of output channels
PART = 1 << 13  # numbers of dy that are summed at once: what an L1 cache holds
BAND = 1 << 14  # numbers in a strip: what an L1 or L2 cache holds


@inner
def pack(weight, rows):
    """weight (G, M, K) as panels of some rows (G, M/rows, K, rows); missing rows are 0."""
    G, M, K = weight.shape
    panels = zeros((G, (M + rows - 1) // rows, K, rows), weight.dtype)
    for g in range(G):
        for i in range(M):
            for k in range(K):
                panels[g, i // rows, k, i % rows] = weight[g, i, k]
    return panels


@inner
def band_of_tiles(rows, cols, panel, offsets, strip, step, bias, y, i, begin, end):
    """y[i:i+rows, begin:end] from a strip that starts at output row `begin`."""
    noinline()
    L, (M, _, OW) = lanes(strip), y.shape
    for h in range(begin, end, cols):
        for w in range(0, OW, L):
            acc = tile(literally(rows), literally(cols), strip)
            for k in range(offsets.size):
                at = offsets[k] + (h - begin) * step + w
                for r in range(rows):
                    weight = splat(panel, k, r)
                    for c in range(cols):
                        acc[r, c] += weight * load(strip, at + c * step)
            n = min(L, OW - w)
            for r in range(rows):
                if i + r < M:
                    for c in range(cols):
                        there = n if h + c < end else 0  # an `if` would keep the tile out of registers
                        store_part(there, y, i + r, min(h + c, end - 1), w, acc[r, c] + splat(bias, i + r))


@kernel
def correlate(x, weight, bias, y, shape, step, offsets, numbers, band, begin, end):
    """y (N, G, M, OH, OW) from x (N, G, C, H, W), weight (G, M, K) and bias (G, M); some bands of rows."""
    _, G, M, OH, _ = y.shape
    few = M <= FEW
    panels = pack(weight, FEW if few else MR)
    strip = empty_strip(shape, x)
    bands = (OH + band - 1) // band
    for job in range(begin, end):
        n, g, row0 = job // (G * bands), job // bands % G, job % bands * band
        last = min(row0 + band, OH)
        fill_strip(x[n, g], strip, shape, row0 * numbers[2], numbers)
        for p in range(panels.shape[1]):
            panel, out = panels[g, p], y[n, g]
            if few:
                band_of_tiles(FEW, WIDE, panel, offsets, strip, step, bias[g], out, p * FEW, row0, last)
            else:
                band_of_tiles(MR, NV, panel, offsets, strip, step, bias[g], out, p * MR, row0, last)


@inner
def band_of_pixels(weight, offsets, strip, step, bias, OW, rows, pixels, o):
    """pixels (rows*OW, W)[:, o:o+L] of a band, from weight (K, W) and bias (W): channels in the lanes.

    The last tile of a row begins earlier, the last row may be one too many.
    """
    noinline()
    for h in range(0, rows, DOWN):
        for first in range(0, OW, ACROSS):
            w = min(first, OW - ACROSS)
            acc = tile(DOWN, ACROSS, strip)
            for k in range(offsets.size):
                v, at = load(weight, k, o), offsets[k] + h * step + w
                for r in range(DOWN):
                    for c in range(ACROSS):
                        acc[r, c] += splat(strip, at + r * step + c) * v
            for r in range(DOWN):
                for c in range(ACROSS):
                    store(pixels, (h + r) * OW + w + c, o, acc[r, c] + load(bias, o))


@kernel
def correlate_short_rows(x, weight, bias, y, shape, step, offsets, numbers, band, begin, end):
    """The same as correlate, for rows so short that places would leave many lanes empty."""
    (_, G, M, OH, OW), L = y.shape, lanes(x)
    wide = (M + L - 1) // L * L
    turned, offset = zeros((G, offsets.size, wide), x.dtype), zeros((G, wide), x.dtype)
    for g in range(G):
        transpose(weight[g, :, : offsets.size], turned[g])  # a slice: of another type, it compiles anew
        for i in range(M):
            offset[g, i] = bias[g, i]
    strip, pixels = empty_strip(shape, x), scratch(((band + DOWN - 1) * OW, wide), x.dtype)
    bands = (OH + band - 1) // band
    for job in range(begin, end):
        n, g, row0 = job // (G * bands), job // bands % G, job % bands * band
        rows = min(band, OH - row0)
        fill_strip(x[n, g], strip, shape, row0 * numbers[2], numbers)
        for o in range(0, wide, L):
            band_of_pixels(turned[g], offsets, strip, step, offset[g], OW, rows, pixels, o)
        out = reshape(y[n, g], (M, OH * OW))[:, row0 * OW : (row0 + rows) * OW]
        transpose(pixels[: rows * OW, :M], out)


def run_correlate(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray, window: Window) -> None:
    """y (N, G, M, OH, OW) from x (N, G, C, H, W), weight (G, M, K) and bias (G, M)."""
    N, G, M, OH, OW = y.shape
    C, H, W = x.shape[2:]
    line = C * (W + window.extent()[1]) * window.stride[0]
    band = max(BAND // line // WIDE, 1) * WIDE
    band = OH if band >= OH else band
    strip = strip_of(C, -(-band // WIDE) * WIDE, OW, W, window)
    L = BYTES // x.itemsize
    short = ACROSS <= OW <= 3 * L // 4 and M > FEW
    jobs, products = N * G * -(-OH // band), y.size * weight.shape[2] // PRODUCTS
    settings = strip.shape, strip.step, strip.offsets, window.numbers(), band
    run(correlate_short_rows if short else correlate, jobs, products, x, weight, bias, y, *settings)


def conv2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, window: Window, groups: int
) -> np.ndarray:
    """y (N, O, OH, OW) from x (N, C, H, W), weight (O, C/G, KH, KW) and bias (O) or None."""
    (N, C, H, W), O = x.shape, len(weight)
    y = result((N, O, *window.output_size(H, W)), x.dtype)
    bias = np.zeros(O, x.dtype) if bias is None else np.ascontiguousarray(bias)
    run_correlate(
        np.ascontiguousarray(x).reshape(N, groups, C // groups, H, W),
        np.ascontiguousarray(weight).reshape(groups, O // groups, -1),
        bias.reshape(groups, -1),
        y.reshape(N, groups, O // groups, *y.shape[2:]),
        window,
    )
    return y


def conv2d_input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], window: Window, groups: int
) -> np.ndarray:
    """dx (N, C, H, W) from dy (N, O, OH, OW), for stride 1."""
    (N, _, H, W), (O, CG), (tall, wide) = x_shape, weight.shape[:2], window.extent()
    top, bottom, left, right = window.padding
    back = window._replace(padding=(tall - 1 - top, tall - 1 - bottom, wide - 1 - left, wide - 1 - right))
    filters = weight.reshape(groups, O // groups, CG, *weight.shape[2:])[..., ::-1, ::-1]
    turned = again(np.ascontiguousarray, filters.swapaxes(1, 2))
    dx = result(x_shape, dy.dtype)
    run_correlate(
        np.ascontiguousarray(dy).reshape(N, groups, O // groups, *dy.shape[2:]),
        turned.reshape(groups, CG, -1),
        np.zeros((groups, CG), dy.dtype),
        dx.reshape(N, groups, CG, H, W),
        back,
    )
    return dx


@inner
def pack_gradient(dy, panel):
    """Some rows of dy (M, rows, OW) as vectors (rows, OW/L, FEW, L), the last one of a row filled with 0."""
    L, (M, rows, OW) = lanes(dy), dy.shape
    for i in range(M):
        for h in range(rows):
            for w in range(0, OW, L):
                store(panel, h, w // L, i, 0, load_part(min(L, OW - w), dy, i, h, w))


@inner
def sum_over_places(panel, strip, offsets, step, rows, OW, sums, k):
    """sums (FEW, K, L)[:, k:k+WIDE] += dy's vectors (rows, OW/L, FEW, L) times the shifted strip."""
    noinline()
    L = lanes(strip)
    last = (OW - 1) // L * L
    acc = tile(FEW, WIDE, strip)
    for h in range(rows):
        at = h * step
        for w in range(0, last, L):
            for r in range(FEW):
                v = load(panel, h, w // L, r, 0)
                for c in range(WIDE):
                    acc[r, c] += v * load(strip, offsets[k + c] + at + w)
        for r in range(FEW):
            v = load(panel, h, last // L, r, 0)
            for c in range(WIDE):
                acc[r, c] += v * load_part(OW - last, strip, offsets[k + c] + at + last)
    for r in range(FEW):
        for c in range(WIDE):
            store(sums, r, k + c, 0, load(sums, r, k + c, 0) + acc[r, c])


@inner
def sum_over_pixels(cols, pixels, strip, offsets, step, OW, sums, k, o):
    """sums (K, O)[k:k+TAPS, o:o+cols*L] += dy's pixels (rows*OW, O) times the shifted strip."""
    noinline()
    L = lanes(strip)
    acc = tile(TAPS, literally(cols), strip)
    for h in range(pixels.shape[0] // OW):
        for w in range(OW):
            for r in range(TAPS):
                v = splat(strip, offsets[k + r] + h * step + w)
                for c in range(cols):
                    acc[r, c] += v * load(pixels, h * OW + w, o + c * L)
    for r in range(TAPS):
        for c in range(cols):
            store(sums, k + r, o + c * L, load(sums, k + r, o + c * L) + acc[r, c])


@kernel
def few_weight_gradient(dy, x, partial, shape, step, offsets, numbers, band, begin, end):
    """partial (chunks, G, K, M) from dy (N, G, M, OH, OW) and x (N, G, C, H, W), for M <= FEW."""
    (chunks, G, K, M), (N, _, _, OH, OW), L = partial.shape, dy.shape, lanes(x)
    panel = zeros((band, (OW + L - 1) // L, FEW, L), x.dtype)
    strip = empty_strip(shape, x)
    for job in range(begin, end):
        t, g = job // G, job % G
        sums = zeros((FEW, K, L), x.dtype)
        for n in range(t * N // chunks, (t + 1) * N // chunks):
            for row0 in range(0, OH, band):
                rows = min(band, OH - row0)
                fill_strip(x[n, g], strip, shape, row0 * numbers[2], numbers)
                pack_gradient(dy[n, g, :, row0 : row0 + rows], panel)
                for k in range(0, K, WIDE):
                    sum_over_places(panel, strip, offsets, step, rows, OW, sums, k)
        for m in range(M):
            for k in range(K):
                partial[t, g, k, m] = hsum(load(sums, m, k, 0))


@kernel
def weight_gradient(dy, x, partial, shape, step, offsets, numbers, band, begin, end):
    """partial (chunks, G, K, M), M in whole vectors, from dy (N, G, O, OH, OW) and x (N, G, C, H, W)."""
    (chunks, G, K, M), (N, _, O, OH, OW), L = partial.shape, dy.shape, lanes(x)
    pixels = zeros((band * OW, M), x.dtype)
    strip = empty_strip(shape, x)
    for job in range(begin, end):
        t, g = job // G, job % G
        sums = partial[t, g]
        sums[:] = 0
        for n in range(t * N // chunks, (t + 1) * N // chunks):
            for row0 in range(0, OH, band):
                rows = min(band, OH - row0)
                fill_strip(x[n, g], strip, shape, row0 * numbers[2], numbers)
                transpose(reshape(dy[n, g], (O, OH * OW))[:, row0 * OW : (row0 + rows) * OW], pixels)
                now = pixels[: rows * OW]
                for o in range(0, M, 2 * L):
                    for k in range(0, K, TAPS):
                        if o + 2 * L <= M:
                            sum_over_pixels(2, now, strip, offsets, step, OW, sums, k, o)
                        else:
                            sum_over_pixels(1, now, strip, offsets, step, OW, sums, k, o)


def conv2d_weight_gradient(dy: np.ndarray, x: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """dweight (O, C/G, KH, KW) from dy (N, O, OH, OW) and x (N, C, H, W)."""
    (N, O, OH, OW), (_, C, H, W) = dy.shape, x.shape
    L, CG, OG = BYTES // dy.itemsize, C // groups, O // groups
    few = OG <= FEW
    wide = FEW * -(-OW // L) * L if few else OW * -(-OG // L) * L  # numbers that a row of dy becomes
    band = min(max(PART // wide, 1), OH)
    strip = strip_of(CG, band, OW, W, window)
    K, taps = strip.offsets.size, WIDE if few else TAPS
    offsets = np.resize(
        strip.offsets, -(-K // taps) * taps
    )  # the last tile's taps beyond K count for nothing
    chunks = max(1, min(N, 8, N * OH * OW // 1024))
    partial = result((chunks, groups, offsets.size, OG if few else -(-OG // L) * L), dy.dtype)
    run(
        few_weight_gradient if few else weight_gradient,
        chunks * groups,
        dy.size * K // PRODUCTS,
        np.ascontiguousarray(dy).reshape(N, groups, OG, OH, OW),
        np.ascontiguousarray(x).reshape(N, groups, CG, H, W),
        partial, strip.shape, strip.step, offsets, window.numbers(), band,
    )  # fmt: skip
    return again(sum_of_chunks, partial, K, OG, (O, CG, *window.kernel))


def sum_of_chunks(partial: np.ndarray, K: int, OG: int, shape: tuple[int, ...]) -> np.ndarray:
    """dweight in its shape from partial (chunks, G, K and more, OG and more)."""
    return partial.sum(axis=0)[:, :K, :OG].swapaxes(1, 2).reshape(shape)
