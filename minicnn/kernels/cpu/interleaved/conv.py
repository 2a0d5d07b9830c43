"""Convolution of interleaved pictures with what follows it: by Winograd's filtering, or directly.

Winograd's tiles spread a number that is not finite, and give None then, too. Without such numbers the rows
that no pooling looks at have a gradient of 0 and give nothing: 0 times NaN would be NaN.
"""

import numpy as np

from minicnn.kernels.cpu.interleaved import direct, direct_weight, winograd
from minicnn.kernels.cpu.interleaved.finish import How, gradient, looked_at
from minicnn.kernels.geometry import Window

Kept = tuple[np.ndarray, np.ndarray | None, np.ndarray | None]


def conv2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, window: Window, how: How, wanted: bool
) -> Kept:
    """From x (B, C, H, W, L) the finished result, its rows before pooling, and where the largest were.

    The rows may be None where no gradient is wanted.
    """
    x = np.ascontiguousarray(x)  # it may be a slice
    found = winograd.forward(x, weight, bias, window, how)
    return direct.forward(x, weight, bias, window, how, wanted) if found is None else found


def conv2d_gradients(
    dout: np.ndarray,
    kept: Kept,
    how: How,
    x: np.ndarray | None,
    weight: np.ndarray | None,
    x_shape: tuple[int, ...],
    window: Window,
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray]:
    """dx (B, C, H, W, L), dweight (O, C, KH, KW) and dbias (O).

    Parameters
    ----------
    dout : (B, O, QH, QW, L), the gradient of the finished result
    kept, how : what `conv2d` gave and took
    x, weight : the same; None where dweight, or dx, is not wanted
    """
    dout, x = np.ascontiguousarray(dout), None if x is None else np.ascontiguousarray(x)
    (B, C, H, W, L), O = x_shape, dout.shape[1]
    size = window.output_size(H, W)
    seen = looked_at(size, how)
    if winograd.suits(C, O, *seen, window):
        dy, dbias = gradient(dout, *kept, how, (B, O, *seen, L))
        found = winograd.gradients(dy, x, weight, x_shape, window)
        if found is not None:
            return *found, dbias
    elif x is not None and weight is None:
        return None, *direct_weight.parameter_gradients(dout, *kept, how, x, window)
    dy, dbias = gradient(dout, *kept, how, (B, O, *size, L))
    dx = None if weight is None else direct.input_gradient(dy, weight, x_shape, window)
    return dx, None if x is None else direct_weight.weight_gradient(dy, x, window), dbias
