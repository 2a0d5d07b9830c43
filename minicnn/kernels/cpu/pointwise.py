"""Convolution with 1x1 filters and stride 1: a product of matrices for each picture, and nothing else.

    y[n] (O, P) = weight (O, C) x[n] (C, P) + bias,    P = H W
    dx[n] = weight' dy[n],    dweight = the sum of dy[n] x[n]'

A picture is a matrix already, its rows the channels, so nothing is copied; but for pictures so small that
they would not fill the tiles: of those, several are laid side by side.
"""

import numpy as np

from minicnn.kernels.cpu.gemm import NV, PANELS, multiply, turned
from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.outer import PIXELS, add_outer, blocks_of
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.simd import BYTES, lanes
from minicnn.kernels.cpu.transpose import transpose
from minicnn.kernels.geometry import Window

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


@jit
def multiply_pictures(x, weight, bias, y, together, begin, end):
    """y (N, O, P) from x (N, C, P), weight (O, C) and bias (O); some blocks of P."""
    (_, C, P), O = x.shape, y.shape[1]
    width = PANELS * NV * lanes(x)
    blocks = (P + width - 1) // width
    columns, products = np.empty((C, together * P), x.dtype), np.empty((O, together * P), x.dtype)
    for job in range(begin, end):
        if together == 1:
            n, j = job // blocks, job % blocks * width
            multiply(weight, x[n], bias, y[n], j, min(j + width, P))
        else:
            pictures = x[job * together : (job + 1) * together]
            side_by_side(pictures, columns)
            multiply(weight, columns, bias, products, 0, len(pictures) * P)
            apart(products, y[job * together : (job + 1) * together])


@jit
def weight_gradient(rows, turned, partial, begin, end):
    """partial (chunks, blocks, M, W): sums of rows[n] turned[n]' for rows (N, M, P), turned (N, K, P)."""
    (chunks, blocks, _, W), (N, _, P) = partial.shape, turned.shape
    pixels = np.zeros((PIXELS, W), rows.dtype)
    for job in range(begin, end):
        t, b = job // blocks, job % blocks
        sums = partial[t, b]
        sums[:] = 0
        for n in range(t * N // chunks, (t + 1) * N // chunks):
            for p in range(0, P, PIXELS):
                part = rows[n, :, p : p + PIXELS]
                transpose(turned[n, b * W : (b + 1) * W, p : p + PIXELS], pixels)
                add_outer(part, pixels[: part.shape[1]], sums)


def run_multiply(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray) -> None:
    """y (N, O, H, W) from x (N, C, H, W), weight (O, C) and bias (O)."""
    (N, C, H, W), O = x.shape, y.shape[1]
    P, width = H * W, PANELS * NV * BYTES // x.itemsize
    together = max(1, min(width // P, N))
    jobs = -(-N // together) if together > 1 else N * -(-P // width)
    x, y = np.ascontiguousarray(x).reshape(N, C, P), y.reshape(N, O, P)
    run(multiply_pictures, jobs, y.size * C // PRODUCTS, x, weight, bias, y, together)


def conv2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, window: Window, groups: int
) -> np.ndarray:
    """y (N, O, H, W) from x (N, C, H, W), weight (O, C, 1, 1) and bias (O) or None."""
    (N, _, H, W), O = x.shape, len(weight)
    y = np.empty((N, O, H, W), x.dtype)
    bias = np.zeros(O, x.dtype) if bias is None else np.ascontiguousarray(bias)
    run_multiply(x, np.ascontiguousarray(weight[:, :, 0, 0]), bias, y)
    return y


def conv2d_input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], window: Window, groups: int
) -> np.ndarray:
    """dx (N, C, H, W) from dy (N, O, H, W)."""
    dx = np.empty(x_shape, dy.dtype)
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
    partial = np.empty((chunks, blocks, rows.shape[1], width), dy.dtype)
    run(weight_gradient, chunks * blocks, dy.size * C // PRODUCTS, rows, others, partial)
    sums = partial.sum(axis=0).swapaxes(0, 1).reshape(rows.shape[1], -1)[:, : others.shape[1]]
    return np.ascontiguousarray(sums.T if swap else sums).reshape(O, C, 1, 1)
