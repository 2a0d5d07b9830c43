"""What follows a convolution while its rows are in the cache: an activation and a pooling; and the way back.

how = (activation, pool, PH, PW) says what follows: one of NONE, RELU, TANH, SIGMOID, then one of NONE, MAX,
MEAN over windows of PH x PW side by side (1 x 1 for none). Rows and columns that fill no window are not
looked at.
"""

import numpy as np

from minicnn.kernels.cpu import elementary
from minicnn.kernels.cpu.elementary import inlined
from minicnn.kernels.cpu.interleaved.layout import empty
from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.masks import select
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.cpu.simd import hsum, load, load_part, store

NONE = 0
RELU, TANH, SIGMOID = 1, 2, 3
MAX, MEAN = 1, 2

How = tuple[int, int, int, int]


@jit
def activate(row, activation):
    """The activation of a row (OW, L), in place."""
    W, L = row.shape
    if activation == RELU:
        for w in range(W):
            v = load(row, w, 0)
            store(row, w, 0, select(v < 0, 0, v))
    elif activation == TANH:
        for w in range(W):
            for l in range(L):
                row[w, l] = elementary.tanh(row[w, l])
    elif activation == SIGMOID:
        for w in range(W):
            for l in range(L):
                row[w, l] = elementary.sigmoid(row[w, l])


@inlined
def largest(rows, PH, PW, rectified, out, index):
    """out and index (QW, L): the largest number in each window of rows (PH, OW, L), and which of it it is."""
    for w in range(len(out)):
        best, place = load(rows, 0, w * PW, 0), load_part(0, rows, 0, 0, 0)
        for k in range(1, PH * PW):
            v = load(rows, k // PW, w * PW + k % PW, 0)
            larger = (v > best) | (v != v)  # a NaN is larger than any number
            best, place = select(larger, v, best), select(larger, k, place)
        store(out, w, 0, select(best < 0, 0, best) if rectified else best)
        store(index, w, 0, place)


@inlined
def mean(rows, PH, PW, out):
    """out (QW, L): the mean of each window of rows (PH, OW, L)."""
    scale = np.float32(1 / (PH * PW))
    for w in range(len(out)):
        sum = load(rows, 0, w * PW, 0)
        for k in range(1, PH * PW):
            sum += load(rows, k // PW, w * PW + k % PW, 0)
        store(out, w, 0, sum * scale)


@jit
def finish_rows(rows, how, out, index):
    """The activation and pooling of rows (O, R, OW, L), whole rows of a convolution with its bias.

    out (O, R // PH, OW // PW, L) and, for MAX, index of its shape: the first place of the largest number in
    the window, counted row by row. The activation is in place; but with MAX, RELU is that of out alone, which
    comes to the same. Without pooling, out and index are not touched.
    """
    activation, pool, PH, PW = how
    O, R, _, _ = rows.shape
    late = pool == MAX and activation == RELU
    for o in range(O):
        for r in range(0, R - R % PH, PH):
            if not late:
                for i in range(PH):
                    activate(rows[o, r + i], activation)
            if pool == MAX:
                largest(rows[o, r : r + PH], PH, PW, late, out[o, r // PH], index[o, r // PH])
            elif pool == MEAN:
                mean(rows[o, r : r + PH], PH, PW, out[o, r // PH])


def keeps(how: How) -> bool:
    """Whether the finished rows are kept: as the result, or for the activation's gradient.

    Else a scratch will do, as the gradient takes what it needs from the result and the index.
    """
    activation, pool, _, _ = how
    return pool == NONE or (pool == MEAN and activation != NONE)


@inlined
def slope(dy, y, activation):
    """A vector of dy, times the slope of the activation where its result was y."""
    if activation == RELU:
        return select(y <= 0, 0, dy)
    if activation == TANH:
        return dy * (1 - y * y)
    if activation == SIGMOID:
        return dy * (y * (1 - y))
    return dy


@jit
def backward(dout, out, y, index, how, dy, sums, begin, end):
    """dy and y (P, OH, OW, L), dout, out and index (P, QH, QW, L), sums (P); some of the P planes."""
    activation, pool, PH, PW = how
    _, OH, OW, _ = dy.shape
    _, QH, QW, _ = dout.shape
    scale = np.float32(1 / (PH * PW))
    for p in range(begin, end):
        zero = load_part(0, dout, p, 0, 0, 0)
        total = zero
        for h in range(QH):
            line = zero
            for w in range(QW):
                grad = load(dout, p, h, w, 0)
                if pool == MAX:
                    grad = slope(grad, load(out, p, h, w, 0), activation)
                    place = load(index, p, h, w, 0)
                    for k in range(PH * PW):
                        store(dy, p, h * PH + k // PW, w * PW + k % PW, 0, select(place == k, grad, 0))
                    line += grad
                else:
                    grad *= scale
                    for k in range(PH * PW):
                        i, j = h * PH + k // PW, w * PW + k % PW
                        part = slope(grad, load(y, p, i, j, 0), activation)
                        store(dy, p, i, j, 0, part)
                        line += part
            for i in range(h * PH, h * PH + PH):
                for j in range(QW * PW, OW):
                    store(dy, p, i, j, 0, zero)
            total += line
        for i in range(QH * PH, OH):
            for j in range(OW):
                store(dy, p, i, j, 0, zero)
        sums[p] = hsum(total)


def gradient(
    dout: np.ndarray,
    out: np.ndarray,
    y: np.ndarray | None,
    index: np.ndarray | None,
    how: How,
    shape: tuple[int, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """dy (B, O, OH, OW, L) of that shape, the gradient of a convolution's result; and dbias (O), its sums.

    Parameters
    ----------
    dout, out : (B, O, QH, QW, L), of the result of `finish_rows`, and that.
    y : (B, O, OH, OW, L), the activated rows if `keeps(how)`.
    index : (B, O, QH, QW, L), with MAX.
    """
    B, O = shape[:2]
    dy, sums = empty(shape), np.empty(B * O, np.float32)
    given = dout, out, dout if y is None else y, dout if index is None else index
    arrays = [a.reshape(B * O, *a.shape[2:]) for a in given]
    run(backward, B * O, dy.size, *arrays, how, dy.reshape(B * O, *shape[2:]), sums)
    return dy, sums.reshape(B, O).sum(axis=0)
