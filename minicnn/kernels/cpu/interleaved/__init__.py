"""Convolution of many small pictures at once: L of them side by side, a lane each.

Elsewhere the places of a row, or the channels of a pixel, share a vector, and what does not fill it is
wasted: LeNet-5's rows are 28, 10 and 5 places long. Here a vector holds the same pixel of L pictures (see
layout.py). So every kernel does one picture's work, in the plainest order; no lane is ever idle, whatever
the width, window, stride or padding, and nothing has to be turned or shuffled.

Plans use it where a batch fills its groups, about (see plan/interleaving.py).
"""

from minicnn.kernels.cpu.interleaved.conv import conv2d, conv2d_gradients
from minicnn.kernels.cpu.interleaved.layout import LANES, interleave, separate
from minicnn.kernels.cpu.interleaved.pool import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_gradient,
    avg_pool2d,
    avg_pool2d_gradient,
    max_pool2d,
    max_pool2d_gradient,
)

__all__ = [
    "LANES", "adaptive_avg_pool2d", "adaptive_avg_pool2d_gradient", "avg_pool2d", "avg_pool2d_gradient",
    "conv2d", "conv2d_gradients", "interleave", "max_pool2d", "max_pool2d_gradient", "separate",
]  # fmt: skip
