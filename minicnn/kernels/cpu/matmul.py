"""Products of matrices and of stacks of them; threads share all their tiles (see gemm.py).

x is read as it lies, turned or not. Of y a panel is copied in any case, and turned on the way where y is: so
the q @ k' of attention copies no more than another product.
"""

import math

import numpy as np

from minicnn.kernels.cpu.gemm import columns, jobs_of, room_for_panels
from minicnn.kernels.cpu.graph import again
from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.memory import result
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.scratch import scratch, zeros
from minicnn.kernels.cpu.transpose import transpose

FLOATS = np.dtype(np.float32), np.dtype(np.float64)
FEW_PRODUCTS, TINY = 1 << 18, 1 << 15  # products in all or for a matrix that NumPy does sooner, on one thread
WIDE = 128  # columns of z; for fewer a turned x is not worth copying

__all__ = ["matmul"]


@kernel
def stacked_product(x, y, turn_x, turned, z, rows, begin, end):
    """Some of the tiles of z (S, T, M, N) = x (S, T, M, K) y (S, T, K, N); if `turned`, y is (S, T, N, K).

    S and T may be 1 in x or y. A job is so many rows of a matrix, which are copied row by row if `turn_x`,
    with one panel, as in gemm.product.
    """
    (_, T, M, N), K = z.shape, x.shape[3]
    panels, nothing = room_for_panels(y, K, N), zeros(max(M, N), z.dtype)
    width = panels.shape[2]
    blocks, across = (M + rows - 1) // rows, (N + width - 1) // width
    copied, which = scratch((min(rows, M) if turn_x else 0, K), x.dtype), -1
    job = begin
    while job < end:
        matrix, i, j = job // (blocks * across), job // across % blocks * rows, job % across * width
        count = min(len(panels), across - job % across, end - job)
        s, t = matrix // T, matrix % T
        a = x[min(s, x.shape[0] - 1), min(t, x.shape[1] - 1), i : i + rows, :K]
        if turn_x:
            if which != job // across:
                which = job // across
                transpose(a.T, copied)
            a = copied[: len(a), :K]
        b = y[min(s, y.shape[0] - 1), min(t, y.shape[1] - 1), :, : y.shape[3]]  # one type for all layouts
        columns(a, b, turned, panels, nothing, nothing, z[s, t, i : i + rows], j, min(count * width, N - j))
        job += count


def stacked(a: np.ndarray, stack: tuple[int, ...]) -> np.ndarray:
    """a (..., M, N) as a stack (S, T, M, N), a view if it has two such dimensions or fewer."""
    if len(stack) <= 2:
        return a[(None,) * (4 - a.ndim)]
    return np.broadcast_to(a, (*stack, *a.shape[-2:])).reshape(-1, *stack[-1:], *a.shape[-2:])


def matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """z (..., M, N) from x (..., M, K) and y (..., K, N); the stacks broadcast.

    ValueError if they do not, or if the K differ.
    """
    if x.ndim == y.ndim == 2 and x.size * y.shape[1] <= FEW_PRODUCTS:
        return again(np.dot, x, y)
    if y.ndim == 2 < x.ndim and x.shape[-1] == len(y):
        return matmul(x.reshape(math.prod(x.shape[:-1]), len(y)), y).reshape(*x.shape[:-1], y.shape[1])
    alike = x.shape[:-2] == y.shape[:-2]
    stack = x.shape[:-2] if alike else np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    (M, K), N = x.shape[-2:], y.shape[-1]
    each, count = M * N * K, math.prod(stack)
    ours = x.dtype == y.dtype in FLOATS and min(M, N) > 1 and y.shape[-2] == K
    if not ours or each <= TINY or count * each <= FEW_PRODUCTS:
        return again(np.dot if x.ndim == y.ndim == 2 else np.matmul, x, y)  # the same; `dot` is there sooner
    z = result((*stack, M, N), x.dtype)
    if y.strides[-1] != y.itemsize and y.strides[-2] != y.itemsize:
        y = np.ascontiguousarray(y)
    turned = y.strides[-1] != y.itemsize
    x, y, tiles = stacked(x, stack), stacked(y.swapaxes(-1, -2) if turned else y, stack), stacked(z, stack)
    jobs, rows = jobs_of(x[0, 0], N, count)
    turn_x = x.strides[-1] != x.itemsize == x.strides[-2] and N > WIDE
    settings = turn_x, turned, tiles, rows
    run(stacked_product, jobs, count * each // PRODUCTS, x, y, *settings)
    return z
