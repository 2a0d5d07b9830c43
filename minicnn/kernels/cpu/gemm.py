"""Products of matrices, in tiles that stay in registers.

A tile of the result is MR rows of NV vectors: each number of A meets NV vectors of B, each vector of B meets
MR numbers of A, so few loads keep the two multipliers of a core busy. (A tile leaves room for the operands,
see simd.py.)

A column of tiles reads NV vectors of each row of B again and again. So they are copied first, as a panel: one
piece of memory that stays in cache and begins where a vector does. On the way the rows of a weight can be
turned into columns. A is read as it lies. Panels come several at a time where they fit into an L2 cache: then
long pieces of a row of B are read, and of C written, which memory is fastest at.

Sums begin with a number for each row, `start`. With `more` they are added to what is in C; so the parts of a
long sum come together, which rounds less.
"""

import numpy as np

from minicnn.kernels.cpu.jit import inner, jit
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.simd import (
    BYTES,
    REGISTERS,
    lanes,
    load,
    load_part,
    noinline,
    splat,
    store,
    store_part,
    tile,
)
from minicnn.kernels.cpu.transpose import transpose

MR, NV = (8, 3) if REGISTERS == 32 else (4, 3)  # a tile of C: MR rows of NV vectors
CHAIN = 256  # products that are added up one by one: a longer sum rounds more
DEPTH = 1024  # rows of B in a panel
PANELS, SHALLOW = 8, 2048  # panels at a time: so many, but so many rows of B together at most
JOBS = 8  # at least, before a job has several panels
BLOCK, ROWS = 1 << 17, 256  # numbers of A that stay in cache while panels go by, but so many rows at least


@inner
def whole_tiles(A, panels, start, C, j, n):
    """C[:, j:j+n] = A (M, K) panels (n/NV/L, K, NV*L) + start (M), for whole tiles and K up to CHAIN."""
    noinline()
    L, (M, K) = lanes(C), A.shape
    for i in range(0, M, MR):
        for p in range(n // (NV * L)):
            acc = tile(MR, NV, C)
            for r in range(MR):
                for c in range(NV):
                    acc[r, c] += splat(start, i + r)
            for k in range(K):
                for r in range(MR):
                    a = splat(A, i + r, k)
                    for c in range(NV):
                        acc[r, c] += a * load(panels, p, k, c * L)
            for r in range(MR):
                for c in range(NV):
                    store(C, i + r, j + (p * NV + c) * L, acc[r, c])


@inner
def tiles(A, panels, start, C, j, n, more):
    """C[:, j:j+n] (+)= A (M, K) panels (n/NV/L, K, NV*L) + start (M)."""
    noinline()
    L, (M, K) = lanes(C), A.shape
    for i in range(0, M, MR):
        for p in range((n + NV * L - 1) // (NV * L)):
            for k0 in range(0, max(K, 1), CHAIN):
                acc = tile(MR, NV, C)
                if k0 == 0:
                    for r in range(MR):
                        for c in range(NV):
                            acc[r, c] += splat(start, min(i + r, M - 1))
                for k in range(k0, min(k0 + CHAIN, K)):
                    for r in range(MR):
                        a = splat(A, min(i + r, M - 1), k)
                        for c in range(NV):
                            acc[r, c] += a * load(panels, p, k, c * L)
                add = more or k0 > 0
                for r in range(MR):
                    for c in range(NV):
                        row, column = min(i + r, M - 1), (p * NV + c) * L
                        m = min(n - column, L) if i + r < M else 0
                        before = load_part(m if add else 0, C, row, j + column)
                        store_part(m, C, row, j + column, acc[r, c] + before)


@inner
def narrow_tiles(A, panel, part, start, C, j, n, more):
    """C[:, j:j+n] (+)= A (M, K) panel (K, NV*L)[:, part:part+n] + start (M), for n <= L."""
    noinline()
    M, K = A.shape
    for i in range(0, M, MR):
        for k0 in range(0, max(K, 1), CHAIN):
            acc = tile(MR, 1, C)
            if k0 == 0:
                for r in range(MR):
                    acc[r, 0] += splat(start, min(i + r, M - 1))
            for k in range(k0, min(k0 + CHAIN, K)):
                v = load(panel, k, part)
                for r in range(MR):
                    acc[r, 0] += splat(A, min(i + r, M - 1), k) * v
            add = more or k0 > 0
            for r in range(MR):
                row, m = min(i + r, M - 1), n if i + r < M else 0
                store_part(m, C, row, j, acc[r, 0] + load_part(m if add else 0, C, row, j))


@inner
def all_tiles(A, panels, start, C, j, n, more):
    """C[:, j:j+n] (+)= A (M, K) panels (n/NV/L, K, NV*L) + start (M), by tiles of the three kinds."""
    L, (M, K) = lanes(C), A.shape
    full = n // (NV * L)
    rows, columns = M // MR * MR if K <= CHAIN and not more else 0, full * NV * L
    whole_tiles(A[:rows], panels, start, C, j, columns)
    if rows < M:
        tiles(A[rows:], panels, start[rows:], C[rows:], j, columns, more)
    if n - columns > 2 * L:
        tiles(A, panels[full:], start, C, j + columns, n - columns, more)
    else:
        for c in range(columns, n, L):
            narrow_tiles(A, panels[full], c - columns, start, C, j + c, min(L, n - c), more)


@inner
def room_for_panels(B, count, depth):
    """Panels (count, depth, NV*L), which begin where a vector does; their numbers are any."""
    L = lanes(B)
    size = count * depth * NV * L
    room = np.empty(size + L, B.dtype)
    start = -(room.ctypes.data // B.itemsize) % L
    return room[start : start + size].reshape(count, depth, NV * L)


@inner
def zero_panels(B, count, depth):
    """The same, all zero: columns that were turned do not fill the last vector."""
    panels = room_for_panels(B, count, depth)
    numbers = panels.reshape(panels.size)
    for i in range(numbers.size):
        numbers[i] = 0
    return panels


@inner
def copy_columns(B, panels):
    """panels (count, K, NV*L), one after the other, from B (K, n)."""
    L, (K, n) = lanes(B), B.shape
    width = NV * L
    whole = n // width * width
    for k in range(K):
        for j in range(0, whole, width):
            for c in range(NV):
                store(panels, j // width, k, c * L, load(B, k, j + c * L))
        for c in range(0, n - whole, L):
            v = load_part(min(L, n - whole - c), B, k, whole + c)
            store(panels, whole // width, k, c, v)


@inner
def columns(A, B, turned, panels, C, j, n, more):
    """C[:, j:j+n] (+)= (A B)[:, j:j+n], for as many columns as the panels hold; B is (N, K) if `turned`."""
    start, width = np.zeros(A.shape[0], C.dtype), panels.shape[2]
    for k in range(0, A.shape[1], DEPTH):
        if turned:
            for c in range(0, n, width):
                transpose(B[j + c : j + min(n, c + width), k : k + DEPTH], panels[c // width])
        else:
            copy_columns(B[k : k + DEPTH, j : j + n], panels)
        all_tiles(A[:, k : k + DEPTH], panels, start, C, j, n, more or k > 0)


@inner
def multiply(A, B, bias, C, begin, end):
    """Columns begin to end of C (M, N) = A (M, K) B (K, N) + bias (M)."""
    M, K = A.shape
    count, none = max(1, min(PANELS, SHALLOW // max(K, 1))), np.zeros(M, C.dtype)
    panels = room_for_panels(B, count, min(K, DEPTH))
    width = count * panels.shape[2]
    for j in range(begin, end, width):
        n = min(width, end - j)
        for k in range(0, max(K, 1), DEPTH):
            copy_columns(B[k : k + DEPTH, j : j + n], panels)
            all_tiles(A[:, k : k + DEPTH], panels, none if k > 0 else bias, C, j, n, k > 0)


@jit
def product(A, B, C, rows, count, no, begin, end):
    """Some of the tiles of C (M, N) = A (M, K) B (K, N).

    A job is so many rows of A with the columns of `count` panels. `no` is False: to see False itself in the
    call, Numba would compile `columns` anew for it.
    """
    panels = room_for_panels(B, count, min(A.shape[1], DEPTH))
    width, N = count * panels.shape[2], C.shape[1]
    across = (N + width - 1) // width
    for job in range(begin, end):
        i, j = job // across * rows, job % across * width
        columns(A[i : i + rows], B, no, panels, C[i : i + rows], j, min(width, N - j), no)


@jit
def turn(A, out, begin, end):
    """Some rows of out (K, M) = A' for A (M, K)."""
    transpose(A[:, begin:end], out[begin:end])


@jit
def two_products(A, B, C, rows, count, first, D, E, F, more_rows, more_count, no, begin, end):
    """Some of the tiles of C = A B, the `first` jobs, and of F = D E; `no` as in `product`."""
    product(A, B, C, rows, count, no, begin, min(end, first))
    product(D, E, F, more_rows, more_count, no, max(begin - first, 0), end - first)


def jobs_of(A: np.ndarray, N: int) -> tuple[int, int]:
    """How many jobs of one panel a product of A (M, K) with N columns is, and the rows of A in one."""
    M, K = A.shape
    rows = max(BLOCK // max(K, 1) // MR * MR, ROWS)
    return -(-N // (NV * BYTES // A.itemsize)) * -(-M // rows), rows


def jobs_of_panels(A: np.ndarray, N: int, stack: int = 1) -> tuple[int, int, int]:
    """The same for jobs of several panels: jobs, rows, and panels of a job.

    Few jobs would not share well among threads; so there are some more, for small products or stacks of few.
    """
    width = NV * BYTES // A.itemsize
    jobs, rows = jobs_of(A, N)
    count = max(1, min(PANELS, SHALLOW // max(A.shape[1], 1), jobs * stack // JOBS, -(-N // width)))
    return -(-N // (count * width)) * -(-A.shape[0] // rows), rows, count


def room_for_product(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """An array for A (M, K) B (K, N); zeros if K is 0."""
    return (np.empty if len(B) else np.zeros)((len(A), B.shape[1]), A.dtype)


def matmul(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """C (M, N) = A (M, K) B (K, N)."""
    C, (jobs, rows, count) = room_for_product(A, B), jobs_of_panels(A, B.shape[1])
    run(product, jobs, A.size * B.shape[1] // PRODUCTS, A, B, C, rows, count, False)
    return C


def matmuls(A: np.ndarray, B: np.ndarray, D: np.ndarray, E: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A B and D E, which threads share as one."""
    C, F = room_for_product(A, B), room_for_product(D, E)
    (first, *blocks), (second, *more) = jobs_of_panels(A, B.shape[1]), jobs_of_panels(D, E.shape[1])
    numbers = (A.size * B.shape[1] + D.size * E.shape[1]) // PRODUCTS
    run(two_products, first + second, numbers, A, B, C, *blocks, first, D, E, F, *more, False)
    return C, F


def turned(A: np.ndarray) -> np.ndarray:
    """A' (K, M), row after row, for A (M, K)."""
    out = np.empty(A.shape[::-1], A.dtype)
    run(turn, len(out), A.size, A, out)
    return out
