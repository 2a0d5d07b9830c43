"""Normalisation: one pass for the mean, one for the variance around it, one for the result.

Here is what works on groups of channels of one sample, or on lines; threads share the groups of all samples,
so results do not depend on their number. normalise.py is what works on channels of all samples.
"""

import math

import numpy as np

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.normalise import gradients, mean_and_var, normalise
from minicnn.kernels.cpu.rows import squares, total, total_and_products
from minicnn.kernels.cpu.runner import run

__all__ = [
    "batch_norm", "batch_norm_gradient", "batch_norm_statistics", "group_norm", "group_norm_gradient",
    "group_norm_weight_gradient",
]  # fmt: skip


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
    return mean_and_var(x)


def batch_norm(
    x: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None, mean: np.ndarray, rstd: np.ndarray
) -> np.ndarray:
    """y (N, C, P), from x (N, C, P) and weight, bias, mean and rstd (C)."""
    return normalise(x, None, weight, bias, mean, rstd)


def batch_norm_gradient(
    dy: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None,
    mean: np.ndarray,
    rstd: np.ndarray,
    constant: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dx (N, C, P), dweight (C) and dbias (C); with `constant`, mean and rstd do not depend on x."""
    return gradients(dy, None, x, weight, None, mean, rstd, constant)[:3]


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
