"""Gradients kept small: three launches and no look at the norm, which stays on the GPU."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from minicnn.kernels.cuda.launch import BLOCK, by_value, checked, cupy, launch

__all__ = ["euclidean_norm", "scale"]

Array = Any  # of CuPy
PIECES = 128  # in one launch, as in clip.cu
EACH = 16  # numbers of the largest piece for each thread, at least
MOST_BLOCKS = 128  # for a piece


def blocks_for(arrays: Sequence[Array]) -> int:
    """Blocks that share the largest one."""
    return min(-(-max(a.size for a in arrays) // (EACH * BLOCK)), MOST_BLOCKS)


def tables(arrays: Sequence[Array]) -> Iterator[tuple[int, np.ndarray]]:
    """For each launch its arrays, by the place of the first: their addresses and sizes."""
    for first in range(0, len(arrays), PIECES):
        table = np.zeros((PIECES, 2), np.uint64)
        some = arrays[first : first + PIECES]
        table[: len(some)] = [(a.data.ptr, a.size) for a in some]
        yield first, by_value(table)


def euclidean_norm(arrays: Sequence[Array]) -> Array:
    """The root () of the sum of the squares of all numbers in arrays of one dtype."""
    xp, dtype, blocks = cupy(), arrays[0].dtype, max(blocks_for(arrays), 1)
    rows = [xp.ascontiguousarray(checked(a)) for a in arrays]
    partial, norm = xp.empty((len(rows), blocks), np.float64), xp.empty((), dtype)
    for first, table in tables(rows):
        sums = partial[first : first + PIECES]
        launch("clip", "squares", dtype, (blocks, len(sums)), (BLOCK,), (table, sums))
    launch("clip", "root", dtype, (1,), (BLOCK,), (partial, norm, partial.size))
    return norm


def scale(arrays: Sequence[Array], factor: Array) -> None:
    """Multiply all numbers in arrays of one dtype by a factor (), in place."""
    xp, dtype, blocks = cupy(), arrays[0].dtype, blocks_for(arrays)
    rows = [xp.ascontiguousarray(checked(a)) for a in arrays]
    for first, table in tables(rows):
        count = min(PIECES, len(rows) - first)
        launch("clip", "scale", dtype, (blocks, count), (BLOCK,), (table, factor))
    for a, row in zip(arrays, rows, strict=True):
        if a is not row:  # a copy, as it lies in memory otherwise
            a[...] = row
