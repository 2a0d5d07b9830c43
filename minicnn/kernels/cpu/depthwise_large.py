"""Depthwise convolution of planes that are read where they are, not copied and padded: see depthwise.py.

A vector is loaded with a mask of the lanes whose numbers are in the plane at all (`Sight`), and no memory
outside is touched.

With stride 1 the gradient of x is the same sum over y's gradient, its filters turned by half a turn. With
stride 2 some taps reach the even places and others the odd ones, and the sums of both are woven together. The
gradient of the weight is summed over the planes of a channel, places in the lanes.
"""

from functools import lru_cache

import numpy as np

from minicnn.kernels.cpu.graph import again
from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.masks import load_where
from minicnn.kernels.cpu.memory import result
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.scratch import reshape, scratch
from minicnn.kernels.cpu.simd import (
    BYTES,
    REGISTERS,
    hsum,
    lanes,
    load,
    load_part,
    splat,
    store,
    store_part,
    tile,
)
from minicnn.kernels.cpu.weave import evens, first_pairs, last_pairs
from minicnn.kernels.geometry import Window

ROWS = 7 if REGISTERS == 32 else 4  # output rows of a tile, at most
UNROLLED = 21  # products of a tile and a filter's column: loops over more are not unrolled, and slow
CHAINS = 3 if REGISTERS == 32 else 2  # sums of the weight gradient that take turns
COLUMN = 9  # its largest filter
PAIRS, TWICE = 2, 4  # rows of dy, and of dx, for a tile of the input gradient


class Sight:
    """Which numbers of a picture the taps of a window see: those whose column is above their row.

    Attributes
    ----------
    across : array of int64
        (KW) The place that each tap sees from output place 0.
    columns : array
        (KW, wide) For each tap, 1 where the number it sees lies in the row, and 0 elsewhere.
    rows : array
        For `count` padded rows from the top on, 0 inside the picture, and 1 outside.
    """

    def __init__(
        self, H: int, W: int, OW: int, across: tuple[int, ...], stride: int, top: int, count: int, dtype: str
    ) -> None:
        size = BYTES // np.dtype(dtype).itemsize
        self.across = np.array(across)
        places = np.arange(-(-OW // size) * size * stride)
        seen = self.across[:, None] + places
        self.columns = ((seen >= 0) & (seen < W) & (places < OW * stride)).astype(dtype)
        rows = np.arange(count) - top
        self.rows = ((rows < 0) | (rows >= H)).astype(dtype)


sight = lru_cache(256)(Sight)


@kernel
def correlate(x, weight, turned, bias, y, steps, lines, tall, across, columns, rows, top, begin, end):
    """y (P, OH, OW) from x (P, H, W), weight (C*KH*KW), turned or not, bias (C); for some planes, P = N*C.

    steps, lines and tall are tuples as long as the strides, a filter's column and a tile: their lengths are
    known to the compiler.
    """
    (_, H, W), (_, OH, OW), (SH, SW) = x.shape, y.shape, (len(steps[0]), len(steps[1]))
    L, C, KW, flat = lanes(x), bias.size, across.size, reshape(x, x.size)
    K = len(lines) * KW
    for p in range(begin, end):
        c = p % C
        tap, next_tap = (c * K + K - 1, -1) if turned else (c * K, 1)
        for row in range(0, OH, len(tall)):
            start = (p * H + row * SH - top) * W
            for w in range(0, OW, L):
                acc = tile(1, ROWS, x)
                for kw in range(KW):
                    at, column = start + across[kw] + w * SW, load(columns, kw, w * SW)
                    last = load(columns, kw, w * SW + (SW - 1) * L)
                    for r in range(len(tall)):
                        for kh in range(len(lines)):  # each row of x is loaded once, for all r + kh
                            i = at + (r * SH + kh) * W
                            outside = splat(rows, (row + r) * SH + kh)
                            v = load_where(column > outside, flat, i)
                            if SW == 2:
                                v = evens(v, load_where(last > outside, flat, i + L))
                            acc[0, r] += splat(weight, tap + next_tap * (kh * KW + kw)) * v
                for r in range(len(tall)):
                    there = OW - w if row + r < OH else 0  # an `if` would keep the tile out of registers
                    store_part(there, y, p, min(row + r, OH - 1), w, acc[0, r] + splat(bias, c))


@kernel
def spread(dy, weight, dx, steps, lines, taps, below, beside, columns, rows, margin, begin, end):
    """dx (P, H, W) from dy (P, OH, OW), for some of the planes, with a stride of 2 down, across or both.

    lines and taps: tuples as long as the taps of a phase, down and across. weight (C, phases*taps,
    phases*taps) and how far off these see in dy, below and beside, are as `phases` has them. `rows` knows
    those of dy from -margin on.
    """
    (_, H, W), (_, OH, OW), (SH, SW) = dx.shape, dy.shape, (len(steps[0]), len(steps[1]))
    C, L, flat = len(weight), lanes(dy), reshape(dy, dy.size)
    for p in range(begin, end):
        c = p % C
        for row in range(0, -(-H // SH), PAIRS):
            for w in range(0, -(-W // SW), L):
                acc = tile(TWICE, 2, dy)
                for b in range(SW):
                    for j in range(b * len(taps), (b + 1) * len(taps)):
                        column = load(columns, j, w)
                        for a in range(SH):
                            for i in range(a * len(lines), (a + 1) * len(lines)):
                                for r in range(PAIRS):
                                    h = row + r + below[i]
                                    inside = column > splat(rows, margin + h)
                                    v = load_where(inside, flat, (p * OH + h) * OW + w + beside[j])
                                    acc[2 * r + a, b] += splat(weight, c, i, j) * v
                for r in range(PAIRS):
                    for a in range(SH):
                        h, v, odd = (row + r) * SH + a, acc[2 * r + a, 0], acc[2 * r + a, 1]
                        n, h = W - w * SW if h < H else 0, min(h, H - 1)
                        if SW == 1:
                            store_part(n, dx, p, h, w, v)
                        else:
                            store_part(n, dx, p, h, 2 * w, first_pairs(v, odd))
                            store_part(n - L, dx, p, h, 2 * w + L, last_pairs(v, odd))


@kernel
def weight_gradient(dy, x, dweight, lines, tall, across, columns, rows, top, begin, end):
    """dweight (C, KH, KW) from dy (N, C, OH, OW) and x (N, C, H, W), for some channels; stride 1."""
    (N, C, H, W), (OH, OW) = x.shape, dy.shape[2:]
    L, R, KW, KH = lanes(x), len(tall) - 1 + len(lines), across.size, len(lines)
    flat, sums = reshape(x, x.size), scratch((KW, KH, lanes(x)), x.dtype)
    for c in range(begin, end):
        sums[:] = 0
        for n in range(N):
            for row in range(0, OH, len(tall)):
                first = row - top
                start = ((n * C + c) * H + first) * W
                whole = first >= 0 and first + R <= H and row + len(tall) <= OH
                for kw in range(KW):
                    acc = tile(CHAINS, COLUMN, x)
                    for w in range(0, OW, L):
                        place, column = across[kw] + w, load(columns, kw, w)
                        if whole and w + L <= OW and place >= 0 and place + L <= W:
                            for r in range(len(tall)):
                                g = load(dy, n, c, row + r, w)
                                for kh in range(len(lines)):
                                    acc[r % CHAINS, kh] += g * load(flat, start + place + (r + kh) * W)
                        else:
                            for r in range(len(tall)):
                                there = OW - w if row + r < OH else 0
                                g = load_part(there, dy, n, c, min(row + r, OH - 1), w)
                                for kh in range(len(lines)):
                                    h = row + r + kh if row + r < OH else rows.size - 1  # outside
                                    i = start + place + (r + kh) * W
                                    v = load_where(column > splat(rows, h), flat, i)
                                    acc[r % CHAINS, kh] += g * v
                    for kh in range(len(lines)):
                        more = acc[0, kh]
                        for i in range(1, CHAINS):
                            more += acc[i, kh]
                        store(sums, kw, kh, 0, load(sums, kw, kh, 0) + more)
        for kw in range(KW):
            for kh in range(KH):
                dweight[c, kh, kw] = hsum(load(sums, kw, kh, 0))


def tuples(window: Window) -> tuple:
    """The strides, a filter's column and the rows of a tile as tuples of as many zeros."""
    (KH, _), (SH, SW) = window.kernel, window.stride
    return ((0,) * SH, (0,) * SW), (0,) * KH, (0,) * min(ROWS, max(UNROLLED // KH, 1))


def sight_of(H: int, W: int, OH: int, OW: int, window: Window, dtype: np.dtype) -> Sight:
    """What the taps of a window see in a picture."""
    (KH, KW), (SH, SW), (top, _, left, _) = window.kernel, window.stride, window.padding
    across = tuple(kw * window.dilation[1] - left for kw in range(KW))
    return sight(H, W, OW, across, SW, top, (OH + ROWS) * SH + KH, dtype.name)


def phases(K: int, stride: int, before: int, dilation: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Of an axis, which taps reach the places of x of each phase, and how far off they see in y.

    Returns taps and distances (stride, taps): place j * stride + phase of x is reached by a tap from place
    j + distance of y. In a phase of fewer taps there is also tap K, which sees `size` places off: nothing.
    """
    places = np.arange(stride)[:, None] + before - np.arange(K) * dilation
    reached = places % stride == 0
    most = reached.sum(1).max()
    taps = np.sort(np.where(reached, np.arange(K), K))[:, :most]
    off = np.take_along_axis(np.append(places // stride, [[size]] * stride, 1), taps, 1)
    return taps, off


def conv2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, window: Window, groups: int
) -> np.ndarray:
    """y (N, C, OH, OW) from x (N, C, H, W), weight (C, 1, KH, KW) and bias (C) or None; C groups."""
    y = result((*x.shape[:2], *window.output_size(*x.shape[2:])), x.dtype)
    correlated(x, weight, False, bias, y, window)
    return y


def correlated(
    x: np.ndarray,
    weight: np.ndarray,
    turned: bool,
    bias: np.ndarray | None,
    y: np.ndarray,
    window: Window,
) -> None:
    """y (N, C, OH, OW) from x (N, C, H, W), weight (C, 1, KH, KW), turned or not, and bias (C) or None."""
    (N, C, H, W), (OH, OW) = x.shape, y.shape[2:]
    bias = np.zeros(C, x.dtype) if bias is None else np.ascontiguousarray(bias)
    planes, sees = np.ascontiguousarray(x).reshape(-1, H, W), sight_of(H, W, OH, OW, window, x.dtype)
    given = planes, np.ascontiguousarray(weight).reshape(-1), turned, bias, y.reshape(-1, OH, OW)
    places = sees.across, sees.columns, sees.rows, window.padding[0]
    products = y.size * window.kernel[0] * window.kernel[1] // PRODUCTS
    run(correlate, N * C, products, *given, *tuples(window), *places)


def conv2d_input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], window: Window, groups: int
) -> np.ndarray:
    """dx (N, C, H, W) from dy (N, C, OH, OW)."""
    (N, C, H, W), (KH, KW), (OH, OW), (tall, wide) = x_shape, window.kernel, dy.shape[2:], window.extent()
    (top, _, left, _), (SH, SW), (DH, DW) = window.padding, window.stride, window.dilation
    dx = result(x_shape, dy.dtype)
    if window.stride == (1, 1):
        back = Window(window.kernel, (1, 1), (tall - 1 - top, 0, wide - 1 - left, 0), window.dilation)
        correlated(dy, weight, True, None, dx, back)
        return dx
    (down, below), (across, beside) = phases(KH, SH, top, DH, OH), phases(KW, SW, left, DW, OW)
    margin, count = -int(below.min()), -(-H // SH) + PAIRS + int(below.max() - below.min())
    sees = sight(OH, OW, -(-W // SW), tuple(beside.ravel().tolist()), 1, margin, count, dy.dtype.name)
    filters = again(taps_of_phases, weight, down.reshape(-1, 1), across.ravel())
    planes, products = np.ascontiguousarray(dy).reshape(-1, OH, OW), dy.size * KH * KW // PRODUCTS
    given = planes, filters, dx.reshape(-1, H, W), tuples(window)[0]
    lines, taps = (0,) * down.shape[1], (0,) * across.shape[1]
    settings = lines, taps, below.ravel(), sees.across, sees.columns, sees.rows, margin
    run(spread, N * C, products, *given, *settings)
    return dx


def taps_of_phases(weight: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """The taps (C, down, across) of weight (C, 1, KH, KW); tap K is zero."""
    C, _, KH, KW = weight.shape
    padded = np.zeros((C, KH + 1, KW + 1), weight.dtype)
    padded[:, :KH, :KW] = weight[:, 0]
    return np.ascontiguousarray(padded[:, down, across])


def conv2d_weight_gradient(dy: np.ndarray, x: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """dweight (C, 1, KH, KW) from dy (N, C, OH, OW) and x (N, C, H, W), for stride 1."""
    (_, C, H, W), (OH, OW), (KH, KW) = x.shape, dy.shape[2:], window.kernel
    dweight, sees = np.empty((C, 1, KH, KW), dy.dtype), sight_of(H, W, OH, OW, window, x.dtype)
    given = np.ascontiguousarray(dy), np.ascontiguousarray(x), dweight.reshape(C, KH, KW)
    places = sees.across, sees.columns, sees.rows, window.padding[0]
    sizes, products = tuples(window)[1:], dy.size * KH * KW // PRODUCTS
    run(weight_gradient, C, products, *given, *sizes, *places)
    return dweight
