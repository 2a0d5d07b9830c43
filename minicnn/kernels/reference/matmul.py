"""Products of matrices and of stacks of them, as their definition."""

import numpy as np

__all__ = ["matmul"]


def matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """z[..., m, n] = sum over k of x[..., m, k] * y[..., k, n]: (..., M, N) from (..., M, K) and (..., K, N).

    The stacks before the last two dimensions broadcast; ValueError if they do not, or if the K differ.
    """
    if min(x.ndim, y.ndim) < 2 or x.shape[-1] != y.shape[-2]:
        raise ValueError(f"there is no product {x.shape} @ {y.shape}")
    stack = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x, y = (np.broadcast_to(a, (*stack, *a.shape[-2:])) for a in (x, y))
    z = np.zeros((*stack, x.shape[-2], y.shape[-1]), x.dtype)
    for at in np.ndindex(stack):
        for m, n, k in np.ndindex(*z.shape[-2:], x.shape[-1]):
            z[at][m, n] += x[at][m, k] * y[at][k, n]
    return z
