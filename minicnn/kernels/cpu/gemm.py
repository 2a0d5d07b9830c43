"""Products of matrices, in tiles that stay in registers.

A tile of the result is MR rows of NV vectors: each number of A meets NV vectors of B, each vector of B meets
MR numbers of A, so few loads keep the two multipliers of a core busy. (The tile leaves room for the operands,
see simd.py.)

    C = A B     `tiles` runs down the rows of A while NV vectors of each row of B stay in cache
    C = A B'    the same, after `transpose`: the rows of B become the columns of a panel, a square at a time
    C += A B'   `dot_tile`: sums along the rows of both, for few rows and for long ones

A is read as it lies. The part of B that a tile reads, a panel, is copied where rows lie far apart: into one
piece of memory, beginning where a vector does.
"""

import numpy as np

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.simd import (
    BYTES,
    REGISTERS,
    evens,
    lanes,
    load,
    load_part,
    noinline,
    odds,
    splat,
    store,
    store_part,
    tile,
)

MR, NV = (8, 3) if REGISTERS == 32 else (4, 3)  # a tile of C: MR rows of NV vectors
DEPTH = 1024  # the most numbers of a column of B that are gone through at a time
BLOCK, ROWS = 1 << 17, 256  # the numbers of A that are, and the rows at least
CHAIN = 256  # products added up in a row: longer sums round more
SQUARE = BYTES // 4  # the side of a square of float32, whose rows are vectors
HALF, STAGES = SQUARE // 2, SQUARE.bit_length() - 1
SUMS = MR.bit_length() - 1
FEW = 6  # rows of A for which it is not worth to turn B


@jit
def tiles(A, i0, i1, k0, B, b0, depth, C, j, n, more):
    """C[i0:i1, j:j+n] (+)= A[i0:i1, k0:k0+depth] B[:depth, b0:b0+n], for n <= NV*L; `more` adds."""
    noinline()
    L, last = lanes(C), A.shape[0] - 1
    for i in range(i0, i1, MR):
        for start in range(0, depth, CHAIN):
            acc = tile(MR, NV, C)
            for k in range(start, min(start + CHAIN, depth)):
                for r in range(MR):
                    a = splat(A, min(i + r, last), k0 + k)
                    for c in range(NV):
                        acc[r, c] += a * load(B, k, b0 + c * L)
            add = more or start > 0
            for r in range(MR):
                for c in range(NV):
                    row, m = min(i + r, last), n - c * L if i + r < i1 else 0
                    before = load_part(m if add else 0, C, row, j + c * L)
                    store_part(m, C, row, j + c * L, acc[r, c] + before)


@jit
def narrow_tiles(A, i0, i1, k0, B, b0, depth, C, j, n, more):
    """The same for n <= L."""
    noinline()
    last = A.shape[0] - 1
    for i in range(i0, i1, MR):
        for start in range(0, depth, CHAIN):
            acc = tile(MR, 1, C)
            for k in range(start, min(start + CHAIN, depth)):
                b = load_part(n, B, k, b0)
                for r in range(MR):
                    acc[r, 0] += splat(A, min(i + r, last), k0 + k) * b
            add = more or start > 0
            for r in range(MR):
                row, m = min(i + r, last), n if i + r < i1 else 0
                store_part(m, C, row, j, acc[r, 0] + load_part(m if add else 0, C, row, j))


@jit
def column_of_tiles(A, i0, i1, k0, B, b0, depth, C, j, n, more):
    """`tiles`, or `narrow_tiles` where these leave less undone, for n <= NV*L."""
    L = lanes(C)
    if n > (NV - 1) * L:
        tiles(A, i0, i1, k0, B, b0, depth, C, j, n, more)
    else:
        for c in range(0, n, L):
            narrow_tiles(A, i0, i1, k0, B, b0 + c, depth, C, j + c, min(L, n - c), more)


@jit
def transpose_squares(A, i, k0, k1, out, j):
    """out[:k1-k0, j:j+SQUARE] = A[i:i+SQUARE, k0:k1]', for whole squares of float32.

    In each stage, half of the vectors take every second number, half the others. Then what tells two
    numbers of a row apart, the last bit of their column, has become the first of their row.
    """
    noinline()
    rows, turned = tile(SQUARE, 1, A), tile(SQUARE, 1, A)
    for k in range(k0, k1, SQUARE):
        for r in range(SQUARE):
            rows[r, 0] = load(A, i + r, k)
        for _ in range(STAGES):
            for r in range(HALF):
                turned[r, 0] = evens(rows[2 * r, 0], rows[2 * r + 1, 0])
                turned[r + HALF, 0] = odds(rows[2 * r, 0], rows[2 * r + 1, 0])
            for r in range(SQUARE):
                rows[r, 0] = turned[r, 0]
        for r in range(SQUARE):
            store(out, k - k0 + r, j, rows[r, 0])


@jit
def transpose(A, i0, i1, k0, k1, out, j):
    """out[:k1-k0, j:j+i1-i0] = A[i0:i1, k0:k1]'."""
    squares = (k1 - k0) // SQUARE * SQUARE if lanes(A) == SQUARE else 0
    for i in range(i0, i1, SQUARE):
        rows = min(SQUARE, i1 - i)
        whole = squares if rows == SQUARE else 0
        transpose_squares(A, i, k0, k0 + whole, out, j + i - i0)
        for k in range(whole, k1 - k0):
            line = out[k, j + i - i0 :]
            for r in range(rows):
                line[r] = A[i + r, k0 + k]


@jit
def copy_columns(B, k0, k1, j, n, panel):
    """panel[:k1-k0, :n] = B[k0:k1, j:j+n]."""
    L = lanes(B)
    for k in range(k0, k1):
        for c in range(0, n, L):
            store(panel, k - k0, c, load_part(min(L, n - c), B, k, j + c))


@jit
def room_for_panel(B, depth):
    """A panel (depth, NV*L), which begins where a vector does."""
    L = lanes(B)
    room = np.zeros(depth * NV * L + L, B.dtype)
    start = -(room.ctypes.data // B.itemsize) % L
    return room[start : start + depth * NV * L].reshape(depth, NV * L)


@jit
def product(A, B, turned, C, more, rows, begin, end):
    """Some of the tiles of C (M, N) (+)= A (M, K) B, for B (K, N), or (N, K) if it is `turned`.

    A job is a panel of B and so many rows of A, which stay in cache while the panels go by.
    """
    (M, K), N, width = A.shape, C.shape[1], NV * lanes(B)
    columns = (N + width - 1) // width
    panel = room_for_panel(B, min(K, DEPTH))
    for job in range(begin, end):
        i0, j = job // columns * rows, job % columns * width
        n = min(width, N - j)
        for k0 in range(0, K, DEPTH):
            k1 = min(k0 + DEPTH, K)
            if turned:
                transpose(B, j, j + n, k0, k1, panel, 0)
            else:
                copy_columns(B, k0, k1, j, n, panel)
            column_of_tiles(A, i0, min(i0 + rows, M), k0, panel, 0, k1 - k0, C, j, n, more or k0 > 0)


@jit
def turn(A, out, begin, end):
    """Some rows, SQUARE at a time, of out (K, M) = A' for A (M, K)."""
    for job in range(begin, end):
        k0, k1 = job * SQUARE, min((job + 1) * SQUARE, A.shape[1])
        transpose(A, 0, A.shape[0], k0, k1, out[k0:k1], 0)


@jit
def dot_tile(A, B, C, i, j):
    """C[i:i+NV, j:j+MR] += (A B') there; rows beyond A or B are left out."""
    noinline()
    L, K = lanes(A), A.shape[1]
    last_a, last_b = A.shape[0] - 1, B.shape[0] - 1
    whole = K // L * L
    acc = tile(MR, NV, A)
    for k in range(0, whole, L):
        for c in range(NV):
            a = load(A, min(i + c, last_a), k)
            for r in range(MR):
                acc[r, c] += a * load(B, min(j + r, last_b), k)
    if whole < K:
        for c in range(NV):
            a = load_part(K - whole, A, min(i + c, last_a), whole)
            for r in range(MR):
                acc[r, c] += a * load_part(K - whole, B, min(j + r, last_b), whole)
    for c in range(NV):
        for _ in range(SUMS):  # two vectors become one, in whose halves are the sums of their pairs
            for r in range(MR // 2):
                v, w = acc[2 * r, c], acc[2 * r + 1, c]
                acc[r, c] = evens(v, w) + odds(v, w)
        for _ in range(L // MR // 2):  # once more, where a vector has room for two of each sum
            acc[0, c] = evens(acc[0, c], acc[0, c]) + odds(acc[0, c], acc[0, c])
        n = min(MR, last_b + 1 - j) if i + c <= last_a else 0
        row = min(i + c, last_a)
        store_part(n, C, row, j, load_part(n, C, row, j) + acc[0, c])


@jit
def multiply_rows(A, B, C, begin, end):
    """Columns begin to end, in multiples of MR, of C (M, N) += A B', for A (M, K) and B (N, K)."""
    for k in range(0, A.shape[1], DEPTH):
        a, b = A[:, k : k + DEPTH], B[:, k : k + DEPTH]
        for j in range(begin, end, MR):
            for i in range(0, A.shape[0], NV):
                dot_tile(a, b, C, i, j)


@jit
def product_rows(A, B, C, begin, end):
    """The same for columns begin * MR to end * MR."""
    multiply_rows(A, B, C, begin * MR, min(end * MR, B.shape[0]))


@jit
def multiply(A, B, bias, C, begin, end):
    """Columns begin to end of C (M, N) = A (M, K) B (K, N) + bias (M)."""
    L = lanes(B)
    for i in range(C.shape[0]):
        row, b = C[i, begin:end], bias[i]
        for j in range(row.size):
            row[j] = b
    for j in range(begin, end, NV * L):
        if j + NV * L <= end:
            tiles(A, 0, A.shape[0], 0, B, j, A.shape[1], C, j, NV * L, True)
        else:
            for rest in range(j, end, L):
                n = min(L, end - rest)
                narrow_tiles(A, 0, A.shape[0], 0, B, rest, A.shape[1], C, rest, n, True)


def matmul(A: np.ndarray, B: np.ndarray, turned: bool = False, bias: np.ndarray | None = None) -> np.ndarray:
    """C (M, N) = A (M, K) B + bias (N), for B (K, N), or (N, K) if it is turned."""
    C = np.empty((len(A), B.shape[0 if turned else 1]), A.dtype)
    if bias is not None:
        C[:] = bias
    elif A.shape[1] == 0:
        C[:] = 0
    if turned and len(A) < FEW:
        if bias is None:
            C[:] = 0
        run(product_rows, -(-len(B) // MR), A.size * len(B) // PRODUCTS, A, B, C)
    else:
        columns = -(-C.shape[1] // (NV * BYTES // A.itemsize))
        rows = max(BLOCK // max(A.shape[1], 1) // MR * MR, ROWS)
        jobs = columns * -(-len(A) // rows)
        run(product, jobs, A.size * C.shape[1] // PRODUCTS, A, B, turned, C, bias is not None, rows)
    return C


def turned(A: np.ndarray) -> np.ndarray:
    """A' (K, M), row after row, for A (M, K)."""
    out = np.empty(A.shape[::-1], A.dtype)
    run(turn, -(-len(out) // SQUARE), A.size, A, out)
    return out


@jit
def pack(A):
    return A
