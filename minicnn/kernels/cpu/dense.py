"""The fully connected layer and the activation after it, as plans take them: together, forward and back.

The activation works on what the product (see linear.py) has just written. Back, one pass is its gradient,
sums up the bias's, and turns the matrix for the weight's; then threads share both products as one.
"""

import numpy as np

from minicnn.kernels.cpu.activation import activate, relu
from minicnn.kernels.cpu.gemm import CHAIN, matmul, matmuls
from minicnn.kernels.cpu.interleaved.finish import NONE, RELU, SIGMOID, TANH, slope
from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.linear import FEW, activated_linear, linear
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.cpu.simd import BYTES, lanes, load_part, store_part
from minicnn.kernels.cpu.transpose import transpose

CURVES = {TANH: "tanh", SIGMOID: "sigmoid"}


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


def dense(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, activation: int) -> np.ndarray:
    """y (N, O) = f(x (N, I) weight' (O, I) + bias (O)), for one of the activations of finish.py."""
    if x.size * len(weight) > FEW:
        return activated_linear(x, weight, bias, activation)
    y = linear(x, weight, bias)
    return relu(y) if activation == RELU else y if activation == NONE else activate(CURVES[activation], y)


def dense_gradient(
    dy: np.ndarray, y: np.ndarray, x: np.ndarray | None, weight: np.ndarray | None, activation: int
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray]:
    """dx (N, I), dweight (O, I) and dbias (O), from dy and y (N, O), x (N, I) and weight (O, I).

    Without a weight there is no dx, without x no dweight. Without an activation y may be anything.
    """
    N, O = dy.shape
    dy = np.ascontiguousarray(dy) if dy.flags.writeable else dy.copy()
    dz = dy if activation == NONE else np.empty((N, O), dy.dtype)
    columns, sums = np.empty((O, N), dy.dtype), np.empty(O, dy.dtype)
    strips = -(-O // (BYTES // dy.itemsize))
    run(back_through_activation, strips, dy.size, dy, y, activation, dz, columns, sums)
    if weight is not None and x is not None:
        return *matmuls(dz, np.ascontiguousarray(weight), columns, np.ascontiguousarray(x)), sums
    dx = None if weight is None else matmul(dz, np.ascontiguousarray(weight))
    return dx, None if x is None else matmul(columns, np.ascontiguousarray(x)), sums
