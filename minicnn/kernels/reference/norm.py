"""Normalisation as its definition: y = (x - mean) rstd weight + bias, with rstd = 1 / sqrt(var + eps).

x is (N, C, P), with the P places of a picture or a line in a row. Batch normalisation takes the mean and the
variance of each channel over the batch, group normalisation those of each group of channels of one sample.

Where mean and var depend on x, its gradient is, with xhat = (x - mean) rstd and d = dy weight,

    dx = rstd (d - mean of d - xhat (mean of d xhat)).

Sources: Ioffe and Szegedy, Batch normalization, 2015; Wu and He, Group normalization, 2018.
"""

import math
from collections.abc import Iterable

import numpy as np

__all__ = [
    "batch_norm", "batch_norm_gradient", "batch_norm_statistics", "group_norm", "group_norm_gradient",
]  # fmt: skip


def mean_and_var(values: Iterable[float]) -> tuple[float, float]:
    """The mean, and the mean square of the distances from it."""
    values = list(values)
    if not values:
        return math.nan, math.nan
    mean = sum(values) / len(values)
    return mean, sum((v - mean) ** 2 for v in values) / len(values)


def batch_norm_statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """mean and var (C) of x (N, C, P)."""
    pairs = [mean_and_var(float(v) for v in x[:, c].flat) for c in range(x.shape[1])]
    mean, var = np.array(pairs, x.dtype).reshape(-1, 2).T
    return mean, var


def batch_norm(
    x: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None, mean: np.ndarray, rstd: np.ndarray
) -> np.ndarray:
    """y (N, C, P), from x (N, C, P) and weight, bias, mean and rstd (C)."""
    y = np.empty(x.shape, x.dtype)
    for n, c, p in np.ndindex(x.shape):
        y[n, c, p] = (x[n, c, p] - mean[c]) * rstd[c]
        if weight is not None:
            y[n, c, p] *= weight[c]
        if bias is not None:
            y[n, c, p] += bias[c]
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
    N, C, P = x.shape
    dx = np.empty(x.shape, dy.dtype)
    dweight, dbias = np.zeros(C), np.zeros(C)  # float64, for these are long sums
    for n, c, p in np.ndindex(x.shape):
        dweight[c] += dy[n, c, p] * (x[n, c, p] - mean[c]) * rstd[c]
        dbias[c] += dy[n, c, p]
    for n, c, p in np.ndindex(x.shape):
        d = dy[n, c, p]
        if not constant:
            xhat = (x[n, c, p] - mean[c]) * rstd[c]
            d = d - (dbias[c] + xhat * dweight[c]) / (N * P)
        dx[n, c, p] = d * rstd[c] * (1 if weight is None else weight[c])
    return dx, dweight.astype(dy.dtype), dbias.astype(dy.dtype)


def group_norm(
    x: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None, groups: int, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y (N, C, P), and mean and rstd (N, G), from x (N, C, P) and weight and bias (C)."""
    N, C, _ = x.shape
    size = C // groups
    y = np.empty(x.shape, x.dtype)
    mean, rstd = np.empty((N, groups), x.dtype), np.empty((N, groups), x.dtype)
    for n, g in np.ndindex(N, groups):
        members = slice(g * size, (g + 1) * size)
        mean[n, g], var = mean_and_var(float(v) for v in x[n, members].flat)
        rstd[n, g] = 1 / math.sqrt(var + eps)
        parts = [None if a is None else a[members] for a in (weight, bias)]
        of_group = [np.full(size, a[n, g]) for a in (mean, rstd)]
        y[n, members] = batch_norm(x[n : n + 1, members], parts[0], parts[1], of_group[0], of_group[1])[0]
    return y, mean, rstd


def group_norm_gradient(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray | None, mean: np.ndarray, rstd: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dx (N, C, P), dweight (C) and dbias (C)."""
    N, C, P = x.shape
    G = mean.shape[1]
    dx = np.empty(x.shape, dy.dtype)
    dweight, dbias = np.zeros(C), np.zeros(C)  # float64, for these are long sums
    for n, g in np.ndindex(N, G):
        cells = [(n, g * C // G + c, p) for c, p in np.ndindex(C // G, P)]
        xhat = {at: (x[at] - mean[n, g]) * rstd[n, g] for at in cells}
        d = {at: dy[at] if weight is None else dy[at] * weight[at[1]] for at in cells}
        mean_d = sum(d.values()) / max(len(cells), 1)
        mean_dxhat = sum(d[at] * xhat[at] for at in cells) / max(len(cells), 1)
        for at in cells:
            dx[at] = rstd[n, g] * (d[at] - mean_d - xhat[at] * mean_dxhat)
            dweight[at[1]] += dy[at] * xhat[at]
            dbias[at[1]] += dy[at]
    return dx, dweight.astype(dy.dtype), dbias.astype(dy.dtype)
