"""Strips: rows of a padded picture, laid out so that a tap of the window is nothing but an offset.

A strip (C, R, SW, P) holds R padded rows of some channels in one flat piece of memory. With stride 2 across,
the even columns of a row come first, then the odd ones. So what a tap (c, kh, kw) sees at the places of an
output row always lies in a row, from offset[c, kh, kw] on after where the output row starts: a vector of
places is one load, wherever it begins.
"""

from functools import lru_cache

import numpy as np

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.simd import BYTES, evens, lanes, load_part, store_part
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


@jit
def empty_strip(shape, x):
    """A strip full of zeros of x's dtype, flat, with some room behind it."""
    C, R, SW, P = shape
    return np.zeros(C * R * SW * P + SLACK, x.dtype)


@jit
def copy_line(source, line):
    """A row of a picture into a part of a strip."""
    L, W = lanes(source), source.size
    for w in range(0, W, L):
        n = min(L, W - w)
        store_part(n, line, w, load_part(n, source, w))


@jit
def copy_every(source, line, SW):
    """Every SW-th number of a row, from its first on."""
    L, W = lanes(source), source.size
    if SW == 2:
        for w in range(0, W, 2 * L):
            n = W - w
            v, rest = load_part(min(n, L), source, w), load_part(max(min(n - L, L), 0), source, w + L)
            store_part(min((n + 1) // 2, L), line, w // 2, evens(v, rest))
    else:
        for w in range(0, W, SW):
            line[w // SW] = source[w]


@jit
def fill_strip(x, flat, shape, row0, numbers):
    """Padded rows row0, row0 + 1, ... of x (C, H, W) into a strip, whose left and right sides are zero."""
    _, _, _, _, PT, PL, _, _ = numbers
    (C, H, W), (_, R, SW, P) = x.shape, shape
    first, last = min(max(PT - row0, 0), R), min(max(PT - row0 + H, 0), R)  # the rows that x has
    for c in range(C):
        rows = flat[c * R * SW * P :][: R * SW * P]
        rows[: first * SW * P] = 0
        rows[last * SW * P :] = 0
        source, target = x[c, row0 + first - PT :], rows[first * SW * P :]
        if SW == 1 and P == W:  # no padding
            copy_line(source.reshape(-1)[: (last - first) * W], target)
        elif SW == 1:
            for r in range(last - first):
                copy_line(source[r], target[r * P + PL :])
        else:
            for r in range(last - first):
                for s in range(SW):
                    left = (PL - s + SW - 1) // SW  # the first column that is not padding
                    copy_every(source[r, left * SW + s - PL :], target[(r * SW + s) * P + left :], SW)
