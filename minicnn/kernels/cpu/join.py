"""Arrays put together: one after the other, or added up."""

import math
from collections.abc import Sequence

import numpy as np

from minicnn.kernels.cpu.graph import again
from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.memory import result
from minicnn.kernels.cpu.runner import SHARE, run

__all__ = ["concatenate"]


@kernel
def copy_rows(source, target, first, begin, end):
    """Some rows of target (A, K)[:, first:first+k] = source (A, k)."""
    for a in range(begin, end):
        row, out = source[a], target[a, first:]
        for i in range(row.size):
            out[i] = row[i]


@kernel
def add(x, y, out, begin, end):
    """Some numbers of out = x + y, which may be x."""
    x, y, out = x[begin:end], y[begin:end], out[begin:end]
    for i in range(out.size):
        out[i] = x[i] + y[i]


def joined(axis: int, *arrays: np.ndarray) -> np.ndarray:
    """Arrays one after the other along an axis, by NumPy."""
    return np.concatenate(arrays, axis)


def alike(arrays: Sequence[np.ndarray], axis: int) -> bool:
    """Whether arrays lie row after row, and agree in all but the size along the axis."""
    kinds = {(x.dtype, x.shape[:axis], x.shape[axis + 1 :], x.flags.c_contiguous) for x in arrays}
    return len(kinds) == 1 and arrays[0].flags.c_contiguous


def concatenate(arrays: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """Arrays one after the other along an axis; ValueError unless they are alike along the others."""
    first = arrays[0]
    if sum([x.size for x in arrays]) < SHARE or axis < 0 or not alike(arrays, axis):
        return again(joined, axis, *arrays)
    count = sum(x.shape[axis] for x in arrays)
    out = result((*first.shape[:axis], count, *first.shape[axis + 1 :]), first.dtype)
    A, at = math.prod(first.shape[:axis]), 0
    for x in arrays:
        run(copy_rows, A, x.size, x.reshape(A, -1), out.reshape(A, -1), at)
        at += x.size // A
    return out


def added(x: np.ndarray, y: np.ndarray, own: bool) -> np.ndarray:
    """x + y, two gradients of one shape; in x's memory if that is our own."""
    known = x.dtype == y.dtype and x.flags.c_contiguous and y.flags.c_contiguous
    if not known or x.size < SHARE:
        return again(np.add, x, y)
    out = x if own else result(x.shape, x.dtype)
    run(add, x.size, x.size, x.reshape(-1), y.reshape(-1), out.reshape(-1))
    return out
