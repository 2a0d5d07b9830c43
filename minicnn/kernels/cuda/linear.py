"""The fully connected layer: three products of matrices, of which none is transposed for it.

These are kernels of our own, where cuBLAS would do: CuPy refuses to call it while a training step is recorded
as a CUDA graph, and a recorded step has to give, bit by bit, what one does that is not.
"""

from typing import Any

from minicnn.kernels.cuda import gemm
from minicnn.kernels.cuda.launch import cupy, launch

__all__ = ["linear", "linear_input_gradient", "linear_parameter_gradients", "linear_weight_gradient"]

Array = Any  # of CuPy

PART = 64  # products to a number that a block has at least


def linear(x: Array, weight: Array, bias: Array | None, activation: str = "") -> Array:
    """y (N, O) = x (N, I) weight' (O, I) + bias (O), and its activation: "relu", "tanh" or "sigmoid"."""
    (N, I), O = x.shape, len(weight)
    return product(x, weight, bias, (N, O), (N, O, I), (I, 1, 1, I), activation=activation)


def linear_input_gradient(dy: Array, weight: Array) -> Array:
    """dx (N, I) = dy (N, O) weight (O, I)."""
    (N, O), I = dy.shape, weight.shape[1]
    return product(dy, weight, None, (N, I), (N, I, O), (O, 1, I, 1))


def linear_weight_gradient(dy: Array, x: Array) -> Array:
    """dweight (O, I) = dy' (N, O) x (N, I)."""
    (N, O), I = dy.shape, x.shape[1]
    return product(dy, x, None, (O, I), (O, I, N), (1, O, I, 1))


def linear_parameter_gradients(dy: Array, x: Array) -> tuple[Array, Array]:
    """dweight (O, I), and dbias (O) = sum of dy (N, O), by one launch: some of its blocks do the sum."""
    (N, O), I = dy.shape, x.shape[1]
    dbias = cupy().empty(O, dy.dtype)
    return product(dy, x, None, (O, I), (O, I, N), (1, O, I, 1), sums=dbias), dbias


def product(
    a: Array,
    b: Array,
    bias: Array | None,
    shape: tuple[int, ...],
    sizes: tuple[int, int, int],
    steps: tuple[int, int, int, int],
    stack: tuple[int, int, int] = (1, 0, 0),
    sums: Array | None = None,
    activation: str = "",
) -> Array:
    """c (M, N) or, of a stack, (count, M, N), as an array of its own of this shape.

    Parameters
    ----------
    sizes : (int, int, int)
        M, N and K.
    steps : (int, int, int, int)
        How far it is to a's next row and next of K, and to b's next of K and next column.
    stack : (int, int, int)
        How many matrices, and how far it is to the next of a and the next of b.
    sums : cupy.ndarray (M), optional
        Gets the sums of a's rows, if they lie side by side.
    """
    xp, dtype, (M, N, K), count = cupy(), a.dtype, sizes, stack[0]
    rows, columns = gemm.tile(M, N, count * max(K // PART, 1))
    down, across = -(-M // rows), -(-N // columns)
    deep, layers_each = gemm.split(K, down * across * count, PART)
    result = xp.empty(shape, dtype)
    partial, partial_sums, part_size = gemm.room(deep, result, sums)
    a, b, bias = (None if v is None else xp.ascontiguousarray(v) for v in (a, b, bias))
    done = gemm.activation_in(activation, rows) if deep == 1 else 0
    arrays = a, b, bias if deep == 1 else None, done, partial, partial_sums
    source, name = gemm.source("linear", dtype), f"product_{rows}x{columns}"
    width = across + (0 if sums is None else rows // 32)
    for first in range(0, count, gemm.MOST_DEEP // deep):
        grid = width, down, deep * min(count - first, gemm.MOST_DEEP // deep)
        arguments = *arrays, *sizes, *steps, *stack[1:], first, deep, part_size, layers_each
        launch(source, name, dtype, grid, (gemm.THREADS,), arguments)
    if deep > 1:
        return gemm.add_parts(partial, result, bias, sums, activation)
    return gemm.activate(activation, done, result)
