"""Convolution of interleaved pictures, and its gradients: by Winograd's filtering where it can, or directly.

Winograd's tiles spread a number that is not finite, and give None then, too.
"""

import numpy as np

from minicnn.kernels.cpu.interleaved import direct, winograd
from minicnn.kernels.cpu.interleaved.finish import How
from minicnn.kernels.geometry import Window


def conv2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, window: Window, how: How
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """From x (B, C, H, W, L) the finished result, its rows before pooling, and where the largest were."""
    found = winograd.forward(x, weight, bias, window, how)
    return direct.forward(x, weight, bias, window, how) if found is None else found


def conv2d_input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], window: Window
) -> np.ndarray:
    """dx (B, C, H, W, L) from dy (B, O, OH, OW, L)."""
    dx = winograd.input_gradient(dy, weight, x_shape, window)
    return direct.input_gradient(dy, weight, x_shape, window) if dx is None else dx


def conv2d_weight_gradient(dy: np.ndarray, x: np.ndarray, window: Window) -> np.ndarray:
    """dweight (O, C, KH, KW) from dy (B, O, OH, OW, L) and x (B, C, H, W, L)."""
    dweight = winograd.weight_gradient(dy, x, window)
    return direct.weight_gradient(dy, x, window) if dweight is None else dweight
