"""Softmax and its logarithm as their definition, along the middle axis of an array (A, K, B)."""

import math

import numpy as np

__all__ = ["softmax", "softmax_gradient"]


def softmax(x: np.ndarray, log: bool) -> np.ndarray:
    """y (A, K, B): exp(x) / sum of exp(x) along K, or with `log` its logarithm."""
    y = np.empty_like(x)
    A, K, B = x.shape
    for a, b in np.ndindex(A, B):
        largest = max((float(x[a, k, b]) for k in range(K)), default=0.0)  # exp cannot overflow
        total = sum(math.exp(float(x[a, k, b]) - largest) for k in range(K))
        for k in range(K):
            shifted = float(x[a, k, b]) - largest
            y[a, k, b] = shifted - math.log(total) if log else math.exp(shifted) / total
    return y


def softmax_gradient(dy: np.ndarray, y: np.ndarray, log: bool) -> np.ndarray:
    """dx (A, K, B) = y (dy - sum of dy y), or with `log` dy - exp(y) sum of dy."""
    dx = np.empty_like(y)
    A, K, B = y.shape
    for a, b in np.ndindex(A, B):
        terms = [(float(dy[a, k, b]), float(y[a, k, b])) for k in range(K)]
        total = sum(g if log else g * v for g, v in terms)
        for k, (g, v) in enumerate(terms):
            dx[a, k, b] = g - math.exp(v) * total if log else v * (g - total)
    return dx
