"""Strips: rows of a padded picture, laid out so that a tap of the window is nothing but an offset.

A strip (C, R, SW, P) holds R padded rows of some channels in one flat piece of memory. With stride 2 across,
the even columns of a row come first, then the odd ones. So what a tap (c, kh, kw) sees at the places of an
output row always lies in a row, from offset[c, kh, kw] on after where the output row starts: a vector of
places is one load, wherever it begins.
"""

from functools import lru_cache

import numpy as np

from minicnn.kernels.cpu.jit import inner
from minicnn.kernels.cpu.scratch import zeros
from minicnn.kernels.cpu.simd import BYTES, lanes, load_part, store_part
from minicnn.kernels.cpu.weave import evens, odds
from minicnn.kernels.geometry import Window

SLACK = BYTES // 2  # numbers behind a strip: eight vectors of a tile may run past its end


class Strip:
    """The shape of a strip for `rows` output rows of OW places, and where its taps lie.

    Attributes
    ----------
    shape : (int, int, int, int)
        C, R, SW, P: channels, padded rows, stride across, numbers from one of its parts to the next.
    step : int
        From an output row to the next.
    offsets : array of int64
        (C*KH*KW) Where each tap's numbers lie.
    """

    def __init__(self, channels: int, rows: int, OW: int, W: int, window: Window) -> None:
        (KH, KW), (SH, SW), (DH, DW) = window.kernel, window.stride, window.dilation
        across = np.arange(KW) * DW
        part = max(-(-(W + window.padding[2]) // SW), OW + int(across[-1]) // SW)
        height = (rows - 1) * SH + window.extent()[0]
        self.shape = channels, height, SW, part
        self.step = SH * SW * part
        lines = (np.arange(channels)[:, None] * height + np.arange(KH) * DH) * SW * part
        self.offsets = (lines[..., None] + across % SW * part + across // SW).ravel()


strip_of = lru_cache(256)(Strip)


@inner
def empty_strip(shape, x):
    """A strip full of zeros of x's dtype, flat, with some room behind it."""
    C, R, SW, P = shape
    return zeros(C * R * SW * P + SLACK, x.dtype)


@inner
def fill_strip(x, strip, shape, row0, numbers):
    """Padded rows row0, row0 + 1, ... of x (C, H, W) into a strip, whose left and right sides are zero."""
    _, _, _, _, PT, PL, _, _ = numbers
    (C, H, W), (_, R, SW, P), L = x.shape, shape, lanes(x)
    for c in range(C):
        for r in range(R):
            h, at = row0 + r - PT, (c * R + r) * SW * P
            if h < 0 or h >= H:
                for i in range(at, at + SW * P):
                    strip[i] = 0
            elif SW == 1:
                for w in range(0, W, L):
                    n = min(L, W - w)
                    store_part(n, strip, at + PL + w, load_part(n, x, c, h, w))
            elif SW == 2:
                even, odd = at + PL % 2 * P + PL // 2, at + (PL + 1) % 2 * P + (PL + 1) // 2
                for w in range(0, W, 2 * L):
                    n = min(2 * L, W - w)
                    v, rest = load_part(min(n, L), x, c, h, w), load_part(max(n - L, 0), x, c, h, w + L)
                    store_part((n + 1) // 2, strip, even + w // 2, evens(v, rest))
                    store_part(n // 2, strip, odd + w // 2, odds(v, rest))
            else:
                for w in range(W):
                    strip[at + (w + PL) % SW * P + (w + PL) // SW] = x[c, h, w]


@inner
def spread_strip(dy, strip, shape, row0, numbers):
    """The same with dy (C, OH, OW), its numbers as far apart as the strides, in a strip for stride 1."""
    _, _, SH, SW, PT, PL, _, _ = numbers
    (C, OH, OW), (_, R, _, P) = dy.shape, shape
    for c in range(C):
        for r in range(R):
            h, at = row0 + r - PT, (c * R + r) * P
            if h < 0 or h >= OH * SH or h % SH:
                for i in range(at, at + P):
                    strip[i] = 0
            else:
                for w in range(OW):
                    strip[at + PL + w * SW] = dy[c, h // SH, w]
