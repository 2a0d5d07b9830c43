"""Dropout by Philox, a launch each way."""

from typing import Any

import numpy as np

from minicnn.kernels.cuda.launch import BLOCK, MOST_BLOCKS, cupy, launch

__all__ = ["dropout", "dropout_gradient"]

Array = Any  # of CuPy
EACH = 4  # numbers for a thread


def dropout(x: Array, together: int, p: float, source: Array) -> tuple[Array, Array]:
    """y, and the key and place of its random numbers; see the reference.

    `source` is uint64 (3): the key, the place of the next random numbers, 0. The kernel moves the place on.
    """
    y, fates = cupy().empty(x.shape, x.dtype), cupy().empty(2, np.uint64)
    start("dropout", x, y, (source, fates), together, p)
    return y, fates


def dropout_gradient(dy: Array, together: int, p: float, fates: Array) -> Array:
    """dx by the random numbers of the same place."""
    dx = cupy().empty(dy.shape, dy.dtype)
    start("dropout_gradient", dy, dx, (fates,), together, p)
    return dx


def start(name: str, x: Array, y: Array, places: tuple[Array, ...], together: int, p: float) -> None:
    """Launch a kernel from x to y."""
    blocks = min(-(-x.size // (EACH * BLOCK)), MOST_BLOCKS)
    scale = 0.0 if p == 1 else 1 / (1 - p)
    arguments = cupy().ascontiguousarray(x), y, *places, together, np.float32(p), scale, x.size
    launch("dropout", name, x.dtype, (blocks,), (BLOCK,), arguments)
