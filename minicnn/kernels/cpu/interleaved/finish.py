"""What follows a convolution while its rows are in the cache: an activation and a pooling; and the way back.

how = (activation, pool, PH, PW) says what follows: one of NONE, RELU, TANH, SIGMOID, then one of NONE, MAX,
MEAN over windows of PH x PW side by side (1 x 1 for none). Rows and columns that fill no window are not
looked at.
"""

import numpy as np

from minicnn.kernels.cpu import elementary
from minicnn.kernels.cpu.activation import activation_gradient
from minicnn.kernels.cpu.conv import conv2d_bias_gradient
from minicnn.kernels.cpu.interleaved.layout import empty
from minicnn.kernels.cpu.jit import inner, jit, kernel, pasted
from minicnn.kernels.cpu.masks import select
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.cpu.simd import hsum, load, load_part, noinline, store, stretch

NONE = 0
RELU, TANH, SIGMOID = 1, 2, 3
MAX, MEAN = 1, 2
CURVES = {TANH: "tanh", SIGMOID: "sigmoid"}
PASSED_OVER = -1  # the index of a window whose relu is 0

How = tuple[int, int, int, int]


@inner
def activate_row(row, activation):
    """The activation of numbers in a row, in place."""
    if activation == RELU:
        zero = row.dtype.type(0)
        for i in range(row.size):
            row[i] = zero if row[i] < zero else row[i]
    elif activation == TANH:
        for i in range(row.size):
            row[i] = elementary.tanh(row[i])
    elif activation == SIGMOID:
        for i in range(row.size):
            row[i] = elementary.sigmoid(row[i])


@inner
def activate(rows, activation):
    """The activation of rows (O, R, OW, L), in place."""
    noinline()
    O, R, W, L = rows.shape
    for o in range(O):
        activate_row(stretch(R * W * L, rows, o, 0, 0, 0), activation)  # R rows lie one after the other


@pasted
def largest(rows, PH, PW, floor, out, index):
    """out and index (O, QH, QW, L): the largest number in each window of rows (O, R, OW, L), and its place.

    Or, unless it is above the floor, the floor and PASSED_OVER. A floor of NaN is none.
    """
    O, QH, QW, _ = out.shape
    for o in range(O):
        for h in range(QH):
            for w in range(QW):
                best, place = load(rows, o, h * PH, w * PW, 0), load_part(0, rows, 0, 0, 0, 0)
                for i in range(PH):
                    for j in range(PW):
                        v = load(rows, o, h * PH + i, w * PW + j, 0)
                        larger = (v > best) | (v != v)  # a NaN is larger than any number
                        best, place = select(larger, v, best), select(larger, i * PW + j, place)
                store(out, o, h, w, 0, select(best < floor, floor, best))
                store(index, o, h, w, 0, select(best <= floor, PASSED_OVER, place))


@pasted
def mean(rows, PH, PW, out):
    """out (O, QH, QW, L): the mean of each window of rows (O, R, OW, L)."""
    O, QH, QW, _ = out.shape
    scale = np.float32(1 / (PH * PW))
    for o in range(O):
        for h in range(QH):
            for w in range(QW):
                sum = load_part(0, rows, 0, 0, 0, 0)
                for i in range(PH):
                    for j in range(PW):
                        sum += load(rows, o, h * PH + i, w * PW + j, 0)
                store(out, o, h, w, 0, sum * scale)


@jit
def finish_rows(rows, how, out, index):
    """The activation and pooling of rows (O, R, OW, L), whole rows of a convolution with its bias.

    The activation is in place. Pooling gives out (O, R // PH, OW // PW, L) and, with MAX, index of the same
    shape, the first place of the largest number in its window, which is counted row by row; what is not given
    is not touched. RELU with MAX is that of out alone, which comes to the same, and index is PASSED_OVER
    where it lets no gradient through.
    """
    noinline()
    activation, pool, PH, PW = how
    rectified = pool == MAX and activation == RELU
    halved = PH == 2 and PW == 2  # known numbers, so that the loops over a window are unrolled
    if activation != NONE and not rectified:
        activate(rows, activation)
    if pool == MAX:
        floor = np.float32(0 if rectified else np.nan)
        if halved:
            largest(rows, 2, 2, floor, out, index)
        else:
            largest(rows, PH, PW, floor, out, index)
    elif pool == MEAN:
        if halved:
            mean(rows, 2, 2, out)
        else:
            mean(rows, PH, PW, out)


def keeps(how: How) -> bool:
    """Whether the finished rows are kept: as the result, or for the activation's gradient.

    Else a scratch will do: the result and the index tell the gradient all it needs.
    """
    activation, pool, _, _ = how
    return pool == NONE or (pool == MEAN and activation != NONE)


def looked_at(size: tuple[int, int], how: How) -> tuple[int, int]:
    """How many rows and columns of so many fill windows of the pooling; the gradient of the others is 0."""
    (OH, OW), (_, _, PH, PW) = size, how
    return OH // PH * PH, OW // PW * PW


@pasted
def slope(dy, y, activation):
    """A vector of dy, times the slope of the activation where its result was y."""
    if activation == RELU:
        return select(y <= 0, 0, dy)
    if activation == TANH:
        return dy * (1 - y * y)
    return dy * (y * (1 - y))


@pasted
def spread(dout, y, index, activation, pool, PH, PW, dy, sums, begin, end):
    """The work of `rows_gradient`, for a PW that may be known."""
    (_, R, OW, _), (_, QH, QW, _) = dy.shape, dout.shape
    zero, scale = load_part(0, dout, 0, 0, 0, 0), np.float32(1 / (PH * PW))
    for o in range(begin, end):
        total = zero
        for h in range(QH):
            for r in range(h * PH, h * PH + PH):
                line = zero  # sums of rows, so that none is a sum of very many
                if pool == MAX:
                    first = (r - h * PH) * PW
                    for w in range(QW):
                        grad, place = load(dout, o, h, w, 0), load(index, o, h, w, 0)
                        for j in range(PW):
                            part = select(place == first + j, grad, 0)
                            store(dy, o, r, w * PW + j, 0, part)
                            line += part
                else:
                    for w in range(QW):
                        grad = load(dout, o, h, w, 0) * scale
                        for j in range(PW):
                            part = grad
                            if activation != NONE:
                                part = slope(grad, load(y, o, r, w * PW + j, 0), activation)
                            store(dy, o, r, w * PW + j, 0, part)
                            line += part
                total += line
                for w in range(QW * PW, OW):
                    store(dy, o, r, w, 0, zero)
        for r in range(QH * PH, R):
            for w in range(OW):
                store(dy, o, r, w, 0, zero)
        sums[o] = hsum(total)


@jit
def rows_gradient(dout, y, index, how, dy, sums, begin, end):
    """The way back of `finish_rows`: dy (O, R, OW, L) and sums (O) of it, for some of the planes.

    dout and index (O, R // PH, OW // PW, L); y (O, R, OW, L), the activated rows. Neither y without an
    activation or with MAX, nor index without MAX is looked at. With MAX, the slope of TANH or SIGMOID is
    already in dout.
    """
    activation, pool, PH, PW = how
    if PW == 2:
        spread(dout, y, index, activation, pool, PH, 2, dy, sums, begin, end)
    else:
        spread(dout, y, index, activation, pool, PH, PW, dy, sums, begin, end)


@kernel
def add_up(parts, total, begin, end):
    """total (O, J) = the sum of parts (B, O, at least J), in order, for some of the channels."""
    for o in range(begin, end):
        for j in range(total.shape[1]):
            sum = parts[0, o, j]
            for b in range(1, len(parts)):
                sum += parts[b, o, j]
            total[o, j] = sum


def sums_of(sums: np.ndarray) -> np.ndarray:
    """dbias (O) from the sums (B, O) over groups of pictures."""
    dbias = np.empty(sums.shape[1], sums.dtype)
    run(add_up, dbias.size, sums.size, sums[:, :, None], dbias[:, None])
    return dbias


def gradient(
    dout: np.ndarray,
    out: np.ndarray,
    y: np.ndarray | None,
    index: np.ndarray | None,
    how: How,
    shape: tuple[int, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """dy (B, O, OH, OW, L) of that shape, the gradient of a convolution's result; and dbias (O), its sums.

    The shape may leave out rows and columns that are not `looked_at`.

    Parameters
    ----------
    dout, out : (B, O, QH, QW, L), of the result of `finish_rows`, and that.
    y : (B, O, OH, OW, L), the activated rows if `keeps(how)`.
    index : (B, O, QH, QW, L), with MAX.
    """
    activation, pool, _, _ = how
    B, O = shape[:2]
    if pool == NONE and activation == NONE:
        return dout, conv2d_bias_gradient(dout.reshape(B, O, shape[2], -1))
    if pool == MAX and activation in CURVES:
        dout = activation_gradient(CURVES[activation], dout, out)
    dy, sums = empty(shape), np.empty(B * O, np.float32)
    given = dout, dout if y is None else y, dout if index is None else index
    arrays = [a.reshape(B * O, *a.shape[2:]) for a in given]
    run(rows_gradient, B * O, dy.size, *arrays, how, dy.reshape(B * O, *shape[2:]), sums)
    return dy, sums_of(sums.reshape(B, O))
