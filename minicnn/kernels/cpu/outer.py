"""Sums of outer products, C += A B, of A (M, P) and B (P, N), where P, the pixels, is the long side.

This is how a weight's gradient is summed: A has the pixels of each channel in a row, as pictures have them;
B has all channels of a pixel side by side, turned on the way into cache (see transpose.py). B and C come in
blocks as wide as a tile, so that a tile reads memory in one go: B (blocks, P, W), C (blocks, M, W).
"""

import numpy as np
from numba import literally

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.simd import BYTES, REGISTERS, lanes, load, noinline, splat, store, tile

ROWS = 12 if REGISTERS == 32 else 6  # a tile has ROWS rows of one or two vectors
PIXELS = 256  # that are summed before they are added to C: a block of B stays in an L1 cache


def blocks_of(N: int, dtype: np.dtype) -> tuple[int, int]:
    """How many blocks N columns make, and how wide they are."""
    L = BYTES // dtype.itemsize
    width = L if N <= L else 2 * L
    return -(-N // width), width


@jit
def outer_tile(cols, A, B, C, i):
    """C (M, W)[i:i+ROWS] += (A B)[i:i+ROWS]; rows beyond M are left out."""
    noinline()
    L, (M, P) = lanes(B), A.shape
    acc = tile(ROWS, literally(cols), B)
    for p in range(P):
        for r in range(ROWS):
            a = splat(A, min(i + r, M - 1), p)
            for c in range(cols):
                acc[r, c] += a * load(B, p, c * L)
    for r in range(ROWS):
        if i + r < M:
            for c in range(cols):
                store(C, i + r, c * L, load(C, i + r, c * L) + acc[r, c])


@jit
def add_outer(A, B, C):
    """C (M, W) += A (M, P) B (P, W), for one block."""
    wide = B.shape[1] > lanes(B)
    for p in range(0, A.shape[1], PIXELS):
        a, b = A[:, p : p + PIXELS], B[p : p + PIXELS]
        for i in range(0, A.shape[0], ROWS):
            if wide:
                outer_tile(2, a, b, C, i)
            else:
                outer_tile(1, a, b, C, i)
