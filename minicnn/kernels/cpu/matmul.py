"""Products of matrices and of stacks of them: NumPy's, which asks its BLAS library."""

import numpy as np

__all__ = ["matmul"]


def matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """z (..., M, N) from x (..., M, K) and y (..., K, N); the stacks broadcast.

    ValueError if they do not, or if the K differ.
    """
    return x.dot(y) if x.ndim == y.ndim == 2 else x @ y  # the same, and `dot` is there sooner
