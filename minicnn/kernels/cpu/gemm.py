"""Products of matrices, in tiles that stay in registers.

A tile of the result is MR rows of NV vectors: each number of A meets NV vectors of B, each vector of B meets
MR numbers of A, so few loads keep the two multipliers of a core busy. (A tile leaves room for the operands,
see simd.py.)

A column of tiles reads NV vectors of each row of B again and again. So they are copied first, as a panel: one
piece of memory that stays in an L2 cache and begins where a vector does. On the way the rows of a weight can
be turned into columns. A tile takes 3 vectors from there in the time of 24 multiplications, and asks for
those it needs soon (`prefetch`): else it would wait for each line. A is read as it lies. Panels come several
at a time, as many as fit into the cache, so that rows of A are fetched a few times only. And each is copied
for all rows of A, if there are enough panels for all threads: copying takes as long as some thirty rows.

A sum of no more than CHAIN products is made in registers, then added to what is in C; so the parts of a long
sum come together, which rounds less. It begins with a number for each row and one for each column, such as
a bias: `down` (M) and `across` (N).
"""

import numpy as np

from minicnn.kernels.cpu.jit import inner, kernel
from minicnn.kernels.cpu.memory import result
from minicnn.kernels.cpu.prefetch import prefetch
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.scratch import reshape, scratch, zeros
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
AHEAD = 16  # rows of a panel between what is multiplied and what is fetched
DEPTH = 1024  # rows of B in a panel
PANELS, SHALLOW = 8, 2048  # the most panels at a time, and the most rows of B in all of these
JOBS, ROWS = 8, 256  # fewer jobs than that are cut into more, but never to fewer rows of A than that


@inner
def whole_tiles(A, panels, down, across, C, j, n, more):
    """C[:, j:j+n] (+)= A (M, K) panels (n/NV/L, K, NV*L) + down (M) + across (N), for whole tiles."""
    noinline()
    L, (M, K) = lanes(C), A.shape
    for i in range(0, M, MR):
        for p in range(n // (NV * L)):
            for k0 in range(0, max(K, 1), CHAIN):
                acc = tile(MR, NV, C)
                for k in range(k0, min(k0 + CHAIN, K)):
                    for c in range(NV):
                        prefetch(panels, p, k + AHEAD, c * L)
                    for r in range(MR):
                        a = splat(A, i + r, k)
                        for c in range(NV):
                            acc[r, c] += a * load(panels, p, k, c * L)
                if more or k0 > 0:
                    for r in range(MR):
                        for c in range(NV):
                            column = j + (p * NV + c) * L
                            store(C, i + r, column, acc[r, c] + load(C, i + r, column))
                else:
                    for r in range(MR):
                        for c in range(NV):
                            column = j + (p * NV + c) * L
                            store(C, i + r, column, acc[r, c] + (splat(down, i + r) + load(across, column)))


@inner
def tiles(A, panels, down, across, C, j, n, more):
    """The same where tiles may reach past the last row or column: each load and store has to look."""
    noinline()
    L, (M, K) = lanes(C), A.shape
    for i in range(0, M, MR):
        for p in range((n + NV * L - 1) // (NV * L)):
            for k0 in range(0, max(K, 1), CHAIN):
                acc, add = tile(MR, NV, C), more or k0 > 0
                if not add:
                    for r in range(MR):
                        for c in range(NV):
                            column = (p * NV + c) * L
                            start = load_part(min(n - column, L), across, j + column)
                            acc[r, c] += splat(down, min(i + r, M - 1)) + start
                for k in range(k0, min(k0 + CHAIN, K)):
                    for r in range(MR):
                        a = splat(A, min(i + r, M - 1), k)
                        for c in range(NV):
                            acc[r, c] += a * load(panels, p, k, c * L)
                for r in range(MR):
                    for c in range(NV):
                        row, column = min(i + r, M - 1), (p * NV + c) * L
                        m = min(n - column, L) if i + r < M else 0
                        before = load_part(m if add else 0, C, row, j + column)
                        store_part(m, C, row, j + column, acc[r, c] + before)


@inner
def narrow_tiles(A, panel, part, down, across, C, j, n, more):
    """C[:, j:j+n] (+)= A (M, K) panel (K, NV*L)[:, part:part+n] + down (M) + across (N), for n <= L."""
    noinline()
    M, K = A.shape
    for i in range(0, M, MR):
        for k0 in range(0, max(K, 1), CHAIN):
            acc, add = tile(MR, 1, C), more or k0 > 0
            if not add:
                for r in range(MR):
                    acc[r, 0] += splat(down, min(i + r, M - 1)) + load_part(n, across, j)
            for k in range(k0, min(k0 + CHAIN, K)):
                v = load(panel, k, part)
                for r in range(MR):
                    acc[r, 0] += splat(A, min(i + r, M - 1), k) * v
            for r in range(MR):
                row, m = min(i + r, M - 1), n if i + r < M else 0
                store_part(m, C, row, j, acc[r, 0] + load_part(m if add else 0, C, row, j))


@inner
def all_tiles(A, panels, down, across, C, j, n, more):
    """C[:, j:j+n] (+)= A (M, K) panels (n/NV/L, K, NV*L) + down (M) + across (N), by all kinds of tiles.

    With `more`, C is added to; else down and across are.
    """
    L, M = lanes(C), A.shape[0]
    full, rows = n // (NV * L), M // MR * MR
    columns = full * NV * L
    whole_tiles(A[:rows], panels, down, across, C, j, columns, more)
    if rows < M:
        tiles(A[rows:], panels, down[rows:], across, C[rows:], j, columns, more)
    if n - columns > 2 * L:
        tiles(A, panels[full:], down, across, C, j + columns, n - columns, more)
    else:
        for c in range(columns, n, L):
            narrow_tiles(A, panels[full], c - columns, down, across, C, j + c, min(L, n - c), more)


@inner
def room(B, count, depth):
    """Panels (count, depth, NV*L), which begin where a vector does; their numbers are any."""
    return scratch((count, depth, NV * lanes(B)), B.dtype)


@inner
def room_for_panels(B, K, N):
    """Panels (some, up to K, NV*L) for up to N columns, as many as are worth having at a time."""
    width, depth = NV * lanes(B), min(K, DEPTH)
    return room(B, max(1, min(PANELS, SHALLOW // max(depth, 1), (N + width - 1) // width)), depth)


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
def copy_rows(B, panels):
    """panels (count, K, NV*L), one after the other, from B (n, K), turned; 0 in columns that B has not."""
    n, width = B.shape[0], panels.shape[2]
    for j in range(0, n, width):
        if n - j < width:
            numbers = reshape(panels[j // width], panels[0].size)
            for i in range(numbers.size):
                numbers[i] = 0
        transpose(B[j : j + width], panels[j // width])


@inner
def columns(A, B, turned, panels, down, across, C, j, n):
    """C[:, j:j+n] = (A B + down + across)[:, j:j+n], as many as the panels hold; B is (N, K) if `turned`."""
    for k in range(0, max(A.shape[1], 1), DEPTH):
        if turned:
            copy_rows(B[j : j + n, k : k + DEPTH], panels)
        else:
            copy_columns(B[k : k + DEPTH, j : j + n], panels)
        all_tiles(A[:, k : k + DEPTH], panels, down, across, C, j, n, k > 0)


@inner
def multiply(A, B, bias, C, begin, end):
    """Columns begin to end of C (M, N) = A (M, K) B (K, N) + bias (M)."""
    panels, nothing = room_for_panels(B, A.shape[1], end - begin), zeros(end, C.dtype)
    width = len(panels) * panels.shape[2]
    for j in range(begin, end, width):
        columns(A, B, False, panels, bias, nothing, C, j, min(width, end - j))


@kernel
def product(A, B, turned, bias, C, rows, begin, end):
    """Some of the tiles of C (M, N) = A (M, K) B (K, N) + bias (N or 0); if `turned`, B is (N, K).

    A job is so many rows of A with one panel; panels of the same rows are taken several at a time.
    """
    (M, N), K = C.shape, A.shape[1]
    panels, nothing = room_for_panels(B, K, N), zeros(max(M, N), C.dtype)
    added, width = bias if bias.size > 0 else nothing, panels.shape[2]
    side_by_side, job = (N + width - 1) // width, begin
    while job < end:
        i, j = job // side_by_side * rows, job % side_by_side * width
        count = min(len(panels), side_by_side - job % side_by_side, end - job)
        some, n = C[i : i + rows], min(count * width, N - j)
        columns(A[i : i + rows], B, turned, panels, nothing, added, some, j, n)
        job += count


@kernel
def turn(A, out, begin, end):
    """Some rows of out (K, M) = A' for A (M, K)."""
    transpose(A[:, begin:end], out[begin:end])


@kernel
def two_products(A, B, C, rows, first, D, E, F, more_rows, begin, end):
    """Some of the tiles of C = A B, the `first` jobs, and of F = D E."""
    none = zeros(0, A.dtype)
    product(A, B, False, none, C, rows, begin, min(end, first))
    product(D, E, False, none, F, more_rows, max(begin - first, 0), end - first)


def jobs_of(A: np.ndarray, N: int, stack: int = 1) -> tuple[int, int]:
    """How many jobs a product of A (M, K) with N columns is, or of a stack of such, and the rows of A in one.

    One job has the columns of a panel. Where that gives few jobs, the rows are shared out, too.
    """
    panels = -(-N // (NV * BYTES // A.itemsize))
    rows = max(-(-len(A) * panels * stack // (JOBS * MR)) * MR, ROWS)
    return stack * panels * -(-len(A) // rows), rows


def matmul(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """C (M, N) = A (M, K) B (K, N)."""
    C, (jobs, rows) = np.empty((len(A), B.shape[1]), A.dtype), jobs_of(A, B.shape[1])
    run(product, jobs, A.size * B.shape[1] // PRODUCTS, A, B, False, C.reshape(-1)[:0], C, rows)
    return C


def matmuls(A: np.ndarray, B: np.ndarray, D: np.ndarray, E: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A B and D E, which threads share as one."""
    C, F = np.empty((len(A), B.shape[1]), A.dtype), np.empty((len(D), E.shape[1]), D.dtype)
    (first, rows), (second, more_rows) = jobs_of(A, B.shape[1]), jobs_of(D, E.shape[1])
    numbers = (A.size * B.shape[1] + D.size * E.shape[1]) // PRODUCTS
    run(two_products, first + second, numbers, A, B, C, rows, first, D, E, F, more_rows)
    return C, F


def turned(A: np.ndarray) -> np.ndarray:
    """A' (K, M), row after row, for A (M, K)."""
    out = result(A.shape[::-1], A.dtype)
    run(turn, len(out), A.size, A, out)
    return out
