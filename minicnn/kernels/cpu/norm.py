"""Normalisation: one pass for the mean, one for the variance around it, one for the result.

The variance as mean(x*x) - mean(x)**2 would save a pass and lose all digits where the mean is large. Sums run
over short stretches, which are added up in float64. Batch normalisation shares the channels among the
threads, group normalisation the groups of all samples, so the results do not depend on their number.
"""

import math

import numpy as np

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.runner import run

__all__ = [
    "batch_norm", "batch_norm_gradient", "batch_norm_statistics", "group_norm", "group_norm_gradient",
    "group_norm_weight_gradient",
]  # fmt: skip

STRETCH = 1024  # numbers summed in their own precision


@jit
def total(v):
    """The sum of a row."""
    out = 0.0
    for lo in range(0, v.size, STRETCH):
        part = v.dtype.type(0)
        for i in range(lo, min(lo + STRETCH, v.size)):
            part += v[i]
        out += part
    return out


@jit
def squares(v, mean):
    """The sum of the squared distances of a row's numbers from the mean."""
    out = 0.0
    for lo in range(0, v.size, STRETCH):
        part = v.dtype.type(0)
        for i in range(lo, min(lo + STRETCH, v.size)):
            part += (v[i] - mean) * (v[i] - mean)
        out += part
    return out


@jit
def along(v, x, mean):
    """The sum of v (x - mean)."""
    out = 0.0
    for lo in range(0, v.size, STRETCH):
        part = v.dtype.type(0)
        for i in range(lo, min(lo + STRETCH, v.size)):
            part += v[i] * (x[i] - mean)
        out += part
    return out


@jit
def statistics(x, mean, var, begin, end):
    """mean and var (C) of x (N, C, P), for some of the channels."""
    N, _, P = x.shape
    for c in range(begin, end):
        out = 0.0
        for n in range(N):
            out += total(x[n, c])
        mean[c] = out / (N * P)
        out = 0.0
        for n in range(N):
            out += squares(x[n, c], mean[c])
        var[c] = out / (N * P)


@jit
def scale_and_shift(x, scale, mean, bias, y, begin, end):
    """y = (x - mean) scale + bias, for x and y (N, C, P) and the others (C); some of the N*C rows."""
    C = x.shape[1]
    for j in range(begin, end):
        n, c = j // C, j % C
        row, out, m, s, b = x[n, c], y[n, c], mean[c], scale[c], bias[c]
        for p in range(row.size):
            out[p] = (row[p] - m) * s + b


@jit
def batch_gradient(dy, x, scale, mean, rstd, constant, dx, dweight, dbias, begin, end):
    """dx (N, C, P), dweight and dbias (C), for some of the channels."""
    N, _, P = x.shape
    number = x.dtype.type
    for c in range(begin, end):
        by_bias, by_weight, m, s = 0.0, 0.0, mean[c], scale[c]
        for n in range(N):
            by_bias += total(dy[n, c])
            by_weight += along(dy[n, c], x[n, c], m)
        dbias[c], dweight[c] = by_bias, by_weight * rstd[c]
        slope, shift = number(0), number(0)
        if not constant:
            slope = number(by_weight * rstd[c] * rstd[c] / (N * P))
            shift = number(by_bias / (N * P))
        for n in range(N):
            grad, row, out = dy[n, c], x[n, c], dx[n, c]
            for p in range(P):
                out[p] = (grad[p] - shift - (row[p] - m) * slope) * s


@jit
def groups_forward(x, weight, bias, eps, y, mean, rstd, begin, end):
    """y, x (N, G, F), mean, rstd (N, G); weight and bias (G, F). Some of the N*G groups."""
    _, G, F = x.shape
    for j in range(begin, end):
        n, g = j // G, j % G
        row, out, w, b = x[n, g], y[n, g], weight[g], bias[g]
        mean[n, g] = total(row) / F
        rstd[n, g] = 1 / math.sqrt(squares(row, mean[n, g]) / F + eps)
        m, r = mean[n, g], rstd[n, g]
        for i in range(F):
            out[i] = (row[i] - m) * r * w[i] + b[i]


@jit
def groups_gradient(dy, x, weight, mean, rstd, dx, begin, end):
    """dx, dy, x (N, G, F); weight (G, F). Some of the N*G groups."""
    _, G, F = x.shape
    number = x.dtype.type
    d = np.empty(F, x.dtype)
    for j in range(begin, end):
        n, g = j // G, j % G
        grad, row, out, w, m, r = dy[n, g], x[n, g], dx[n, g], weight[g], mean[n, g], rstd[n, g]
        for i in range(F):
            d[i] = grad[i] * w[i]
        shift = number(total(d) / F)
        slope = number(along(d, row, m) * r * r / F)
        for i in range(F):
            out[i] = (d[i] - shift - (row[i] - m) * slope) * r


@jit
def groups_weight_gradient(dy, x, mean, rstd, dweight, dbias, begin, end):
    """dweight, dbias (G, F) from dy, x (N, G, F), for some of the F columns, through all samples."""
    N, G, _ = x.shape
    for g in range(G):
        by_weight, by_bias = dweight[g, begin:end], dbias[g, begin:end]
        by_weight[:] = 0
        by_bias[:] = 0
        for n in range(N):
            grad, row, m, r = dy[n, g, begin:end], x[n, g, begin:end], mean[n, g], rstd[n, g]
            for i in range(end - begin):
                by_weight[i] += grad[i] * ((row[i] - m) * r)
                by_bias[i] += grad[i]


def channels(values: np.ndarray | None, default: float, like: np.ndarray) -> np.ndarray:
    """A number for each channel of like (N, C, P)."""
    if values is None:
        return np.full(like.shape[1], like.dtype.type(default))
    return np.ascontiguousarray(values)


def grouped(x: np.ndarray, groups: int) -> np.ndarray:
    """x (N, C, P) as (N, G, F), with the F = C/G*P numbers of a group in a row."""
    N, C, P = x.shape
    return np.ascontiguousarray(x).reshape(N, groups, C // groups * P)


def spread(values: np.ndarray, P: int, groups: int) -> np.ndarray:
    """A number for each channel (C), once for each of its places (G, F)."""
    rows = values if P == 1 else np.repeat(values, P)
    return rows.reshape(groups, len(values) // groups * P)


def batch_norm_statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """mean and var (C) of x (N, C, P)."""
    C = x.shape[1]
    mean, var = np.empty(C, x.dtype), np.empty(C, x.dtype)
    run(statistics, C, x.size, np.ascontiguousarray(x), mean, var)
    return mean, var


def batch_norm(
    x: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None, mean: np.ndarray, rstd: np.ndarray
) -> np.ndarray:
    """y (N, C, P), from x (N, C, P) and weight, bias, mean and rstd (C)."""
    y = np.empty(x.shape, x.dtype)
    scale = np.ascontiguousarray(rstd if weight is None else weight * rstd)
    bias, mean = channels(bias, 0, x), np.ascontiguousarray(mean)
    N, C, _ = x.shape
    arrays = np.ascontiguousarray(x), scale, mean, bias, y
    run(scale_and_shift, N * C, x.size, *arrays)
    return y


def batch_norm_gradient(
    dy: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None,
    mean: np.ndarray,
    rstd: np.ndarray,
    constant: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dx (N, C, P), dweight (C) and dbias (C); with `constant`, mean and rstd do not depend on x."""
    C = x.shape[1]
    dx, dweight, dbias = np.empty(x.shape, dy.dtype), np.empty(C, dy.dtype), np.empty(C, dy.dtype)
    scale = np.ascontiguousarray(rstd if weight is None else weight * rstd)
    dy, x, mean, rstd = (np.ascontiguousarray(a) for a in (dy, x, mean, rstd))
    arrays = dy, x, scale, mean, rstd, constant, dx, dweight, dbias
    run(batch_gradient, C, x.size, *arrays)
    return dx, dweight, dbias


def group_norm(
    x: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None, groups: int, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y (N, C, P), and mean and rstd (N, G), from x (N, C, P) and weight and bias (C)."""
    N, _, P = x.shape
    y = np.empty(x.shape, x.dtype)
    mean, rstd = np.empty((N, groups), x.dtype), np.empty((N, groups), x.dtype)
    weight, bias = (spread(channels(a, d, x), P, groups) for a, d in ((weight, 1), (bias, 0)))
    arrays = grouped(x, groups), weight, bias, float(eps), grouped(y, groups), mean, rstd
    run(groups_forward, N * groups, x.size, *arrays)
    return y, mean, rstd


def group_norm_gradient(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray | None, mean: np.ndarray, rstd: np.ndarray
) -> np.ndarray:
    """dx (N, C, P)."""
    G = mean.shape[1]
    dx = np.empty(x.shape, dy.dtype)
    weight = spread(channels(weight, 1, x), x.shape[2], G)
    arrays = grouped(dy, G), grouped(x, G), weight, np.ascontiguousarray(mean), np.ascontiguousarray(rstd)
    run(groups_gradient, mean.size, x.size, *arrays, grouped(dx, G))
    return dx


def group_norm_weight_gradient(
    dy: np.ndarray, x: np.ndarray, mean: np.ndarray, rstd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """dweight and dbias (C)."""
    (_, C, P), G = x.shape, mean.shape[1]
    dweight, dbias = (np.empty((G, C // G * P), dy.dtype) for _ in range(2))
    arrays = grouped(dy, G), grouped(x, G), np.ascontiguousarray(mean), np.ascontiguousarray(rstd)
    jobs = dweight.shape[1]
    run(groups_weight_gradient, jobs, x.size, *arrays, dweight, dbias)
    return dweight.reshape(C, P).sum(axis=1), dbias.reshape(C, P).sum(axis=1)
