"""The fully connected layer: three products of matrices (see gemm.py)."""

import numpy as np

from minicnn.kernels.cpu.activation import activated
from minicnn.kernels.cpu.gemm import matmul, turned

FEW = 4096  # products that NumPy has done by the time a kernel begins

__all__ = ["linear", "linear_input_gradient", "linear_parameter_gradients", "linear_weight_gradient"]


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, activation: str = "") -> np.ndarray:
    """y (N, O) = x (N, I) weight' (O, I) + bias (O), and its activation."""
    if x.size * len(weight) <= FEW:
        y = x.dot(weight.T)
        return activated(y if bias is None else y + bias, activation)
    y = matmul(np.ascontiguousarray(x), np.ascontiguousarray(weight), True, bias)
    return activated(y, activation)


def linear_input_gradient(dy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """dx (N, I) = dy (N, O) weight (O, I)."""
    return matmul(np.ascontiguousarray(dy), np.ascontiguousarray(weight))


def linear_weight_gradient(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dweight (O, I) = dy' (N, O) x (N, I)."""
    return matmul(turned(np.ascontiguousarray(dy)), np.ascontiguousarray(x))


def linear_parameter_gradients(dy: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dweight (O, I), and dbias (O), the sum of dy (N, O)."""
    return linear_weight_gradient(dy, x), dy.sum(axis=0)
