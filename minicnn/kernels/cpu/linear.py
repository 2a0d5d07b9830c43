"""The fully connected layer: three products of matrices (see gemm.py)."""

import numpy as np

from minicnn.kernels.cpu import dense
from minicnn.kernels.cpu.gemm import matmul, turned

__all__ = ["linear", "linear_input_gradient", "linear_weight_gradient"]


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """y (N, O) = x (N, I) weight' (O, I) + bias (O)."""
    return dense.dense(x, weight, bias, dense.NONE)


def linear_input_gradient(dy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """dx (N, I) = dy (N, O) weight (O, I)."""
    return matmul(np.ascontiguousarray(dy), np.ascontiguousarray(weight))


def linear_weight_gradient(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dweight (O, I) = dy' (N, O) x (N, I)."""
    return matmul(turned(np.ascontiguousarray(dy)), np.ascontiguousarray(x))
