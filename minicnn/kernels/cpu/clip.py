"""Gradients kept small: the length of all of them together, and a factor for all."""

from collections.abc import Sequence

import numpy as np

from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.runner import run

__all__ = ["euclidean_norm", "scale"]

CHUNK = 4096  # numbers of a sum: the same ones for any number of threads


@kernel
def squares(a, sums, begin, end):
    """sums (chunks) of the squares of each so many numbers of a, in double precision."""
    for chunk in range(begin, end):
        total = 0.0
        for x in a[chunk * CHUNK : (chunk + 1) * CHUNK]:
            total += np.float64(x) * np.float64(x)
        sums[chunk] = total


@kernel
def multiply(a, factor, begin, end):
    a = a[begin:end]
    for i in range(a.size):
        a[i] *= factor


def euclidean_norm(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The root () of the sum of the squares of all numbers in arrays of one dtype."""
    chunks = [-(-a.size // CHUNK) for a in arrays]
    sums, begin = np.empty(sum(chunks)), 0
    for a, count in zip(arrays, chunks, strict=True):
        run(squares, count, a.size, a.reshape(-1), sums[begin : begin + count])
        begin += count
    with np.errstate(over="ignore"):  # of float32
        return np.asarray(np.sqrt(sums.sum())).astype(arrays[0].dtype)


def scale(arrays: Sequence[np.ndarray], factor: np.ndarray) -> None:
    """Multiply all numbers in arrays of one dtype by a factor (), in place."""
    if factor == 1:
        return
    for a in arrays:
        row = a.reshape(-1)
        run(multiply, row.size, row.size, row, factor[()])
        if not a.flags.c_contiguous:  # row is a copy
            a[...] = row.reshape(a.shape)
