"""Activations in one pass, shared among the threads."""

import numpy as np
from numba import get_num_threads, prange

from minicnn.kernels.cpu.jit import parallel

__all__ = ["relu", "relu_gradient", "tanh_gradient"]


@parallel
def rectify(x, y, threads):
    for t in prange(threads):
        lo, hi = t * x.size // threads, (t + 1) * x.size // threads
        source, target = x[lo:hi], y[lo:hi]
        for i in range(hi - lo):
            target[i] = 0 if source[i] < 0 else source[i]


@parallel
def pass_where_positive(dy, y, dx, threads):
    for t in prange(threads):
        lo, hi = t * y.size // threads, (t + 1) * y.size // threads
        source, gate, target = dy[lo:hi], y[lo:hi], dx[lo:hi]
        for i in range(hi - lo):
            target[i] = 0 if gate[i] <= 0 else source[i]


@parallel
def times_slope(dy, y, dx, threads):
    for t in prange(threads):
        lo, hi = t * y.size // threads, (t + 1) * y.size // threads
        source, value, target = dy[lo:hi], y[lo:hi], dx[lo:hi]
        for i in range(hi - lo):
            target[i] = source[i] * (1 - value[i] * value[i])


def relu(x: np.ndarray) -> np.ndarray:
    """y = max(x, 0); NaN stays NaN."""
    x = np.asarray(x, order="C")  # without a dimension it stays without
    y = np.empty_like(x)
    rectify(x.reshape(-1), y.reshape(-1), get_num_threads())
    return y


def relu_gradient(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dx = 0 where y <= 0, else dy."""
    dy, y = np.asarray(dy, order="C"), np.asarray(y, order="C")
    dx = np.empty_like(y)
    pass_where_positive(dy.reshape(-1), y.reshape(-1), dx.reshape(-1), get_num_threads())
    return dx


def tanh_gradient(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dx = dy (1 - y*y), for y = tanh(x)."""
    dy, y = np.asarray(dy, order="C"), np.asarray(y, order="C")
    dx = np.empty_like(y)
    times_slope(dy.reshape(-1), y.reshape(-1), dx.reshape(-1), get_num_threads())
    return dx
