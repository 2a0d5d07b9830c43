"""Convolution as im2col and a product of matrices, band by band in cache.

im2col (see im2col.py) lays the picture out so that the convolution of a band of output rows becomes one
matrix product: a column of K = C/G*KH*KW numbers for each of the band's pixels.

    y (O, pixels)        = weight (O, K) columns (K, pixels) + bias
    dcolumns (K, pixels) = weight' dy (O, pixels), then added back to where the columns came from
    dweight (O, K)       = dy (O, pixels) columns' (pixels, K), summed over bands and pictures

The columns of a whole layer would not fit into memory, let alone cache; those of a band do, and each thread
has a buffer for one. The weight gradient sums in a fixed number of chunks, so it is the same, bit by bit, for
any number of threads.
"""

import numpy as np

from minicnn.kernels.cpu.gemm import multiply
from minicnn.kernels.cpu.graph import again
from minicnn.kernels.cpu.im2col import buffer_size, col2im, crop, im2col, pad, padded
from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.memory import result
from minicnn.kernels.cpu.outer import add_outer, blocks_of
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.scratch import reshape, scratch, zeros
from minicnn.kernels.cpu.simd import lanes
from minicnn.kernels.cpu.transpose import transpose
from minicnn.kernels.geometry import Window

BAND = 1 << 17  # numbers in a band's columns: half a megabyte of float32, which an L2 cache holds
SUM = 1024  # pixels a weight gradient sums at once, in pictures of fewer


@kernel
def forward(x, weight, bias, y, groups, numbers, size, band, begin, end):
    """y (N, O, OH, OW) from x (N, C, H, W), weight (O, K) and bias (O); some bands of `band` output rows."""
    N, O, OH, OW = y.shape
    OG, CG, K = O // groups, x.shape[1] // groups, weight.shape[1]
    bands = (OH + band - 1) // band
    picture = padded(x[0], size, 0)
    columns = scratch((K, band * OW + lanes(x)), x.dtype)
    for job in range(begin, end):
        n, row0 = job // bands, job % bands * band
        rows = min(band, OH - row0)
        if job == begin or row0 == 0:
            pad(x[n], picture, numbers[4], numbers[5])
        for g in range(groups):
            im2col(picture[g * CG : (g + 1) * CG], columns, 0, row0, rows, OW, numbers)
            out = reshape(y[n, g * OG : (g + 1) * OG], (OG, OH * OW))[:, row0 * OW : (row0 + rows) * OW]
            lo, hi = g * OG, (g + 1) * OG
            multiply(weight[lo:hi], columns, bias[lo:hi], out, 0, rows * OW)


@kernel
def input_gradient(dy, weight, dx, groups, numbers, size, band, begin, end):
    """dx (N, C, H, W) of some pictures, from dy (N, O, OH, OW) and the turned weight (G, K, O/G)."""
    N, O, OH, OW = dy.shape
    OG, CG, K = O // groups, dx.shape[1] // groups, weight.shape[1]
    none = zeros(K, dx.dtype)
    picture = padded(dx[0], size, 0)
    columns = scratch((K, band * OW), dx.dtype)
    for n in range(begin, end):
        picture[:] = 0
        for g in range(groups):
            gradient = reshape(dy[n, g * OG : (g + 1) * OG], (OG, OH * OW))
            for row0 in range(0, OH, band):
                rows = min(band, OH - row0)
                multiply(weight[g], gradient[:, row0 * OW : (row0 + rows) * OW], none, columns, 0, rows * OW)
                col2im(columns, picture[g * CG : (g + 1) * CG], row0, rows, OW, numbers)
        crop(picture, dx[n], numbers[4], numbers[5])


@kernel
def weight_gradient(dy, x, partial, groups, numbers, size, band, pictures, begin, end):
    """partial (chunks, G, blocks, K, W): each chunk's part, a band of one picture or several whole ones."""
    chunks, _, blocks, K, W = partial.shape
    N, O, OH, OW = dy.shape
    OG, CG, room = O // groups, x.shape[1] // groups, pictures * band * OW
    columns = scratch((K, room + lanes(x)), x.dtype)
    turned = zeros((blocks, room, W), x.dtype)
    for t in range(begin, end):
        partial[t] = 0
        picture = padded(x[0], size, 0)
        last = (t + 1) * N // chunks
        for n0 in range(t * N // chunks, last, pictures):
            together = min(pictures, last - n0)
            for row0 in range(0, OH, band):
                pixels = min(band, OH - row0) * OW
                for g in range(groups):
                    for i in range(together):
                        group = picture[g * CG : (g + 1) * CG]
                        pad(x[n0 + i, g * CG : (g + 1) * CG], group, numbers[4], numbers[5])
                        im2col(group, columns, i * pixels, row0, pixels // OW, OW, numbers)
                        part = reshape(dy[n0 + i], (O, OH * OW))[:, row0 * OW : row0 * OW + pixels]
                        for b in range(blocks):
                            lo, hi = g * OG + b * W, min(g * OG + (b + 1) * W, (g + 1) * OG)
                            transpose(part[lo:hi], turned[b, i * pixels :])
                    total = together * pixels
                    for b in range(blocks):
                        add_outer(columns[:, :total], turned[b, :total], partial[t, g, b])


def band_rows(K: int, OH: int, OW: int) -> int:
    """How many output rows make a band."""
    return min(max(BAND // (K * OW), 1), OH)


def conv2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, window: Window, groups: int
) -> np.ndarray:
    """y (N, O, OH, OW) from x (N, C, H, W), weight (O, C/G, KH, KW) and bias (O) or None."""
    O, K = len(weight), weight[0].size
    y = result((len(x), O, *window.output_size(*x.shape[2:])), x.dtype)
    bias = np.zeros(O, x.dtype) if bias is None else np.ascontiguousarray(bias)
    x, weight = np.ascontiguousarray(x), np.ascontiguousarray(weight).reshape(O, K)
    size, band = buffer_size(*x.shape[2:], window), band_rows(K, *y.shape[2:])
    jobs = len(x) * -(-y.shape[2] // band)
    settings = groups, window.numbers(), size, band
    run(forward, jobs, y.size * K // PRODUCTS, x, weight, bias, y, *settings)
    return y


def conv2d_input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], window: Window, groups: int
) -> np.ndarray:
    """dx (N, C, H, W) from dy (N, O, OH, OW)."""
    O, K = len(weight), weight[0].size
    dx = result(x_shape, dy.dtype)
    turned = again(np.ascontiguousarray, weight.reshape(groups, O // groups, K).transpose(0, 2, 1))
    dy = np.ascontiguousarray(dy)
    size, band = buffer_size(*x_shape[2:], window), band_rows(K, *dy.shape[2:])
    settings = groups, window.numbers(), size, band
    products = dy.size * K // PRODUCTS
    run(input_gradient, len(dy), products, dy, turned, dx, *settings)
    return dx


def conv2d_weight_gradient(dy: np.ndarray, x: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """dweight (O, C/G, KH, KW) from dy (N, O, OH, OW) and x (N, C, H, W)."""
    (N, O, OH, OW), CG = dy.shape, x.shape[1] // groups
    K = CG * window.kernel[0] * window.kernel[1]
    size, band = buffer_size(*x.shape[2:], window), band_rows(K, OH, OW)
    pictures = max(1, min(SUM // (OH * OW), N)) if band == OH else 1
    chunks = max(1, min(N, 8, N * OH * OW // SUM))
    OG = O // groups
    blocks, width = blocks_of(OG, dy.dtype)
    partial = result((chunks, groups, blocks, K, width), dy.dtype)
    dy, x = np.ascontiguousarray(dy), np.ascontiguousarray(x)
    settings = groups, window.numbers(), size, band, pictures
    products = dy.size * K // PRODUCTS
    run(weight_gradient, chunks, products, dy, x, partial, *settings)
    return again(sum_of_chunks, partial, OG, (O, CG, *window.kernel))


def sum_of_chunks(partial: np.ndarray, OG: int, shape: tuple[int, ...]) -> np.ndarray:
    """dweight in its shape from partial (chunks, G, blocks, K, W)."""
    _, groups, _, K, _ = partial.shape
    return partial.sum(axis=0).transpose(0, 1, 3, 2).reshape(groups, -1, K)[:, :OG].reshape(shape)
