"""Activations in one pass."""

import numpy as np

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.runner import run

__all__ = ["relu", "relu_gradient", "tanh_gradient"]

FEW = 1 << 15  # numbers that NumPy goes through in less time than it takes to call a kernel
ZERO = {np.dtype(name): np.zeros((), name) for name in ("float32", "float64")}


@jit
def rectify(x, y, begin, end):
    x, y = x[begin:end], y[begin:end]
    zero = x.dtype.type(0)
    for i in range(x.size):
        y[i] = zero if x[i] < zero else x[i]


@jit
def gate(dy, y, dx, begin, end):
    dy, y, dx = dy[begin:end], y[begin:end], dx[begin:end]
    zero = y.dtype.type(0)
    for i in range(y.size):
        dx[i] = zero if y[i] <= zero else dy[i]


@jit
def times_slope(dy, y, dx, begin, end):
    dy, y, dx = dy[begin:end], y[begin:end], dx[begin:end]
    one = y.dtype.type(1)
    for i in range(y.size):
        dx[i] = dy[i] * (one - y[i] * y[i])


def relu(x: np.ndarray) -> np.ndarray:
    """y = max(x, 0); NaN stays NaN."""
    if x.size < FEW:
        return np.maximum(x, ZERO.get(x.dtype, 0))
    y = np.empty(x.shape, x.dtype)
    run(rectify, x.size, x.size, x.reshape(-1), y.reshape(-1))
    return y


def relu_gradient(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dx = 0 where y <= 0, else dy."""
    dx = np.empty(y.shape, y.dtype)
    run(gate, y.size, y.size, dy.reshape(-1), y.reshape(-1), dx.reshape(-1))
    return dx


def tanh_gradient(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dx = dy (1 - y*y), for y = tanh(x)."""
    dx = np.empty(y.shape, y.dtype)
    run(times_slope, y.size, y.size, dy.reshape(-1), y.reshape(-1), dx.reshape(-1))
    return dx
