"""Activations in one pass."""

from typing import Any

from minicnn.kernels.cuda.launch import cupy, launch_over

__all__ = ["relu", "relu_gradient", "tanh_gradient"]

Array = Any  # of CuPy


def relu(x: Array) -> Array:
    """y = max(x, 0); NaN stays NaN."""
    if x.dtype.kind != "f":
        return cupy().maximum(x, 0)
    y = cupy().empty(x.shape, x.dtype)
    launch_over("activation", "relu", x.dtype, x.size, cupy().ascontiguousarray(x), y)
    return y


def relu_gradient(dy: Array, y: Array) -> Array:
    """dx = 0 where y <= 0, else dy."""
    return slope("relu_gradient", dy, y)


def tanh_gradient(dy: Array, y: Array) -> Array:
    """dx = dy (1 - y*y), for y = tanh(x)."""
    return slope("tanh_gradient", dy, y)


def slope(name: str, dy: Array, y: Array) -> Array:
    """dx from dy and y, number by number."""
    xp, dx = cupy(), cupy().empty(y.shape, y.dtype)
    launch_over("activation", name, y.dtype, y.size, xp.ascontiguousarray(dy), xp.ascontiguousarray(y), dx)
    return dx
