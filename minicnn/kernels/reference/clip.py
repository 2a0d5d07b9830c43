"""Gradients kept small, as the definition: the length of all of them together, and a factor for all."""

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["euclidean_norm", "scale"]


def euclidean_norm(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The root () of the sum of the squares of all numbers in arrays of one dtype."""
    total = 0.0
    for a in arrays:
        for i in np.ndindex(a.shape):
            total += float(a[i]) ** 2
    return np.asarray(math.sqrt(total)).astype(arrays[0].dtype)


def scale(arrays: Sequence[np.ndarray], factor: np.ndarray) -> None:
    """Multiply all numbers in arrays of one dtype by a factor (), in place."""
    for a in arrays:
        for i in np.ndindex(a.shape):
            a[i] *= factor
