"""im2col: the cells under a sliding window as the columns of a matrix, and back.

A row of the matrix belongs to one tap (c, kh, kw) of the window, a column to one place (oh, ow) of it: so
each row is the picture, shifted. Convolution multiplies the matrix, pooling takes the largest or the mean of
its rows.
"""

from functools import lru_cache

import numpy as np

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.scratch import reshape
from minicnn.kernels.cpu.simd import BYTES, lanes, load, load_part, store
from minicnn.kernels.cpu.weave import evens
from minicnn.kernels.geometry import Window


@lru_cache(64)
def buffer_size(H: int, W: int, window: Window) -> tuple[int, int]:
    """Height and width of a picture with all the padding its windows reach.

    Each row has room for a vector past its end: one that ran into the next row would have to wait for it.
    """
    OH, OW = window.output_size(H, W)
    top, _, left, _ = window.padding
    tall, wide = window.extent()
    return (
        max(H + top, (OH - 1) * window.stride[0] + tall),
        max(W + left, (OW - 1) * window.stride[1] + wide) + BYTES // 4,
    )


@jit
def padded(x, size, value):
    """A buffer for x (C, H, W) with padding, filled with a value; two vectors may be read past its end."""
    (H, W), C = size, x.shape[0]
    return reshape(np.full(C * H * W + 2 * lanes(x), x.dtype.type(value))[: C * H * W], (C, H, W))


@jit
def pad(x, picture, PT, PL):
    """Put x (C, H, W) into a picture with padding."""
    C, H, W = x.shape
    for c in range(C):
        for h in range(H):
            line, source = picture[c, PT + h, PL:], x[c, h]
            for w in range(W):
                line[w] = source[w]


@jit
def crop(picture, x, PT, PL):
    """Take x (C, H, W) out of a picture with padding."""
    C, H, W = x.shape
    for c in range(C):
        for h in range(H):
            line, source = x[c, h], picture[c, PT + h, PL:]
            for w in range(W):
                line[w] = source[w]


@jit
def im2col(picture, columns, at, row0, rows, OW, numbers):
    """Lay out the pixels of output rows row0 to row0 + rows as columns at, at + 1, ...

    A row of pixels is copied in whole vectors: what is written past its end, the next one overwrites.
    """
    KH, KW, SH, SW, _, _, DH, DW = numbers
    L = lanes(columns)
    for c in range(picture.shape[0]):
        for kh in range(KH):
            for kw in range(KW):
                k = (c * KH + kh) * KW + kw
                for r in range(rows):
                    h, out = (row0 + r) * SH + kh * DH, at + r * OW
                    if SW == 1:
                        for w in range(0, OW, L):
                            store(columns, k, out + w, load(picture, c, h, kw * DW + w))
                    elif SW == 2:
                        for w in range(0, OW, L):
                            v, rest = (
                                load(picture, c, h, kw * DW + 2 * w),
                                load(picture, c, h, kw * DW + 2 * w + L),
                            )
                            store(columns, k, out + w, evens(v, rest))
                    else:
                        for w in range(OW):
                            columns[k, out + w] = picture[c, h, w * SW + kw * DW]


@jit
def col2im(columns, picture, row0, rows, OW, numbers):
    """Add columns back to where im2col took them from.

    The loop over channels is inside: a line read again right after it was written would have to wait.
    """
    KH, KW, SH, SW, _, _, DH, DW = numbers
    L = lanes(columns)
    for kh in range(KH):
        for kw in range(KW):
            for c in range(picture.shape[0]):
                k = (c * KH + kh) * KW + kw
                for r in range(rows):
                    h, out = (row0 + r) * SH + kh * DH, r * OW
                    if SW == 1:
                        for w in range(0, OW, L):
                            v = load_part(min(L, OW - w), columns, k, out + w)
                            store(picture, c, h, kw * DW + w, load(picture, c, h, kw * DW + w) + v)
                    else:
                        for w in range(OW):
                            picture[c, h, w * SW + kw * DW] += columns[k, out + w]
