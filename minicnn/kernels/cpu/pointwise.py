"""Convolution with 1x1 filters and stride 1: a product of matrices for each picture, and nothing else.

    y[n] (O, P) = weight (O, C) x[n] (C, P) + bias,    P = H W
    dx[n] = weight' dy[n],    dweight = the sum of dy[n] x[n]'

A picture is a matrix already, its rows the channels, so nothing is copied; but for pictures so small that
they would not fill the tiles: of those, several are laid side by side.
"""

import numpy as np

from minicnn.kernels.cpu.gemm import JOBS, NV, PANELS, multiply, turned
from minicnn.kernels.cpu.graph import again
from minicnn.kernels.cpu.jit import inner, jit, kernel
from minicnn.kernels.cpu.memory import result
from minicnn.kernels.cpu.outer import PIXELS, ROWS, blocks_of, outer_tile
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.scratch import scratch, zeros
from minicnn.kernels.cpu.simd import BYTES, lanes
from minicnn.kernels.cpu.transpose import transpose
from minicnn.kernels.geometry import Window

BLOCKS = 8  # of the weight gradient in a job at most: their pixels fit into an L2 cache
SUM = 1024  # pixels of a chunk of the weight gradient, at least


@jit
def side_by_side(pictures, columns):
    """columns (C, pictures*P) from the pictures (N, C, P)."""
    N, C, P = pictures.shape
    for n in range(N):
        for c in range(C):
            row = columns[c, n * P :]
            for p in range(P):
                row[p] = pictures[n, c, p]


@jit
def apart(columns, pictures):
    """And back."""
    N, C, P = pictures.shape
    for n in range(N):
        for c in range(C):
            row = columns[c, n * P :]
            for p in range(P):
                pictures[n, c, p] = row[p]


@kernel
def multiply_pictures(x, weight, bias, y, together, begin, end):
    """y (N, O, P) from x (N, C, P), weight (O, C) and bias (O); some blocks of P."""
    (_, C, P), O = x.shape, y.shape[1]
    width = PANELS * NV * lanes(x)
    blocks = (P + width - 1) // width
    columns, products = scratch((C, together * P), x.dtype), scratch((O, together * P), x.dtype)
    for job in range(begin, end):
        if together == 1:
            n, j = job // blocks, job % blocks * width
            multiply(weight, x[n], bias, y[n], j, min(j + width, P))
        else:
            pictures = x[job * together : (job + 1) * together]
            side_by_side(pictures, columns)
            multiply(weight, columns, bias, products, 0, len(pictures) * P)
            apart(products, y[job * together : (job + 1) * together])


@inner
def add_outers(A, B, C):
    """C (blocks, M, W) += A (M, P) B (blocks, P, W), for P up to PIXELS."""
    wide = C.shape[2] > lanes(C)
    for i in range(0, A.shape[0], ROWS):
        for b in range(len(C)):
            if wide:
                outer_tile(2, A, B[b], C[b], i)
            else:
                outer_tile(1, A, B[b], C[b], i)


@kernel
def weight_gradient(rows, turned, partial, together, begin, end):
    """partial (chunks, blocks, M, W): sums of rows[n] turned[n]' for rows (N, M, P), turned (N, K, P).

    A job is some blocks of a chunk, `together` at most: all of them meet the rows while these are in cache.
    """
    (chunks, blocks, M, W), (N, _, P) = partial.shape, turned.shape
    groups = (blocks + together - 1) // together
    pixels = zeros((together, PIXELS, W), rows.dtype)
    for job in range(begin, end):
        t, first = job // groups, job % groups * together
        sums = partial[t, first : first + together]
        for b in range(len(sums)):
            for i in range(M):
                for j in range(W):
                    sums[b, i, j] = 0
        for n in range(t * N // chunks, (t + 1) * N // chunks):
            for p in range(0, P, PIXELS):
                for b in range(len(sums)):
                    k = (first + b) * W
                    transpose(turned[n, k : k + W, p : p + PIXELS], pixels[b])
                add_outers(rows[n, :, p : p + PIXELS], pixels, sums)


def run_multiply(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray) -> None:
    """y (N, O, H, W) from x (N, C, H, W), weight (O, C) and bias (O)."""
    (N, C, H, W), O = x.shape, y.shape[1]
    P, width = H * W, PANELS * NV * BYTES // x.itemsize
    together = -(-N // max(1, -(-N // max(1, width // P))))  # as many jobs as need be, of the same size
    jobs = -(-N // together) if together > 1 else N * -(-P // width)
    x, y = np.ascontiguousarray(x).reshape(N, C, P), y.reshape(N, O, P)
    run(multiply_pictures, jobs, y.size * C // PRODUCTS, x, weight, bias, y, together)


def conv2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, window: Window, groups: int
) -> np.ndarray:
    """y (N, O, H, W) from x (N, C, H, W), weight (O, C, 1, 1) and bias (O) or None."""
    (N, _, H, W), O = x.shape, len(weight)
    y = result((N, O, H, W), x.dtype)
    bias = np.zeros(O, x.dtype) if bias is None else np.ascontiguousarray(bias)
    run_multiply(x, np.ascontiguousarray(weight[:, :, 0, 0]), bias, y)
    return y


def conv2d_input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], window: Window, groups: int
) -> np.ndarray:
    """dx (N, C, H, W) from dy (N, O, H, W)."""
    dx = result(x_shape, dy.dtype)
    filters = turned(np.ascontiguousarray(weight[:, :, 0, 0]))
    run_multiply(dy, filters, np.zeros(x_shape[1], dy.dtype), dx)
    return dx


def conv2d_weight_gradient(dy: np.ndarray, x: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """dweight (O, C, 1, 1) from dy (N, O, H, W) and x (N, C, H, W)."""
    (N, O), C, P = dy.shape[:2], x.shape[1], dy.shape[2] * dy.shape[3]
    dy, x = np.ascontiguousarray(dy).reshape(N, O, P), np.ascontiguousarray(x).reshape(N, C, P)
    swap = O < C  # the shorter one is turned
    rows, others = (x, dy) if swap else (dy, x)
    chunks = max(1, min(N, 8, N * P // SUM))
    blocks, width = blocks_of(others.shape[1], dy.dtype)
    partial = result((chunks, blocks, rows.shape[1], width), dy.dtype)
    together = max(1, min(BLOCKS, blocks * chunks // JOBS))
    jobs = chunks * -(-blocks // together)
    run(weight_gradient, jobs, dy.size * C // PRODUCTS, rows, others, partial, together)
    return again(sum_of_chunks, partial, swap, (O, C, 1, 1))


def sum_of_chunks(partial: np.ndarray, swap: bool, shape: tuple[int, int, int, int]) -> np.ndarray:
    """dweight in its shape from partial (chunks, blocks, M, W), whose M are the channels if swapped."""
    sums = partial.sum(axis=0).swapaxes(0, 1).reshape(partial.shape[2], -1)
    sums = sums[:, : shape[0] if swap else shape[1]]
    return np.ascontiguousarray(sums.T if swap else sums).reshape(shape)
