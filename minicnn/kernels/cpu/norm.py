"""Normalisation: one pass for the mean, one for the variance around it, one for the result.

The variance as mean(x*x) - mean(x)**2 would save a pass and lose all digits where the mean is large. Batch
normalisation shares the channels among the threads, group normalisation the groups of all samples, so the
results do not depend on their number.
"""

import math

import numpy as np

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.rows import squares, total, total_and_products
from minicnn.kernels.cpu.runner import run

__all__ = [
    "batch_norm", "batch_norm_gradient", "batch_norm_statistics", "group_norm", "group_norm_gradient",
    "group_norm_weight_gradient",
]  # fmt: skip


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
            sum, products = total_and_products(dy[n, c], x[n, c], m)
            by_bias += sum
            by_weight += products
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
    """y, x (N, C, P), mean, rstd (N, G); weight and bias (C). Some of the N*G groups."""
    N, C, P = x.shape
    G = mean.shape[1]
    F = C // G * P
    groups, results = x.reshape(N, G, F), y.reshape(N, G, F)
    for j in range(begin, end):
        n, g = j // G, j % G
        group, first, last = groups[n, g], g * (C // G), (g + 1) * (C // G)
        mean[n, g] = total(group) / F
        rstd[n, g] = 1 / math.sqrt(squares(group, mean[n, g]) / F + eps)
        m, r = mean[n, g], rstd[n, g]
        if P == 1:
            out, w, b = results[n, g], weight[first:last], bias[first:last]
            for i in range(F):
                out[i] = (group[i] - m) * r * w[i] + b[i]
        else:
            for c in range(first, last):
                row, out, scale, shift = x[n, c], y[n, c], r * weight[c], bias[c]
                for p in range(P):
                    out[p] = (row[p] - m) * scale + shift


@jit
def groups_gradient(dy, x, weight, mean, rstd, dx, begin, end):
    """dx, dy, x (N, C, P); weight (C). Some of the N*G groups."""
    _, C, P = x.shape
    G = mean.shape[1]
    F, number = C // G * P, x.dtype.type
    for j in range(begin, end):
        n, g = j // G, j % G
        m, r, sums, products = mean[n, g], rstd[n, g], 0.0, 0.0
        for c in range(g * (C // G), (g + 1) * (C // G)):
            sum, product = total_and_products(dy[n, c], x[n, c], m)
            sums += weight[c] * sum
            products += weight[c] * product
        shift, slope = number(sums / F), number(products * r * r / F)
        for c in range(g * (C // G), (g + 1) * (C // G)):
            grad, row, out, w = dy[n, c], x[n, c], dx[n, c], weight[c]
            for p in range(P):
                out[p] = (grad[p] * w - shift - (row[p] - m) * slope) * r


@jit
def groups_weight_gradient(dy, x, mean, rstd, dweight, dbias, begin, end):
    """dweight, dbias (C) from dy, x (N, C, P), for some of the C channels, through all samples."""
    N, C, _ = x.shape
    size = C // mean.shape[1]
    for c in range(begin, end):
        by_weight, by_bias = 0.0, 0.0
        for n in range(N):
            sum, products = total_and_products(dy[n, c], x[n, c], mean[n, c // size])
            by_bias += sum
            by_weight += products * rstd[n, c // size]
        dweight[c], dbias[c] = by_weight, by_bias


# The gradients again for P = 1, where a weight belongs to a number rather than to a row of them.


@jit
def lines_gradient(dy, x, weight, mean, rstd, dx, begin, end):
    """dx, dy, x (N, G, F); weight (G, F). Some of the N*G groups."""
    _, G, F = x.shape
    number, d = x.dtype.type, np.empty(F, x.dtype)
    for j in range(begin, end):
        n, g = j // G, j % G
        grad, row, out, w, m, r = dy[n, g], x[n, g], dx[n, g], weight[g], mean[n, g], rstd[n, g]
        for i in range(F):
            d[i] = grad[i] * w[i]
        sum, products = total_and_products(d, row, m)
        shift, slope = number(sum / F), number(products * r * r / F)
        for i in range(F):
            out[i] = (d[i] - shift - (row[i] - m) * slope) * r


@jit
def lines_weight_gradient(dy, x, mean, rstd, dweight, dbias, begin, end):
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
    N = len(x)
    y = np.empty(x.shape, x.dtype)
    mean, rstd = np.empty((N, groups), x.dtype), np.empty((N, groups), x.dtype)
    weight, bias = channels(weight, 1, x), channels(bias, 0, x)
    arrays = np.ascontiguousarray(x), weight, bias, float(eps), y, mean, rstd
    run(groups_forward, N * groups, x.size, *arrays)
    return y, mean, rstd


def group_norm_gradient(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray | None, mean: np.ndarray, rstd: np.ndarray
) -> np.ndarray:
    """dx (N, C, P)."""
    (N, C, P), G = x.shape, mean.shape[1]
    dx, weight = np.empty(x.shape, dy.dtype), channels(weight, 1, x)
    dy, x, mean, rstd = (np.ascontiguousarray(a) for a in (dy, x, mean, rstd))
    if P == 1:
        grad, lines, out = (a.reshape(N, G, C // G) for a in (dy, x, dx))
        run(lines_gradient, N * G, x.size, grad, lines, weight.reshape(G, C // G), mean, rstd, out)
    else:
        run(groups_gradient, N * G, x.size, dy, x, weight, mean, rstd, dx)
    return dx


def group_norm_weight_gradient(
    dy: np.ndarray, x: np.ndarray, mean: np.ndarray, rstd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """dweight and dbias (C)."""
    (N, C, P), G = x.shape, mean.shape[1]
    dweight, dbias = np.empty(C, dy.dtype), np.empty(C, dy.dtype)
    dy, x, mean, rstd = (np.ascontiguousarray(a) for a in (dy, x, mean, rstd))
    if P == 1:
        grad, lines = (a.reshape(N, G, C // G) for a in (dy, x))
        sums = (a.reshape(G, C // G) for a in (dweight, dbias))
        run(lines_weight_gradient, C // G, x.size, grad, lines, mean, rstd, *sums)
    else:
        run(groups_weight_gradient, C, x.size, dy, x, mean, rstd, dweight, dbias)
    return dweight, dbias
