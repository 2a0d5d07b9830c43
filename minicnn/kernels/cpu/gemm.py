"""Products of matrices, in tiles that stay in registers.

Two forms, so that no matrix is ever transposed: rows times columns, C = A B, runs along the rows of B and C;
rows times rows, C += A B', runs along the rows of both A and B. The tile sizes leave room for the operands
(see simd.py).
"""

import numpy as np

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.simd import (
    BYTES,
    REGISTERS,
    hsum,
    lanes,
    load,
    load_part,
    noinline,
    splat,
    store,
    store_part,
    tile,
)

MR, NV = (8, 3) if REGISTERS == 32 else (4, 3)  # a tile of C: MR rows of NV vectors
ROWS, DEPTH = 32 * NV, 1024  # the part of B (rows, numbers of each) that stays in cache while A passes by


@jit
def pack(A):
    """A (M, K) as panels of MR rows (M/MR, K, MR), in the order a tile reads them; missing rows are 0."""
    M, K = A.shape
    panels = np.zeros(((M + MR - 1) // MR, K, MR), A.dtype)
    for i in range(M):
        for k in range(K):
            panels[i // MR, k, i % MR] = A[i, k]
    return panels


@jit
def wide_tile(panels, B, bias, C, i, j):
    """C[i:i+MR, j:j+NV*L] = bias[i:i+MR] + (A B) there; rows beyond C are left out."""
    noinline()
    L, panel = lanes(B), panels[i // MR]
    acc = tile(MR, NV, B)
    for k in range(B.shape[0]):
        for r in range(MR):
            a = splat(panel, k, r)
            for c in range(NV):
                acc[r, c] += a * load(B, k, j + c * L)
    for r in range(MR):
        if i + r < C.shape[0]:
            for c in range(NV):
                store(C, i + r, j + c * L, acc[r, c] + splat(bias, i + r))


@jit
def narrow_tile(panels, B, bias, C, i, j, n):
    """The same for the n columns from j on, n <= L."""
    noinline()
    panel = panels[i // MR]
    acc = tile(MR, 1, B)
    for k in range(B.shape[0]):
        b = load_part(n, B, k, j)
        for r in range(MR):
            acc[r, 0] += splat(panel, k, r) * b
    for r in range(MR):
        if i + r < C.shape[0]:
            store_part(n, C, i + r, j, acc[r, 0] + splat(bias, i + r))


@jit
def multiply(panels, B, bias, C, begin, end):
    """Columns begin to end of C (M, N) = A B + bias (M); A packed, B (K, N)."""
    L = lanes(B)
    for j in range(begin, end, NV * L):
        for i in range(0, C.shape[0], MR):
            if j + NV * L <= end:
                wide_tile(panels, B, bias, C, i, j)
            else:
                for rest in range(j, end, L):
                    narrow_tile(panels, B, bias, C, i, rest, min(L, end - rest))


@jit
def dot_tile(A, B, C, i, j):
    """C[i:i+MR, j:j+NV] += (A B') there; rows beyond A or B are left out."""
    noinline()
    L, K = lanes(A), A.shape[1]
    last_a, last_b = A.shape[0] - 1, B.shape[0] - 1
    whole = K // L * L
    acc = tile(MR, NV, A)
    for k in range(0, whole, L):
        for r in range(MR):
            a = load(A, min(i + r, last_a), k)
            for c in range(NV):
                acc[r, c] += a * load(B, min(j + c, last_b), k)
    if whole < K:
        for r in range(MR):
            a = load_part(K - whole, A, min(i + r, last_a), whole)
            for c in range(NV):
                acc[r, c] += a * load_part(K - whole, B, min(j + c, last_b), whole)
    for r in range(MR):
        for c in range(NV):
            if i + r <= last_a and j + c <= last_b:
                C[i + r, j + c] += hsum(acc[r, c])


@jit
def multiply_rows(A, B, C, begin, end):
    """Columns begin to end of C (M, N) += A B', for A (M, K) and B (N, K)."""
    for k in range(0, A.shape[1], DEPTH):
        a, b = A[:, k : k + DEPTH], B[:, k : k + DEPTH]
        for block in range(begin, end, ROWS):
            for i in range(0, A.shape[0], MR):
                for j in range(block, min(block + ROWS, end), NV):
                    dot_tile(a, b, C, i, j)


@jit
def product(A, B, C, begin, end):
    """Tiles of columns begin to end of C = A B."""
    step = NV * lanes(B)
    panels, none = pack(A), np.zeros(A.shape[0], A.dtype)
    multiply(panels, B, none, C, begin * step, min(end * step, B.shape[1]))


@jit
def product_rows(A, B, C, begin, end):
    """Tiles of columns begin to end of C += A B'."""
    multiply_rows(A, B, C, begin * NV, min(end * NV, B.shape[0]))


def matmul(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """A B, its columns shared among the threads."""
    C = np.empty((A.shape[0], B.shape[1]), A.dtype)
    step = NV * BYTES // A.itemsize
    run(product, -(-B.shape[1] // step), A.size * B.shape[1] // PRODUCTS, A, B, C)
    return C


def matmul_rows(A: np.ndarray, B: np.ndarray, C: np.ndarray) -> None:
    """C += A B', its columns shared among the threads."""
    products = A.size * B.shape[0] // PRODUCTS
    run(product_rows, -(-B.shape[0] // NV), products, A, B, C)
