"""The definitions: plain Python loops, one number at a time. Slow, and the measure of every faster kernel."""

from minicnn.kernels.reference.activation import relu, relu_gradient, tanh_gradient
from minicnn.kernels.reference.conv import (
    conv2d,
    conv2d_bias_gradient,
    conv2d_input_gradient,
    conv2d_weight_gradient,
)
from minicnn.kernels.reference.linear import linear, linear_input_gradient, linear_weight_gradient
from minicnn.kernels.reference.loss import cross_entropy
from minicnn.kernels.reference.optim import adam_step, sgd_step
from minicnn.kernels.reference.pool import avg_pool2d, avg_pool2d_gradient, max_pool2d, max_pool2d_gradient

__all__ = [
    "adam_step", "avg_pool2d", "avg_pool2d_gradient", "conv2d", "conv2d_bias_gradient",
    "conv2d_input_gradient", "conv2d_weight_gradient", "cross_entropy", "linear", "linear_input_gradient",
    "linear_weight_gradient", "max_pool2d", "max_pool2d_gradient", "relu", "relu_gradient", "sgd_step",
    "tanh_gradient",
]  # fmt: skip
