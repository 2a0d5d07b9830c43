"""Products of matrices and of stacks of them, none of which is copied only because it is transposed."""

import math
from typing import Any

import numpy as np

from minicnn.kernels.cuda.launch import REAL, cupy
from minicnn.kernels.cuda.linear import product

__all__ = ["matmul"]

Array = Any  # of CuPy


def matmul(x: Array, y: Array) -> Array:
    """z (..., M, N) from x (..., M, K) and y (..., K, N); the stacks broadcast.

    ValueError if they do not, or if the K differ. For whole numbers CuPy has a kernel of its own; for others
    it asks cuBLAS, see `linear.py`.
    """
    if min(x.ndim, y.ndim) < 2 or x.shape[-1] != y.shape[-2]:
        raise ValueError(f"there is no product {x.shape} @ {y.shape}")
    if x.dtype not in REAL:
        return x @ y
    stack = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    shape = *stack, x.shape[-2], y.shape[-1]
    if y.ndim == 2:
        x, stack = x.reshape(math.prod(x.shape[:-1]), x.shape[-1]), ()  # one tall matrix fills its tiles
    a, a_matrix, a_row, a_layer = laid(x, stack)
    b, b_matrix, b_layer, b_column = laid(y, stack)
    sizes = x.shape[-2], y.shape[-1], x.shape[-1]
    steps = a_row, a_layer, b_layer, b_column
    return product(a, b, None, shape, sizes, steps, (math.prod(stack), a_matrix, b_matrix))


def laid(x: Array, stack: tuple[int, ...]) -> tuple[Array, int, int, int]:
    """A stack as it lies in memory, and how far it is there to the next matrix, row and column."""
    xp, (R, C) = cupy(), x.shape[-2:]
    alone = math.prod(x.shape[:-2]) == 1  # the same one for all of the other stack
    if not alone and x.shape[:-2] != stack:
        x = xp.broadcast_to(x, (*stack, R, C))
    matrix, turned = 0 if alone else R * C, x.swapaxes(-1, -2)
    if turned.flags.c_contiguous and not x.flags.c_contiguous:
        return turned, matrix, 1, R
    return xp.ascontiguousarray(x), matrix, C, 1
