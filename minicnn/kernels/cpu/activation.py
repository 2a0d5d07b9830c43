"""Activations, in one pass forward and one back. Those with curves are in curves.py."""

from typing import Any

import numpy as np

from minicnn.kernels.cpu import curves
from minicnn.kernels.cpu.graph import again
from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.memory import result
from minicnn.kernels.cpu.runner import run

__all__ = [
    "activate", "activation_gradient", "prelu", "prelu_gradient", "relu", "relu_gradient",
]  # fmt: skip

FEW_NUMBERS = 1 << 15  # numbers that NumPy goes through in less time than it takes to call a kernel
ZERO = {np.dtype(name): np.zeros((), name) for name in ("float32", "float64")}
SIXTH = float(np.float32(1 / 6))  # in float64, too, as PyTorch has it


@kernel
def rectify(x, y, begin, end):
    x, y = x[begin:end], y[begin:end]
    zero = x.dtype.type(0)
    for i in range(x.size):
        y[i] = zero if x[i] < zero else x[i]


@kernel
def rectify_in_place(y, begin, end):
    y = y[begin:end]
    zero = y.dtype.type(0)
    for i in range(y.size):
        y[i] = zero if y[i] < zero else y[i]


@kernel
def gate(dy, y, dx, begin, end):
    dy, y, dx = dy[begin:end], y[begin:end], dx[begin:end]
    zero = y.dtype.type(0)
    for i in range(y.size):
        dx[i] = zero if y[i] <= zero else dy[i]


@kernel
def leaky_relu(x, y, slope, begin, end):
    x, y = x[begin:end], y[begin:end]
    zero = x.dtype.type(0)
    for i in range(x.size):
        y[i] = x[i] if x[i] > zero else x[i] * slope


@kernel
def leaky_relu_gradient(dy, x, dx, slope, begin, end):
    dy, x, dx = dy[begin:end], x[begin:end], dx[begin:end]
    zero = x.dtype.type(0)
    for i in range(x.size):
        dx[i] = dy[i] if x[i] > zero else dy[i] * slope


@kernel
def hardtanh(x, y, low, high, begin, end):
    x, y = x[begin:end], y[begin:end]
    for i in range(x.size):
        above = low if x[i] < low else x[i]
        y[i] = high if above > high else above


@kernel
def hardtanh_gradient(dy, y, dx, low, high, begin, end):
    dy, y, dx = dy[begin:end], y[begin:end], dx[begin:end]
    zero = y.dtype.type(0)
    for i in range(y.size):
        dx[i] = dy[i] if (y[i] > low) & (y[i] < high) else zero


@kernel
def hardsigmoid(x, y, begin, end):
    x, y = x[begin:end], y[begin:end]
    number = x.dtype.type
    zero, three, six = number(0), number(3), number(6)
    for i in range(x.size):
        v = x[i] + three
        y[i] = (zero if v < zero else (six if v > six else v)) / six


@kernel
def hardsigmoid_gradient(dy, x, dx, begin, end):
    dy, x, dx = dy[begin:end], x[begin:end], dx[begin:end]
    number = x.dtype.type
    zero, three, sixth = number(0), number(3), number(SIXTH)
    for i in range(x.size):
        dx[i] = dy[i] * sixth if (x[i] > -three) & (x[i] < three) else zero


@kernel
def hardswish(x, y, begin, end):
    x, y = x[begin:end], y[begin:end]
    number = x.dtype.type
    zero, three, six = number(0), number(3), number(6)
    for i in range(x.size):
        v = x[i] + three
        y[i] = x[i] * (zero if v < zero else (six if v > six else v)) / six


@kernel
def hardswish_gradient(dy, x, dx, begin, end):
    dy, x, dx = dy[begin:end], x[begin:end], dx[begin:end]
    number = x.dtype.type
    zero, half, three = number(0), number(0.5), number(3)
    for i in range(x.size):
        inside = dy[i] * (x[i] / three + half) if x[i] < three else dy[i]
        dx[i] = zero if x[i] <= -three else inside


@kernel
def weighed(x, weight, y, begin, end):
    """y and x (N, C, P), weight (C); some of the N*C rows."""
    C, zero = x.shape[1], x.dtype.type(0)
    for j in range(begin, end):
        row, out, w = x[j // C, j % C], y[j // C, j % C], weight[j % C]
        for p in range(row.size):
            out[p] = row[p] if row[p] > zero else row[p] * w


@kernel
def weighed_gradient(dy, x, weight, dx, dweight, begin, end):
    """dx, dy and x (N, C, P), weight (C); dweight (N, C), of which the sum over N is the gradient."""
    C, zero = x.shape[1], x.dtype.type(0)
    for j in range(begin, end):
        n, c = j // C, j % C
        grad, row, out, w = dy[n, c], x[n, c], dx[n, c], weight[c]
        total = 0.0
        for p in range(row.size):
            positive = row[p] > zero
            out[p] = grad[p] if positive else grad[p] * w
            total += zero if positive else grad[p] * row[p]
        dweight[n, c] = total


def relu(x: np.ndarray) -> np.ndarray:
    """y = max(x, 0); NaN stays NaN."""
    if x.size < FEW_NUMBERS:
        return again(np.maximum, x, ZERO.get(x.dtype, 0))
    y = result(x.shape, x.dtype)
    run(rectify, x.size, x.size, x.reshape(-1), y.reshape(-1))
    return y


def relu_gradient(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dx = 0 where y <= 0, else dy."""
    return by_pairs(gate, dy, y)


def by_pairs(kernel: Any, dy: np.ndarray, kept: np.ndarray, numbers: tuple[float, ...] = ()) -> np.ndarray:
    """dx from dy and x or y, number by number."""
    dx = result(kept.shape, kept.dtype)
    arrays = dy.reshape(-1), kept.reshape(-1), dx.reshape(-1)
    run(kernel, kept.size, kept.size, *arrays, *map(kept.dtype.type, numbers))
    return dx


FUNCTIONS = {
    "elu": (curves.elu, curves.elu_gradient),
    "erf": (curves.erf, curves.erf_gradient),
    "exp": (curves.exponential, curves.exponential_gradient),
    "gelu": (curves.gelu, curves.gelu_gradient),
    "gelu_tanh": (curves.gelu_tanh, curves.gelu_tanh_gradient),
    "hardsigmoid": (hardsigmoid, hardsigmoid_gradient),
    "hardswish": (hardswish, hardswish_gradient),
    "hardtanh": (hardtanh, hardtanh_gradient),
    "leaky_relu": (leaky_relu, leaky_relu_gradient),
    "log_sigmoid": (curves.log_sigmoid, curves.log_sigmoid_gradient),
    "mish": (curves.mish, curves.mish_gradient),
    "sigmoid": (curves.sigmoid, curves.sigmoid_gradient),
    "silu": (curves.silu, curves.silu_gradient),
    "softplus": (curves.softplus, curves.softplus_gradient),
    "tanh": (curves.tanh, curves.tanh_gradient),
}
NUMPY = {"exp": np.exp, "tanh": np.tanh}  # as fast on few numbers, and on float64


def activate(name: str, x: np.ndarray, numbers: tuple[float, ...] = ()) -> np.ndarray:
    """y = f(x) for the function of that name in the reference, which has `numbers`."""
    function = NUMPY.get(name)
    if function is not None and (x.size < FEW_NUMBERS or x.dtype != np.float32):
        return again(function, x)
    y = result(x.shape, x.dtype)
    run(FUNCTIONS[name][0], x.size, x.size, x.reshape(-1), y.reshape(-1), *map(x.dtype.type, numbers))
    return y


def activation_gradient(
    name: str, dy: np.ndarray, kept: np.ndarray, numbers: tuple[float, ...] = ()
) -> np.ndarray:
    """dx = dy f'(x); `kept` is y where the reference says so, else x."""
    return by_pairs(FUNCTIONS[name][1], dy, kept, numbers)


def prelu(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """y (N, C, P): x where it is positive, else weight (C) x."""
    y = result(x.shape, x.dtype)
    N, C, _ = x.shape
    run(weighed, N * C, x.size, np.ascontiguousarray(x), np.ascontiguousarray(weight), y)
    return y


def prelu_gradient(dy: np.ndarray, x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dx (N, C, P) and dweight (C)."""
    N, C, _ = x.shape
    dx, dweight = result(x.shape, x.dtype), np.empty((N, C), x.dtype)
    arrays = [np.ascontiguousarray(a) for a in (dy, x, weight)]
    run(weighed_gradient, N * C, x.size, *arrays, dx, dweight)
    return dx, dweight.sum(axis=0)


def activated(y: np.ndarray, name: str) -> np.ndarray:
    """What a layer makes of a result that nobody else has: "relu", "tanh" or "sigmoid" of it; "" is nothing.

    ReLU works in the result's memory.
    """
    if name == "relu" and y.flags.c_contiguous:
        run(rectify_in_place, y.size, y.size, y.reshape(-1))
        return y
    return y if not name else relu(y) if name == "relu" else activate(name, y)
