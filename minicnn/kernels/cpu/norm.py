"""Normalisation: one pass for the mean, one for the variance around it, one for the result.

Here is what works on groups of channels of one sample, or on lines; threads share the groups of all samples,
so results do not depend on their number. The gradients of all are found together, while dy and x are in the
cache: those of the weights as sums over the samples of a job, and then over the jobs. normalise.py is what
works on channels of all samples.
"""

import math

import numpy as np

from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.normalise import gradients, mean_and_var, normalise
from minicnn.kernels.cpu.rows import STRETCH, squares, total, total_and_products
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.cpu.scratch import reshape
from minicnn.kernels.cpu.simd import hsum, lanes, load_part, store_part

__all__ = [
    "batch_norm", "batch_norm_gradient", "batch_norm_statistics", "group_norm", "group_norm_gradient",
]  # fmt: skip

SAMPLES = 32  # whose part of a line's dweight one job adds up, at least
PARTS = 64  # jobs that do so, at most


@kernel
def groups_forward(x, weight, bias, eps, y, mean, rstd, begin, end):
    """y, x (N, C, P), mean, rstd (N, G); weight and bias (C). Some of the N*G groups."""
    N, C, P = x.shape
    G, L = mean.shape[1], lanes(x)
    F = C // G * P
    groups = reshape(x, (N, G, F))
    for j in range(begin, end):
        n, g = j // G, j % G
        mean[n, g] = total(groups[n, g]) / F
        rstd[n, g] = 1 / math.sqrt(squares(groups[n, g], mean[n, g]) / F + eps)
        m = mean[n, g]
        for c in range(g * (C // G), (g + 1) * (C // G)):
            scale, shift = rstd[n, g] * weight[c], bias[c]
            for p in range(0, P, L):
                some = min(L, P - p)
                store_part(some, y, n, c, p, (load_part(some, x, n, c, p) - m) * scale + shift)


@kernel
def groups_gradient(dy, x, weight, mean, rstd, dx, sums, products, begin, end):
    """dx, dy, x (N, C, P); weight (C); sums and products (N, C) of each row. Some of the N*G groups."""
    _, C, P = x.shape
    G, L, number = mean.shape[1], lanes(x), x.dtype.type
    F = C // G * P
    for j in range(begin, end):
        n, g = j // G, j % G
        m, r, all_sums, all_products = mean[n, g], rstd[n, g], 0.0, 0.0
        for c in range(g * (C // G), (g + 1) * (C // G)):
            sum, product = total_and_products(dy[n, c], x[n, c], m)
            sums[n, c], products[n, c] = sum, product * r
            all_sums += weight[c] * sum
            all_products += weight[c] * product
        shift, slope = number(all_sums / F), number(all_products * r * r / F)
        for c in range(g * (C // G), (g + 1) * (C // G)):
            w = weight[c]
            for p in range(0, P, L):
                some = min(L, P - p)
                distance = load_part(some, x, n, c, p) - m
                d = load_part(some, dy, n, c, p) * w - shift - distance * slope
                store_part(some, dx, n, c, p, d * r)


# The same for P = 1, where a weight belongs to a number rather than to a row of them: a group is a line.


@kernel
def lines_forward(x, weight, bias, eps, y, mean, rstd, begin, end):
    """y, x (J, F), mean, rstd (J), J = N*G; weight and bias (G, F). Some of the J lines."""
    L, F, G = lanes(x), x.shape[1], len(weight)
    for j in range(begin, end):
        g = j % G
        mean[j] = total(x[j]) / F
        rstd[j] = 1 / math.sqrt(squares(x[j], mean[j]) / F + eps)
        m, r = mean[j], rstd[j]
        for i in range(0, F, L):
            some = min(L, F - i)
            v = (load_part(some, x, j, i) - m) * r
            store_part(some, y, j, i, v * load_part(some, weight, g, i) + load_part(some, bias, g, i))


@kernel
def lines_gradient(dy, x, weight, mean, rstd, together, dx, dweight, dbias, begin, end):
    """dx, dy, x (N, G, F), weight (G, F); dweight and dbias (jobs, G, F). A job is so many samples."""
    N, G, F = x.shape
    L, number = lanes(x), x.dtype.type
    for job in range(begin, end):
        for g in range(G):
            for i in range(F):
                dweight[job, g, i], dbias[job, g, i] = 0, 0
        for n in range(job * together, min((job + 1) * together, N)):
            for g in range(G):
                m, r = mean[n, g], rstd[n, g]
                all_sums, all_products = 0.0, 0.0
                for first in range(0, F, STRETCH):
                    last = min(first + STRETCH, F)
                    sums, products = load_part(0, x, n, g, first), load_part(0, x, n, g, first)  # zero
                    for i in range(first, last, L):
                        some = min(L, last - i)
                        d = load_part(some, dy, n, g, i) * load_part(some, weight, g, i)
                        sums += d
                        products += d * (load_part(some, x, n, g, i) - m)
                    all_sums += hsum(sums)
                    all_products += hsum(products)
                shift, slope = number(all_sums / F), number(all_products * r * r / F)
                for i in range(0, F, L):
                    some = min(L, F - i)
                    grad, distance = load_part(some, dy, n, g, i), load_part(some, x, n, g, i) - m
                    d = grad * load_part(some, weight, g, i) - shift - distance * slope
                    store_part(some, dx, n, g, i, d * r)
                    by_weight = load_part(some, dweight, job, g, i) + grad * (distance * r)
                    store_part(some, dweight, job, g, i, by_weight)
                    store_part(some, dbias, job, g, i, load_part(some, dbias, job, g, i) + grad)


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
    N, C, P = x.shape
    x, y = np.ascontiguousarray(x), np.empty(x.shape, x.dtype)
    mean, rstd = np.empty((N, groups), x.dtype), np.empty((N, groups), x.dtype)
    weight, bias = channels(weight, 1, x), channels(bias, 0, x)
    if P == 1:
        lines, of_lines = (a.reshape(N * groups, C // groups) for a in (x, y))
        weight, bias = (a.reshape(groups, C // groups) for a in (weight, bias))
        given = lines, weight, bias, float(eps), of_lines, mean.reshape(-1), rstd.reshape(-1)
        run(lines_forward, N * groups, x.size, *given)
    else:
        run(groups_forward, N * groups, x.size, x, weight, bias, float(eps), y, mean, rstd)
    return y, mean, rstd


def group_norm_gradient(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray | None, mean: np.ndarray, rstd: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dx (N, C, P), dweight (C) and dbias (C)."""
    (N, C, P), G = x.shape, mean.shape[1]
    dx, weight = np.empty(x.shape, dy.dtype), channels(weight, 1, x)
    dy, x, mean, rstd = (np.ascontiguousarray(a) for a in (dy, x, mean, rstd))
    if P == 1:
        together = max(SAMPLES, -(-N // PARTS))
        jobs, shape = -(-N // together), (G, C // G)
        dweight, dbias = np.empty((jobs, *shape), dy.dtype), np.empty((jobs, *shape), dy.dtype)
        grad, lines, out = (a.reshape(N, *shape) for a in (dy, x, dx))
        given = grad, lines, weight.reshape(shape), mean, rstd, together, out, dweight, dbias
        run(lines_gradient, jobs, x.size, *given)
    else:
        dweight, dbias = np.empty((N, C)), np.empty((N, C))  # float64, for these are long sums
        run(groups_gradient, N * G, x.size, dy, x, weight, mean, rstd, dx, dbias, dweight)
    return dx, *(part.sum(axis=0).reshape(C).astype(dy.dtype, copy=False) for part in (dweight, dbias))
