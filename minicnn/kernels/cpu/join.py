"""Arrays put together, by NumPy."""

from collections.abc import Sequence

import numpy as np

__all__ = ["concatenate"]


def concatenate(arrays: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """Arrays one after the other along an axis; ValueError unless they are alike along the others."""
    return np.concatenate(arrays, axis)
