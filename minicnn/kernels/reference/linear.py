"""The fully connected layer as its definition, and its two gradients: three products of matrices."""

import numpy as np

from minicnn.kernels.reference.activation import activated

__all__ = ["linear", "linear_input_gradient", "linear_parameter_gradients", "linear_weight_gradient"]


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, activation: str = "") -> np.ndarray:
    """y[n, o] = bias[o] + sum over i of x[n, i] * weight[o, i]: y (N, O) from x (N, I) and weight (O, I).

    Then its activation, if one is named: "relu", "tanh" or "sigmoid".
    """
    y = np.zeros((len(x), len(weight)), x.dtype)
    for n, o, i in np.ndindex(*y.shape, x.shape[1]):
        y[n, o] += x[n, i] * weight[o, i]
    return activated(y if bias is None else y + bias, activation)


def linear_input_gradient(dy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """dx (N, I) from dy (N, O)."""
    dx = np.zeros((len(dy), weight.shape[1]), dy.dtype)
    for n, o, i in np.ndindex(*dy.shape, weight.shape[1]):
        dx[n, i] += dy[n, o] * weight[o, i]
    return dx


def linear_weight_gradient(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dweight (O, I) from dy (N, O) and x (N, I)."""
    dweight = np.zeros((dy.shape[1], x.shape[1]), dy.dtype)
    for n, o, i in np.ndindex(*dy.shape, x.shape[1]):
        dweight[o, i] += dy[n, o] * x[n, i]
    return dweight


def linear_parameter_gradients(dy: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dweight (O, I), and dbias (O), the sum of dy (N, O)."""
    return linear_weight_gradient(dy, x), dy.sum(axis=0)
