"""Batch normalisation, and what often follows it: another array added, and limits, such as ReLU's.

    y = f((x - mean) scale + bias + other),    f(v) = min(max(v, low), high),    scale = weight rstd

A channel is read twice for its mean and variance, and once more for the result; and back again, twice. Who
does one of these does the next, too, while the channel is in the cache. It lies in N places of memory, far
apart; where they are short, a job takes several channels, which lie side by side.

The way back finds out from x where f let the gradient pass, by computing v again; but where `other` was
added, from y. Then dv, the gradient behind f, is also that of `other`, and is written for it.

limits = (low, high), where NaN is none: no number is below it. The variance as mean(x*x) - mean(x)**2 would
save reading a channel once, and lose all digits where the mean is large. Each channel is one thread's, so
results do not depend on their number.
"""

import math

import numpy as np

from minicnn.kernels.cpu.graph import again
from minicnn.kernels.cpu.jit import inner, kernel
from minicnn.kernels.cpu.masks import select
from minicnn.kernels.cpu.memory import result
from minicnn.kernels.cpu.rows import STRETCH, squares, total
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.cpu.simd import hsum, lanes, load_part, store_part

RUN = 1024  # numbers that a job reads side by side, at least: a page of memory
FREE = (math.nan, math.nan)  # limits that let everything pass
Limits = tuple[float, float]


@inner
def moments(x, begin, end, mean, var):
    """mean and var (C) of x (N, C, P), for some of the channels."""
    N, _, P = x.shape
    sums = np.zeros(end - begin)
    for n in range(N):
        for c in range(begin, end):
            sums[c - begin] += total(x[n, c])
    for c in range(begin, end):
        mean[c] = sums[c - begin] / (N * P)
        sums[c - begin] = 0
    for n in range(N):
        for c in range(begin, end):
            sums[c - begin] += squares(x[n, c], mean[c])
    for c in range(begin, end):
        var[c] = sums[c - begin] / (N * P)


@inner
def normalise_row(x, other, n, c, mean, scale, bias, limits, y):
    """y[n, c] = f(x[n, c] scaled and shifted, + other[n, c]), where other may be empty."""
    L, P, (low, high) = lanes(x), x.shape[2], limits
    for p in range(0, P, L):
        m = min(L, P - p)
        v = (load_part(m, x, n, c, p) - mean) * scale + bias
        if other.size > 0:
            v += load_part(m, other, n, c, p)
        v = select(v < low, low, v)
        store_part(m, y, n, c, p, select(v > high, high, v))


@kernel
def statistics(x, together, mean, var, begin, end):
    """mean and var (C) of x (N, C, P); a job is so many channels."""
    for c in range(begin * together, min(end * together, x.shape[1]), together):
        moments(x, c, min(c + together, x.shape[1]), mean, var)


@kernel
def normalise_rows(x, other, mean, scale, bias, limits, y, begin, end):
    """y, x and other (N, C, P), where other may be empty; mean, scale, bias (C). Some of the N*C rows."""
    C = x.shape[1]
    for j in range(begin, end):
        n, c = j // C, j % C
        normalise_row(x, other, n, c, mean[c], scale[c], bias[c], limits, y)


@kernel
def normalise_channels(x, other, weight, bias, eps, limits, together, mean, var, rstd, y, begin, end):
    """The same with the mean, var and rstd (C) that x has; a job is so many channels."""
    N, C, _ = x.shape
    for first in range(begin * together, min(end * together, C), together):
        last = min(first + together, C)
        moments(x, first, last, mean, var)
        for c in range(first, last):
            rstd[c] = 1 / math.sqrt(var[c] + eps)
        for n in range(N):
            for c in range(first, last):
                normalise_row(x, other, n, c, mean[c], weight[c] * rstd[c], bias[c], limits, y)


@inner
def passed(grad, v, limits):
    """grad where the limits let v pass; a NaN counts as `high`, where there is one, as in PyTorch's ReLU6."""
    low, high = limits
    v = select(v != v, high, v)
    return select((v <= low) | (high <= v), 0, grad)


@inner
def gradient_sums(dy, y, x, n, c, mean, scale, bias, limits, dv):
    """The sums of dv[n, c] and dv[n, c] (x[n, c] - mean). If y is given, dv is written."""
    L, P, out, products = lanes(x), x.shape[2], 0.0, 0.0
    for first in range(0, P, STRETCH):
        last = min(first + STRETCH, P)
        sums, more = load_part(0, x, n, c, first), load_part(0, x, n, c, first)  # zero
        for p in range(first, last, L):
            m = min(L, last - p)
            distance = load_part(m, x, n, c, p) - mean
            if y.size > 0:
                v = load_part(m, y, n, c, p)
                grad = passed(load_part(m, dy, n, c, p), v, limits)
                store_part(m, dv, n, c, p, grad)
            else:
                v = distance * scale + bias
                grad = passed(load_part(m, dy, n, c, p), v, limits)
            sums += grad
            more += grad * distance
        out += hsum(sums)
        products += hsum(more)
    return out, products


@inner
def gradient_row(dv, x, n, c, mean, scale, bias, limits, slope, shift, dx):
    """dx[n, c] from the gradient dv[n, c], to which the limits may still apply."""
    L, P = lanes(x), x.shape[2]
    for p in range(0, P, L):
        m = min(L, P - p)
        distance = load_part(m, x, n, c, p) - mean
        v = distance * scale + bias
        grad = passed(load_part(m, dv, n, c, p), v, limits)
        store_part(m, dx, n, c, p, (grad - shift - distance * slope) * scale)


@kernel
def gradient(
    dy, y, x, scale, bias, mean, rstd, limits, constant, together, dv, dx, dweight, dbias, begin, end
):
    """dx, dv (N, C, P), dweight and dbias (C); a job is so many channels. y and dv may be empty."""
    N, C, P = x.shape
    number = x.dtype.type
    source, after = (dv, (number(np.nan), number(np.nan))) if y.size > 0 else (dy, limits)
    for first in range(begin * together, min(end * together, C), together):
        last = min(first + together, C)
        sums = np.zeros((2, last - first))
        for n in range(N):
            for c in range(first, last):
                some = gradient_sums(dy, y, x, n, c, mean[c], scale[c], bias[c], limits, dv)
                sums[0, c - first] += some[0]
                sums[1, c - first] += some[1]
        for c in range(first, last):
            dbias[c], dweight[c] = sums[0, c - first], sums[1, c - first] * rstd[c]
            sums[0, c - first] *= 0.0 if constant else 1 / (N * P)
            sums[1, c - first] *= 0.0 if constant else rstd[c] * rstd[c] / (N * P)
        for n in range(N):
            for c in range(first, last):
                shift, slope = number(sums[0, c - first]), number(sums[1, c - first])
                gradient_row(source, x, n, c, mean[c], scale[c], bias[c], after, slope, shift, dx)


def rows(x: np.ndarray | None, like: np.ndarray) -> np.ndarray:
    """x (N, C, ...) as (N, C, P) in one piece; an empty array if there is none.

    Rows of one number are laid side by side, as (1, C, N). Else it is the same memory, if that is one piece.
    """
    if x is None:
        return np.empty((0, 0, 0), like.dtype)
    N, C, P = *x.shape[:2], math.prod(x.shape[2:])
    if P == 1:
        return again(np.ascontiguousarray, x.reshape(N, C).T)[None]
    return np.ascontiguousarray(x).reshape(N, C, P)


def filled(y: np.ndarray, written: np.ndarray) -> np.ndarray:
    """y, of which `rows` was written."""
    if math.prod(y.shape[2:]) == 1:
        again(np.copyto, y.reshape(y.shape[:2]), written[0].T)
    return y


def grouped(x: np.ndarray) -> tuple[int, int]:
    """The number of jobs, and how many channels of x (N, C, P) each of them takes."""
    _, C, P = x.shape
    together = max(1, min(C, RUN // max(P, 1)))
    return -(-C // together), together


def per_channel(values: np.ndarray | None, default: float, like: np.ndarray) -> np.ndarray:
    """A number for each channel of like (N, C, ...)."""
    if values is None:
        return np.full(like.shape[1], like.dtype.type(default))
    return np.ascontiguousarray(values)


def numbers(limits: Limits, like: np.ndarray) -> Limits:
    """The limits in the precision of an array."""
    return like.dtype.type(limits[0]), like.dtype.type(limits[1])


def mean_and_var(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """mean and var (C) of x (N, C, ...)."""
    lines, mean, var = rows(x, x), np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    jobs, together = grouped(lines)
    run(statistics, jobs, x.size, lines, together, mean, var)
    return mean, var


def normalise(
    x: np.ndarray,
    other: np.ndarray | None,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    mean: np.ndarray,
    rstd: np.ndarray,
    limits: Limits = FREE,
    y: np.ndarray | None = None,
) -> np.ndarray:
    """y from x and other, all (N, C, ...), and weight, bias, mean and rstd (C); y may be x, in one piece."""
    y = result(x.shape, x.dtype) if y is None else y
    lines, out, scale = rows(x, x), rows(y, x), again(np.multiply, per_channel(weight, 1, x), rstd)
    of_channel = np.ascontiguousarray(mean), scale, per_channel(bias, 0, x)
    jobs = len(lines) * x.shape[1]
    run(normalise_rows, jobs, x.size, lines, rows(other, x), *of_channel, numbers(limits, x), out)
    return filled(y, out)


def limit(x: np.ndarray, other: np.ndarray | None, limits: Limits, y: np.ndarray | None = None) -> np.ndarray:
    """y = f(x + other), all (N, C, ...); y may be x, in one piece."""
    mean, rstd = np.zeros(x.shape[1], x.dtype), np.ones(x.shape[1], x.dtype)
    return normalise(x, other, None, None, mean, rstd, limits, y)


def normalise_batch(
    x: np.ndarray,
    other: np.ndarray | None,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    eps: float,
    limits: Limits = FREE,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """y (N, C, ...), as `normalise`, and the mean, var and rstd (C) of x."""
    y, C = result(x.shape, x.dtype), x.shape[1]
    lines, out = rows(x, x), rows(y, x)
    found = np.empty(C, x.dtype), np.empty(C, x.dtype), np.empty(C, x.dtype)
    jobs, together = grouped(lines)
    given = lines, rows(other, x), per_channel(weight, 1, x), per_channel(bias, 0, x), x.dtype.type(eps)
    run(normalise_channels, jobs, x.size, *given, numbers(limits, x), together, *found, out)
    return filled(y, out), *found


def gradients(
    dy: np.ndarray,
    y: np.ndarray | None,
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    mean: np.ndarray,
    rstd: np.ndarray,
    constant: bool,
    limits: Limits = FREE,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """dx (N, C, ...), dweight (C), dbias (C), and what `other` gets (N, C, ...), which may be dy itself.

    With `constant`, mean and rstd do not depend on x. y is to be given where `other` and limits were.
    """
    C, dtype = x.shape[1], x.dtype
    dx, dweight, dbias = result(x.shape, dtype), np.empty(C, dtype), np.empty(C, dtype)
    dv = None if y is None else result(x.shape, dtype)
    lines, out, stopped = rows(x, x), rows(dx, x), rows(dv, x)
    of_channel = [again(np.multiply, per_channel(weight, 1, x), rstd), per_channel(bias, 0, x)]
    of_channel += [np.ascontiguousarray(mean), np.ascontiguousarray(rstd)]
    jobs, together = grouped(lines)
    how = numbers(limits, x), constant, together
    given = rows(dy, x), rows(y, x), lines, *of_channel
    run(gradient, jobs, x.size, *given, *how, stopped, out, dweight, dbias)
    return filled(dx, out), dweight, dbias, dy if dv is None else filled(dv, stopped)
