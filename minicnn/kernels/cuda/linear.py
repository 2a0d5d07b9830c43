"""The fully connected layer: three products of matrices, which NVIDIA's cuBLAS computes."""

from typing import Any

from minicnn.kernels.cuda.launch import cupy

__all__ = ["linear", "linear_input_gradient", "linear_weight_gradient"]

Array = Any  # of CuPy


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    """y (N, O) = x (N, I) weight' (O, I) + bias (O)."""
    y = cupy().matmul(x, weight.T)
    if bias is not None:
        y += bias
    return y


def linear_input_gradient(dy: Array, weight: Array) -> Array:
    """dx (N, I) = dy (N, O) weight (O, I)."""
    return cupy().matmul(dy, weight)


def linear_weight_gradient(dy: Array, x: Array) -> Array:
    """dweight (O, I) = dy' (N, O) x (N, I)."""
    return cupy().matmul(dy.T, x)
