"""Dropout as its definition: numbers that share a fate become zero, or grow so that the mean stays.

What the fates follow from is each telling's own. Here and on the CPU it is one random number in [0, 1) for
each fate, drawn from NumPy's generator.
"""

from typing import Any

import numpy as np

__all__ = ["dropout", "dropout_gradient"]


def dropout(x: np.ndarray, together: int, p: float, source: Any) -> tuple[np.ndarray, np.ndarray]:
    """y = 0 with probability p, else x / (1 - p), and what the fates follow from.

    Each so many numbers of x, which lie `together` in a row, share a fate. `source` gives random numbers.
    """
    fates = source.random(x.size // together, np.float32)
    return dropout_gradient(x, together, p, fates), fates


def dropout_gradient(dy: np.ndarray, together: int, p: float, fates: np.ndarray) -> np.ndarray:
    """dx = 0 or dy / (1 - p), by the same fates."""
    dx = np.empty(dy.shape, dy.dtype)
    scale = dy.dtype.type(0 if p == 1 else 1 / (1 - p))
    for i, value in enumerate(dy.flat):
        dx.flat[i] = value * (scale if fates[i // together] >= np.float32(p) else 0)
    return dx
