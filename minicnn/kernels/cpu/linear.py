"""The fully connected layer: three products of matrices (see gemm.py)."""

import numpy as np

from minicnn.kernels.cpu import elementary
from minicnn.kernels.cpu.activation import activated
from minicnn.kernels.cpu.gemm import DEPTH, column, jobs_of, matmul, room_for_panel, turned
from minicnn.kernels.cpu.interleaved.finish import NONE, RELU, SIGMOID, TANH
from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.masks import select
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.simd import lanes, load_part, store_part

FEW = 4096  # products that NumPy has done by the time a kernel begins
NUMBERS = {"": NONE, "relu": RELU, "tanh": TANH, "sigmoid": SIGMOID}

__all__ = ["linear", "linear_input_gradient", "linear_parameter_gradients", "linear_weight_gradient"]


@jit
def activate_row(row, activation):
    """The activation of a row, in place."""
    L = lanes(row)
    if activation == RELU:
        for i in range(0, row.size, L):
            n = min(L, row.size - i)
            v = load_part(n, row, i)
            store_part(n, row, i, select(v < 0, 0, v))
    elif activation == TANH:
        for i in range(row.size):
            row[i] = elementary.tanh(row[i])
    elif activation == SIGMOID:
        for i in range(row.size):
            row[i] = elementary.sigmoid(row[i])


@jit
def layer(x, weight, turned, bias, activation, y, rows, begin, end):
    """Some of the tiles of y (N, O) = f(x (N, I) weight + bias (O)), where bias may be empty.

    The weight is (I, O), or (O, I) if it is `turned`.

    A job is a panel's width of columns for so many rows of x.
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


def activated_linear(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, activation: int
) -> np.ndarray:
    """y (N, O) = f(x (N, I) weight' (O, I) + bias (O)), for one of the activations of finish.py."""
    O, I = weight.shape
    y = (np.empty if I or bias is not None else np.zeros)((len(x), O), x.dtype)
    jobs, rows = jobs_of(x, O)
    x, weight = np.ascontiguousarray(x), np.ascontiguousarray(weight)
    shift = y[:0, 0] if bias is None else np.ascontiguousarray(bias)
    run(layer, jobs, x.size * O // PRODUCTS, x, weight, True, shift, activation, y, rows)
    return y


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, activation: str = "") -> np.ndarray:
    """y (N, O) = x (N, I) weight' (O, I) + bias (O), and its activation."""
    if x.size * len(weight) <= FEW:
        y = x.dot(weight.T)
        return activated(y if bias is None else y + bias, activation)
    return activated_linear(x, weight, bias, NUMBERS[activation])


def linear_input_gradient(dy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """dx (N, I) = dy (N, O) weight (O, I)."""
    return matmul(np.ascontiguousarray(dy), np.ascontiguousarray(weight))


def linear_weight_gradient(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dweight (O, I) = dy' (N, O) x (N, I)."""
    return matmul(turned(np.ascontiguousarray(dy)), np.ascontiguousarray(x))


def linear_parameter_gradients(dy: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dweight (O, I), and dbias (O), the sum of dy (N, O)."""
    return linear_weight_gradient(dy, x), dy.sum(axis=0)
