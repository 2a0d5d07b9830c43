"""Softmax along the middle axis of an array (A, K, B).

Where B is 1, the numbers of one softmax lie in a row, and loops go along it. Else a strip of neighbouring
columns goes through together: loops along the strip, for each k.
"""

from functools import partial

import numpy as np

from minicnn.kernels.cpu.elementary import exp, log, whole_registers
from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.rows import highest, total
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.cpu.scratch import reshape, scratch, zeros
from minicnn.kernels.cpu.simd import hsum, lanes, load_part, store_part

__all__ = ["softmax", "softmax_gradient"]

STRIP = 256  # columns
BLOCK = 2048  # numbers of short rows that go through exp at once, about

# Not reassociated: log(total) - (x - largest) must not become (log(total) + largest) - x, which rounds.
exactly = partial(kernel, fastmath={"contract"})


@exactly
def rows(x, logarithm, y, begin, end):
    """y and x (A, K), for some of the A rows.

    exp goes through several short rows at once: it costs most, and would have fewer numbers than a vector
    left at the end of each.
    """
    whole_registers()
    K, L, number = x.shape[1], lanes(x), x.dtype.type
    together = max(1, BLOCK // K)
    e, largest = scratch(together * K, x.dtype), scratch(together, x.dtype)
    for first in range(begin, end, together):
        last = min(first + together, end)
        for a in range(first, last):
            top, at = highest(x[a]), (a - first) * K
            largest[a - first] = top
            for k in range(0, K, L):
                n = min(L, K - k)
                store_part(n, e, at + k, load_part(n, x, a, k) - top)
        for i in range((last - first) * K):  # a NaN that `highest` has missed makes a NaN of its row's sum
            e[i] = exp(e[i])
        for a in range(first, last):
            top, at = largest[a - first], (a - first) * K
            sum = number(total(e[at : at + K]))
            if logarithm:
                rest = log(sum)
                for k in range(0, K, L):
                    n = min(L, K - k)
                    store_part(n, y, a, k, (load_part(n, x, a, k) - top) - rest)
            else:
                scale = number(1) / sum
                for k in range(0, K, L):
                    n = min(L, K - k)
                    store_part(n, y, a, k, load_part(n, e, at + k) * scale)


@kernel
def rows_gradient(dy, y, dx, begin, end):
    """dx, dy and y (A, K), for some of the A rows of softmax."""
    K, L = y.shape[1], lanes(y)
    for a in range(begin, end):
        sums = load_part(0, y, a, 0)  # zero
        for k in range(0, K, L):
            n = min(L, K - k)
            sums += load_part(n, dy, a, k) * load_part(n, y, a, k)
        sum = hsum(sums)
        for k in range(0, K, L):
            n = min(L, K - k)
            store_part(n, dx, a, k, load_part(n, y, a, k) * (load_part(n, dy, a, k) - sum))


@kernel
def log_rows_gradient(dy, y, dx, begin, end):
    """dx, dy and y (A, K), for some of the A rows of softmax's logarithm."""
    whole_registers()
    K, L, number = y.shape[1], lanes(y), y.dtype.type
    together = max(1, BLOCK // K)
    e = scratch(together * K, y.dtype)
    for first in range(begin, end, together):
        last = min(first + together, end)
        block = reshape(y[first:last], (last - first) * K)
        for i in range(block.size):
            e[i] = exp(block[i])
        for a in range(first, last):
            sum, at = number(total(dy[a])), (a - first) * K
            for k in range(0, K, L):
                n = min(L, K - k)
                store_part(n, dx, a, k, load_part(n, dy, a, k) - load_part(n, e, at + k) * sum)


@exactly
def columns(x, logarithm, y, begin, end):
    """y and x (A, K, B), for some of the strips of all A."""
    _, K, B = x.shape
    strips = -(-B // STRIP)
    one = x.dtype.type(1)
    for j in range(begin, end):
        a, lo, hi = j // strips, j % strips * STRIP, min((j % strips + 1) * STRIP, B)
        largest, sums = x[a, 0, lo:hi].copy(), zeros(hi - lo, x.dtype)
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


@kernel
def columns_gradient(dy, y, logarithm, dx, begin, end):
    """dx, dy and y (A, K, B), for some of the strips of all A."""
    _, K, B = y.shape
    strips = -(-B // STRIP)
    one = y.dtype.type(1)
    for j in range(begin, end):
        a, lo, hi = j // strips, j % strips * STRIP, min((j % strips + 1) * STRIP, B)
        sums = zeros(hi - lo, y.dtype)
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
    if B == 1 and K:
        lines = dy.reshape(A, K), y.reshape(A, K), dx.reshape(A, K)
        run(log_rows_gradient if log else rows_gradient, A, y.size, *lines)
    elif y.size:
        run(columns_gradient, A * -(-B // STRIP), y.size, dy, y, log, dx)
    return dx
