"""Dropout: random numbers of NumPy's, then one pass, forward and back."""

from typing import Any

import numpy as np

from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.runner import run

__all__ = ["dropout", "dropout_gradient"]


@kernel
def drop(x, fates, y, together, p, scale, begin, end):
    """y = x scaled or times 0, for the numbers (fates, together) of some fates."""
    fates, x, y = fates[begin:end], x[begin * together : end * together], y[begin * together :]
    zero = x.dtype.type(0)
    if together == 1:  # without an inner loop, this one takes numbers in vectors
        for i in range(x.size):
            y[i] = x[i] * (scale if fates[i] >= p else zero)
        return
    for f in range(fates.size):
        factor = scale if fates[f] >= p else zero
        for i in range(f * together, (f + 1) * together):
            y[i] = x[i] * factor


def dropout(x: np.ndarray, together: int, p: float, source: Any) -> tuple[np.ndarray, np.ndarray]:
    """y, and the random numbers that decided; see the reference."""
    fates = source.random(x.size // together, np.float32)
    return dropout_gradient(x, together, p, fates), fates


def dropout_gradient(dy: np.ndarray, together: int, p: float, fates: np.ndarray) -> np.ndarray:
    """dx by the same random numbers."""
    dx = np.empty(dy.shape, dy.dtype)
    scale = dy.dtype.type(0 if p == 1 else 1 / (1 - p))
    flat = np.ascontiguousarray(dy).reshape(-1)
    run(drop, len(fates), dy.size, flat, fates, dx.reshape(-1), together, np.float32(p), scale)
    return dx
