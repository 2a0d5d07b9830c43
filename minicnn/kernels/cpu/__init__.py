"""The fast kernels: Numba functions over vectors, in cache, on all cores.

Read `simd.py` (what a vector is), `gemm.py` (tiles in registers), then `conv.py` beside
``reference/conv.py``.
"""

from minicnn.kernels.cpu import memory  # noqa: F401 (sets malloc up)
from minicnn.kernels.cpu.activation import relu, relu_gradient, tanh_gradient
from minicnn.kernels.cpu.conv import (
    conv2d,
    conv2d_bias_gradient,
    conv2d_input_gradient,
    conv2d_weight_gradient,
)
from minicnn.kernels.cpu.linear import linear, linear_input_gradient, linear_weight_gradient
from minicnn.kernels.cpu.loss import cross_entropy
from minicnn.kernels.cpu.optim import adam_step, sgd_step
from minicnn.kernels.cpu.pool import avg_pool2d, avg_pool2d_gradient, max_pool2d, max_pool2d_gradient

__all__ = [
    "adam_step", "avg_pool2d", "avg_pool2d_gradient", "conv2d", "conv2d_bias_gradient",
    "conv2d_input_gradient", "conv2d_weight_gradient", "cross_entropy", "linear", "linear_input_gradient",
    "linear_weight_gradient", "max_pool2d", "max_pool2d_gradient", "relu", "relu_gradient", "sgd_step",
    "tanh_gradient",
]  # fmt: skip
