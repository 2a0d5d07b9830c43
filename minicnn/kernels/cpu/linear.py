"""The fully connected layer, and the activation after it: three products of matrices (see gemm.py).

The activation works on what the product has just written. Back, one pass is its gradient, sums up the
bias's, and turns the matrix for the weight's; then threads share both products as one.
"""

import numpy as np

from minicnn.kernels.cpu.activation import activated
from minicnn.kernels.cpu.gemm import CHAIN, DEPTH, column, jobs_of, matmul, matmuls, room_for_panel, turned
from minicnn.kernels.cpu.graph import leave
from minicnn.kernels.cpu.interleaved.finish import NONE, RELU, SIGMOID, TANH, activate_row, slope
from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.simd import BYTES, lanes, load_part, store_part
from minicnn.kernels.cpu.transpose import transpose

FEW = 4096  # products that NumPy has done by the time a kernel begins
NUMBERS = {"": NONE, "relu": RELU, "tanh": TANH, "sigmoid": SIGMOID}

__all__ = ["linear", "linear_input_gradient", "linear_parameter_gradients", "linear_weight_gradient"]


@jit
def layer(x, weight, turned, bias, activation, y, rows, begin, end):
    """Some of the tiles of y (N, O) = f(x (N, I) weight + bias (O)), where bias may be empty.

    The weight is (I, O), or (O, I) if it is `turned`. A job is a panel's width of columns for so many rows.
    """
    panel = room_for_panel(weight, min(x.shape[1], DEPTH))
    L, width, O = lanes(y), panel.shape[1], y.shape[1]
    columns = (O + width - 1) // width
    for job in range(begin, end):
        i, j = job // columns * rows, job % columns * width
        n, block = min(width, O - j), y[i : i + rows]
        for r in range(len(block) if bias.size > 0 else 0):
            for c in range(j, j + n, L):
                m = min(L, j + n - c)
                store_part(m, block, r, c, load_part(m, bias, c))
        column(x[i : i + rows], weight, turned, panel, block, j, n, bias.size > 0)
        if activation != NONE:
            for r in range(len(block)):
                activate_row(block[r, j : j + n], activation)


@jit
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


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, activation: str = "") -> np.ndarray:
    """y (N, O) = x (N, I) weight' (O, I) + bias (O), and its activation."""
    if x.size * len(weight) <= FEW:
        leave()
        y = x.dot(weight.T)
        y = y if bias is None else y + bias
        return activated(y, activation) if activation else y
    O, I = weight.shape
    y = (np.empty if I or bias is not None else np.zeros)((len(x), O), x.dtype)
    jobs, rows = jobs_of(x, O)
    x, weight = np.ascontiguousarray(x), np.ascontiguousarray(weight)
    shift = y[:0, 0] if bias is None else np.ascontiguousarray(bias)
    run(layer, jobs, x.size * O // PRODUCTS, x, weight, True, shift, NUMBERS[activation], y, rows)
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
