"""Convolution of interleaved pictures, and its gradients: which method does it."""

from minicnn.kernels.cpu.interleaved.direct import forward as conv2d
from minicnn.kernels.cpu.interleaved.direct import input_gradient as conv2d_input_gradient
from minicnn.kernels.cpu.interleaved.direct import weight_gradient as conv2d_weight_gradient

__all__ = ["conv2d", "conv2d_input_gradient", "conv2d_weight_gradient"]
