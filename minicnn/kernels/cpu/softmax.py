"""Softmax along the middle axis of an array (A, K, B).

Where B is 1, the numbers of one softmax lie in a row, and loops go along it. Else a strip of neighbouring
columns goes through together: loops along the strip, for each k.
"""

from functools import partial

import numpy as np

from minicnn.kernels.cpu.elementary import exp, log, whole_registers
from minicnn.kernels.cpu.jit import inner, jit
from minicnn.kernels.cpu.rows import highest, total
from minicnn.kernels.cpu.runner import run

__all__ = ["softmax", "softmax_gradient"]

STRIP = 256  # columns

# Not reassociated: log(total) - (x - largest) must not become (log(total) + largest) - x, which rounds.
exactly = partial(jit, fastmath={"contract"})


@inner
def exponentials(z, largest, e):
    """e = exp(z - largest) for a row, and its sum. A NaN that `highest` has missed makes a NaN of it."""
    for k in range(z.size):
        e[k] = exp(z[k] - largest)
    return z.dtype.type(total(e))


@exactly
def rows(x, logarithm, y, begin, end):
    """y and x (A, K), for some of the A rows."""
    whole_registers()
    for a in range(begin, end):
        z, out = x[a], y[a]
        largest = highest(z)
        sum = exponentials(z, largest, out)
        if logarithm:
            rest = log(sum)
            for k in range(z.size):
                out[k] = (z[k] - largest) - rest
        else:
            scale = z.dtype.type(1) / sum
            for k in range(z.size):
                out[k] *= scale


@jit
def rows_gradient(dy, y, logarithm, dx, begin, end):
    """dx, dy and y (A, K), for some of the A rows."""
    for a in range(begin, end):
        grad, out, below = dy[a], y[a], dx[a]
        sums = y.dtype.type(0)
        if logarithm:
            for k in range(out.size):
                sums += grad[k]
            for k in range(out.size):
                below[k] = grad[k] - exp(out[k]) * sums
        else:
            for k in range(out.size):
                sums += grad[k] * out[k]
            for k in range(out.size):
                below[k] = out[k] * (grad[k] - sums)


@exactly
def columns(x, logarithm, y, begin, end):
    """y and x (A, K, B), for some of the strips of all A."""
    _, K, B = x.shape
    strips = -(-B // STRIP)
    one = x.dtype.type(1)
    for j in range(begin, end):
        a, lo, hi = j // strips, j % strips * STRIP, min((j % strips + 1) * STRIP, B)
        largest, sums = x[a, 0, lo:hi].copy(), np.zeros(hi - lo, x.dtype)
        for k in range(1, K):
            z = x[a, k, lo:hi]
            for b in range(z.size):
                largest[b] = z[b] if z[b] > largest[b] else largest[b]
        for k in range(K):
            z, out = x[a, k, lo:hi], y[a, k, lo:hi]
            for b in range(z.size):
                out[b] = exp(z[b] - largest[b])
                sums[b] += out[b]
        for b in range(sums.size):
            sums[b] = log(sums[b]) if logarithm else one / sums[b]
        for k in range(K):
            z, out = x[a, k, lo:hi], y[a, k, lo:hi]
            for b in range(z.size):
                out[b] = (z[b] - largest[b]) - sums[b] if logarithm else out[b] * sums[b]


@jit
def columns_gradient(dy, y, logarithm, dx, begin, end):
    """dx, dy and y (A, K, B), for some of the strips of all A."""
    _, K, B = y.shape
    strips = -(-B // STRIP)
    one = y.dtype.type(1)
    for j in range(begin, end):
        a, lo, hi = j // strips, j % strips * STRIP, min((j % strips + 1) * STRIP, B)
        sums = np.zeros(hi - lo, y.dtype)
        for k in range(K):
            grad, out = dy[a, k, lo:hi], y[a, k, lo:hi]
            for b in range(out.size):
                sums[b] += grad[b] * (one if logarithm else out[b])
        for k in range(K):
            grad, out, below = dy[a, k, lo:hi], y[a, k, lo:hi], dx[a, k, lo:hi]
            for b in range(out.size):
                if logarithm:
                    below[b] = grad[b] - exp(out[b]) * sums[b]
                else:
                    below[b] = out[b] * (grad[b] - sums[b])


def softmax(x: np.ndarray, log: bool) -> np.ndarray:
    """y (A, K, B): exp(x) / sum of exp(x) along K, or with `log` its logarithm."""
    A, K, B = x.shape
    x, y = np.ascontiguousarray(x), np.empty(x.shape, x.dtype)
    if B == 1 and K:
        run(rows, A, x.size, x.reshape(A, K), log, y.reshape(A, K))
    elif x.size:
        run(columns, A * -(-B // STRIP), x.size, x, log, y)
    return y


def softmax_gradient(dy: np.ndarray, y: np.ndarray, log: bool) -> np.ndarray:
    """dx (A, K, B) = y (dy - sum of dy y), or with `log` dy - exp(y) sum of dy."""
    A, K, B = y.shape
    dy, y, dx = np.ascontiguousarray(dy), np.ascontiguousarray(y), np.empty(y.shape, y.dtype)
    if B == 1:
        run(rows_gradient, A, y.size, dy.reshape(A, K), y.reshape(A, K), log, dx.reshape(A, K))
    else:
        run(columns_gradient, A * -(-B // STRIP), y.size, dy, y, log, dx)
    return dx
