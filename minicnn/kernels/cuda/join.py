"""Arrays put together. (CuPy brings a table of many arrays from the CPU, which no CUDA graph can repeat.)"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn.kernels.cuda.launch import BLOCK, by_value, cupy, launch

__all__ = ["concatenate"]

Array = Any  # of CuPy
PIECES = 128  # in one launch, as in join.cu
EACH = 4  # numbers of the largest piece for each thread, at least
MOST_BLOCKS = 1024  # for a piece
WORDS: dict[int, np.dtype] = {4: np.dtype(np.float32), 8: np.dtype(np.float64)}  # numbers of so many bytes


def concatenate(arrays: Sequence[Array], axis: int) -> Array:
    """Arrays one after the other along an axis; ValueError unless they are alike along the others."""
    if len({(x.ndim, x.shape[:axis], x.shape[axis + 1 :]) for x in arrays}) > 1 or axis >= arrays[0].ndim:
        raise ValueError(f"arrays of shapes {[x.shape for x in arrays]} do not fit along axis {axis}")
    xp, kind, shape = cupy(), arrays[0].dtype, [*arrays[0].shape]
    if kind.itemsize not in WORDS:
        return xp.concatenate(arrays, axis)
    shape[axis] = sum(x.shape[axis] for x in arrays)
    out, dtype = xp.empty(shape, kind), WORDS[kind.itemsize]
    rows, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    pieces, width = [xp.ascontiguousarray(x) for x in arrays], out.shape[axis] * inner
    begin = 0
    for first in range(0, len(pieces), PIECES):
        table = np.zeros((PIECES, 3), np.uint64)
        for row, x in zip(table, pieces[first : first + PIECES], strict=False):
            row[:] = x.data.ptr, x.shape[axis] * inner, begin
            begin += x.shape[axis] * inner
        blocks = min(-(-rows * int(table[:, 1].max()) // (EACH * BLOCK)), MOST_BLOCKS)
        grid = blocks, min(PIECES, len(pieces) - first)
        launch("join", "join", dtype, grid, (BLOCK,), (by_value(table), out.view(dtype), rows, width))
    return out
