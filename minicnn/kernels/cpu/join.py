"""Arrays put together, by NumPy."""

from collections.abc import Sequence

import numpy as np

__all__ = ["concatenate"]


def concatenate(arrays: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """Arrays one after the other along an axis; along the others they are alike."""
    return np.concatenate(arrays, axis)
