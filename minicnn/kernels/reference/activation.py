"""Activations as their definition."""

import numpy as np

__all__ = ["relu", "relu_gradient", "tanh_gradient"]


def relu(x: np.ndarray) -> np.ndarray:
    """y = max(x, 0); NaN stays NaN."""
    y = x.copy()
    for i in np.ndindex(x.shape):
        if x[i] < 0:
            y[i] = 0
    return y


def relu_gradient(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dx = 0 where y <= 0, else dy."""
    dx = dy.copy()
    for i in np.ndindex(y.shape):
        if y[i] <= 0:
            dx[i] = 0
    return dx


def tanh_gradient(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dx = dy (1 - y*y), for y = tanh(x)."""
    dx = np.empty_like(dy)
    for i in np.ndindex(y.shape):
        dx[i] = dy[i] * (1 - y[i] * y[i])
    return dx
