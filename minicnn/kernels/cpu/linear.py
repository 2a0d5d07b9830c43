"""The fully connected layer, and the activation after it: three products of matrices (see gemm.py).

Few rows use each number of the weight only a few times: it is not laid out anew then, but read as it lies, in
sums along its rows.

The activation works on what the product has just written, strip by strip. Back, one pass is its gradient,
sums up the bias's, and turns the matrix for the weight's; then threads share both products as one.
"""

import numpy as np
from numba import literally

from minicnn.kernels.cpu import elementary
from minicnn.kernels.cpu.activation import activated
from minicnn.kernels.cpu.elementary import whole_registers
from minicnn.kernels.cpu.gemm import (
    CHAIN,
    DEPTH,
    JOBS,
    MR,
    NV,
    all_tiles,
    copy_rows,
    jobs_of,
    matmul,
    matmuls,
    product,
    room_for_panels,
    turned,
)
from minicnn.kernels.cpu.graph import again
from minicnn.kernels.cpu.interleaved.finish import NONE, RELU, SIGMOID, TANH, activate_row, slope
from minicnn.kernels.cpu.jit import inner, kernel
from minicnn.kernels.cpu.memory import result
from minicnn.kernels.cpu.runner import PRODUCTS, run, threads_for
from minicnn.kernels.cpu.scratch import zeros
from minicnn.kernels.cpu.simd import BYTES, hsum, lanes, load, load_part, noinline, store_part, stretch, tile
from minicnn.kernels.cpu.transpose import transpose

FEW_PRODUCTS = 4096  # products that NumPy has done by the time a kernel begins
FEW_ROWS, COLUMNS = MR, 8 * NV  # the most that read a weight as it lies, and columns of a job then
STRIP = 8 * MR  # rows
GELU = 4
NUMBERS = {"": NONE, "relu": RELU, "tanh": TANH, "sigmoid": SIGMOID, "gelu": GELU}

__all__ = ["linear", "linear_input_gradient", "linear_parameter_gradients", "linear_weight_gradient"]


@inner
def activate(y, j, n, activation):
    """The activation of y[:, j:j+n], in place."""
    noinline()
    whole_registers()
    for r in range(len(y)):
        row = stretch(n, y, r, j)
        if activation == GELU:
            for i in range(n):
                row[i] = elementary.gelu(row[i])
        else:
            activate_row(row, activation)


@inner
def add_rows(other, bias, y, j, n):
    """y[:, j:j+n] = other + bias there, for y and other (N, O) and bias (O)."""
    L = lanes(y)
    for r in range(len(y)):
        for c in range(j, j + n, L):
            m = min(L, j + n - c)
            store_part(m, y, r, c, load_part(m, other, r, c) + load_part(m, bias, c))


@kernel
def layer(x, weight, bias, other, activation, y, by_rows, begin, end):
    """Some of the tiles of y (N, O) = f(x (N, I) weight' (O, I) + bias (O) + other (N, O)), or without other.

    A job is MR rows, or else the columns of a panel. What comes before and after the products goes strip by
    strip, in cache.
    """
    (M, I), O, add = x.shape, len(weight), other.size > 0
    panels, nothing = room_for_panels(weight, I, O), zeros(STRIP, y.dtype)
    width = panels.shape[2]
    (i0, i1), (j0, j1) = (0, M), (begin * width, min(end * width, O))
    if by_rows:
        (i0, i1), (j0, j1) = (begin * MR, min(end * MR, M)), (0, O)
    for j in range(j0, j1, len(panels) * width):
        n = min(len(panels) * width, j1 - j)
        for k in range(0, max(I, 1), DEPTH):
            copy_rows(weight[j : j + n, k : k + DEPTH], panels)
            for i in range(i0, i1, STRIP):
                stop = min(i + STRIP, i1)
                strip = y[i:stop]
                if add and k == 0:
                    add_rows(other[i:stop], bias, strip, j, n)
                all_tiles(x[i:stop, k : k + DEPTH], panels, nothing, bias, strip, j, n, add or k > 0)
                if k + DEPTH >= I and activation != NONE:
                    activate(strip, j, n, activation)


@inner
def dots(height, width, x, weight, j, y):
    """y[:, j:j+width] += x (M, K) weight (O, K)[j:j+width]', for M <= height."""
    noinline()
    L, (M, K), last = lanes(y), x.shape, len(weight) - 1
    for k0 in range(0, K, CHAIN * L):
        acc = tile(literally(height), literally(width), y)
        end = min(k0 + CHAIN * L, K)
        for k in range(k0, end - L + 1, L):
            for r in range(height):
                v = load(x, min(r, M - 1), k)
                for c in range(width):
                    acc[r, c] += v * load(weight, min(j + c, last), k)
        if end % L > 0:
            for r in range(height):
                v = load_part(end % L, x, min(r, M - 1), end - end % L)
                for c in range(width):
                    acc[r, c] += v * load_part(end % L, weight, min(j + c, last), end - end % L)
        for r in range(M):
            for c in range(min(width, last + 1 - j)):
                y[r, j + c] += hsum(acc[r, c])


@kernel
def layer_of_few_rows(x, weight, bias, other, activation, y, begin, end):
    """As `layer` for at most FEW_ROWS rows. A job is COLUMNS columns."""
    M, O = y.shape
    for job in range(begin, end):
        j0, j1 = job * COLUMNS, min((job + 1) * COLUMNS, O)
        for r in range(M):
            for j in range(j0, j1):
                y[r, j] = bias[j] + (other[r, j] if other.size > 0 else y.dtype.type(0))
        if M == 1:
            for j in range(j0, j1, 8):
                dots(1, 8, x, weight, j, y)
        else:
            for j in range(j0, j1, NV):
                dots(MR, NV, x, weight, j, y)
        if activation != NONE:
            activate(y, j0, j1 - j0, activation)


@kernel
def back_through_activation(dy, y, activation, dz, columns, sums, begin, end):
    """dz (N, O) from dy and y (N, O), columns = dz' (O, N), and sums (O) over N; some strips of L columns.

    Without an activation, dz is dy and stays.
    """
    L, (N, O) = lanes(dy), dy.shape
    for j in range(begin * L, end * L, L):
        width = min(L, O - j)
        total = load_part(0, dy, 0, j)  # zero
        for first in range(0, N, CHAIN):
            part = load_part(0, dy, 0, j)
            for n in range(first, min(first + CHAIN, N)):
                v = load_part(width, dy, n, j)
                if activation != NONE:
                    v = slope(v, load_part(width, y, n, j), activation)
                    store_part(width, dz, n, j, v)
                part += v
            total += part
        store_part(width, sums, j, total)
        transpose(dz[:, j : j + width], columns[j : j + width])


def small_layer(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    other: np.ndarray | None,
    activation: str,
) -> np.ndarray:
    """As `linear_plus`, by NumPy, which is sooner done with few numbers."""
    y = x.dot(weight.T)
    y = y if bias is None else y + bias
    y = y if other is None else y + other
    return activated(y, activation) if activation else y


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, activation: str = "") -> np.ndarray:
    """y (N, O) = x (N, I) weight' (O, I) + bias (O), and its activation."""
    O = len(weight)
    if activation or len(x) <= FEW_ROWS or x.size * O <= FEW_PRODUCTS:
        return linear_plus(x, weight, bias, None, activation)
    y = result((len(x), O), x.dtype)
    shift = y.reshape(-1)[:0] if bias is None else np.ascontiguousarray(bias)
    (jobs, rows), panels = jobs_of(x, O), -(-O // (NV * BYTES // x.itemsize))
    numbers, strips = x.size * O // PRODUCTS, -(-len(x) // MR)
    if panels < JOBS:  # each thread copies all: rows of x and y it has in its cache from other layers
        rows = -(-strips // threads_for(strips, numbers)) * MR
        jobs = panels * -(-len(x) // rows)
    x, weight = np.ascontiguousarray(x), np.ascontiguousarray(weight)
    run(product, jobs, numbers, x, weight, True, shift, y, rows)
    return y


def linear_plus(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    other: np.ndarray | None,
    activation: str,
) -> np.ndarray:
    """y (N, O) = x (N, I) weight' (O, I) + bias (O) + other (N, O), and its activation.

    Of activations it also knows "gelu". Plans take it.
    """
    if x.size * len(weight) <= FEW_PRODUCTS:
        return again(small_layer, x, weight, bias, other, activation)
    O = len(weight)
    y = result((len(x), O), x.dtype)
    x, weight = np.ascontiguousarray(x), np.ascontiguousarray(weight)
    shift = np.zeros(O, x.dtype) if bias is None else np.ascontiguousarray(bias)
    more = y[:0] if other is None else np.ascontiguousarray(other)
    settings = x, weight, shift, more, NUMBERS[activation], y
    if len(x) <= FEW_ROWS:
        run(layer_of_few_rows, -(-O // COLUMNS), weight.size, *settings)
    else:
        panels = -(-O // (NV * BYTES // x.itemsize))
        # of few panels each thread copies all: rows of x and y it has in its cache from other layers
        by_rows = panels < JOBS
        run(layer, -(-len(x) // MR) if by_rows else panels, x.size * O // PRODUCTS, *settings, by_rows)
    return y


def linear_input_gradient(dy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """dx (N, I) = dy (N, O) weight (O, I)."""
    return matmul(np.ascontiguousarray(dy), np.ascontiguousarray(weight))


def linear_weight_gradient(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dweight (O, I) = dy' (N, O) x (N, I)."""
    return matmul(turned(np.ascontiguousarray(dy)), np.ascontiguousarray(x))


def linear_parameter_gradients(dy: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dweight (O, I), and dbias (O), the sum of dy (N, O)."""
    return linear_weight_gradient(dy, x), dy.sum(axis=0)


def linear_gradients(
    dy: np.ndarray, y: np.ndarray | None, x: np.ndarray | None, weight: np.ndarray | None, activation: str
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray]:
    """All gradients at once, as plans take them: dx (N, I), dweight (O, I) and dbias (O).

    They come from dy and y (N, O), x (N, I) and weight (O, I). Without a weight there is no dx, without x no
    dweight, and without an activation no need for y.
    """
    N, O = dy.shape
    dy = np.ascontiguousarray(dy) if dy.flags.writeable else dy.copy()
    dz = dy if not activation else np.empty((N, O), dy.dtype)
    columns, sums = np.empty((O, N), dy.dtype), np.empty(O, dy.dtype)
    strips = -(-O // (BYTES // dy.itemsize))
    kept = dy if y is None else y
    run(back_through_activation, strips, dy.size, dy, kept, NUMBERS[activation], dz, columns, sums)
    if weight is not None and x is not None:
        return *matmuls(dz, np.ascontiguousarray(weight), columns, np.ascontiguousarray(x)), sums
    dx = None if weight is None else matmul(dz, np.ascontiguousarray(weight))
    return dx, None if x is None else matmul(columns, np.ascontiguousarray(x)), sums
