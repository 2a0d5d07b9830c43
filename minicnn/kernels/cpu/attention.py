"""Attention, head by head: softmax(q k') v, with the scores in cache from the first product to the last.

The scores are most of the numbers that attention goes through. As three steps over all heads they are written
to memory and read again twice, which takes longer than the products. Here a job is the queries of one head,
or so many of them that their scores fit into cache with its keys and values, which are copied as panels (see
gemm.py).
"""

import numpy as np

from minicnn.kernels.cpu.gemm import DEPTH, MR, NV, all_tiles, copy_columns, copy_rows, room
from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.scratch import scratch, zeros
from minicnn.kernels.cpu.simd import lanes
from minicnn.kernels.cpu.softmax import rows as softmax_of_rows

SCORES, WIDE = 1 << 16, 256  # numbers of a job's scores, and of a key or value, at most


@kernel
def heads(q, k, v, scale, z, rows, begin, end):
    """Some jobs of z (N, H, L, V) = softmax(scale q k') v for q (N, H, L, E), k (N, H, S, E), v (N, H, S, V).

    A job is so many rows of q.
    """
    (_, H, L, E), (S, V), width = q.shape, v.shape[2:], NV * lanes(q)
    keys, values = room(k, (S + width - 1) // width, E), room(v, (V + width - 1) // width, S)
    some = scratch((rows, E), q.dtype)
    scores, weights = scratch((rows, S), q.dtype), scratch((rows, S), q.dtype)
    nothing, blocks, head = zeros(max(rows, S, V), q.dtype), (L + rows - 1) // rows, -1
    for job in range(begin, end):
        i = job % blocks * rows
        m = min(rows, L - i)
        if job // blocks != head:
            head = job // blocks
            n, h = head // H, head % H
            copy_rows(k[n, h], keys)
            copy_columns(v[n, h], values)
        for r in range(m):
            for e in range(E):
                some[r, e] = q[n, h, i + r, e] * scale
        all_tiles(some[:m], keys, nothing, nothing, scores[:m], 0, S, False)
        softmax_of_rows(scores, False, weights, 0, m)
        all_tiles(weights[:m], values, nothing, nothing, z[n, h, i : i + m], 0, V, False)


def fits(q: tuple[int, ...], k: tuple[int, ...], v: tuple[int, ...]) -> bool:
    """Whether `attention` takes queries, keys and values of these shapes."""
    (*stack, _, E), (S, V) = q, v[-2:]
    same = list(k) == [*stack, S, E] and list(v) == [*stack, S, V]
    return same and len(stack) == 2 and MR <= S <= DEPTH and max(E, V) <= WIDE


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, scale: float) -> np.ndarray:
    """z (N, H, L, V) = softmax(scale q k') v for q (N, H, L, E), k (N, H, S, E) and v (N, H, S, V).

    In memory a token's heads are side by side, as the layer after attention takes them.
    """
    (N, H, L, E), (S, V) = q.shape, v.shape[2:]
    z = np.empty((N, L, H, V), q.dtype).swapaxes(1, 2)
    rows = max(min(L, SCORES // S // MR * MR), 1)
    products = N * H * L * S * (E + V)
    run(heads, N * H * -(-L // rows), products // PRODUCTS, q, k, v, q.dtype.type(scale), z, rows)
    return z
