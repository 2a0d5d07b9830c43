"""Activations in one pass."""

from typing import Any

from minicnn.kernels.cuda.launch import BLOCK, cupy, launch, launch_over

__all__ = [
    "activate", "activation_gradient", "prelu", "prelu_gradient", "relu", "relu_gradient",
]  # fmt: skip

Array = Any  # of CuPy


def activate(name: str, x: Array, numbers: tuple[float, ...] = ()) -> Array:
    """y = f(x) for the function of that name in the reference, with its settings."""
    y = cupy().empty(x.shape, x.dtype)
    arrays = cupy().ascontiguousarray(x), y
    launch_over("activation", f"{name}_forward", x.dtype, x.size, *arrays, *map(float, numbers))
    return y


def activation_gradient(name: str, dy: Array, kept: Array, numbers: tuple[float, ...] = ()) -> Array:
    """dx = dy f'(x); `kept` is y where the reference says so, else x."""
    xp, dx = cupy(), cupy().empty(kept.shape, kept.dtype)
    arrays = xp.ascontiguousarray(dy), xp.ascontiguousarray(kept), dx
    launch_over("activation", f"{name}_gradient", dx.dtype, dx.size, *arrays, *map(float, numbers))
    return dx


def relu(x: Array) -> Array:
    """y = max(x, 0); NaN stays NaN."""
    return activate("relu", x) if x.dtype.kind == "f" else cupy().maximum(x, 0)


def relu_gradient(dy: Array, y: Array) -> Array:
    """dx = 0 where y <= 0, else dy."""
    return activation_gradient("relu", dy, y)


def prelu(x: Array, weight: Array) -> Array:
    """y (N, C, P): x where it is positive, else weight (C) x."""
    xp, y = cupy(), cupy().empty(x.shape, x.dtype)
    arrays = xp.ascontiguousarray(x), xp.ascontiguousarray(weight), y
    launch_over("activation", "prelu", x.dtype, x.size, *arrays, x.shape[1], x.shape[2])
    return y


def prelu_gradient(dy: Array, x: Array, weight: Array) -> tuple[Array, Array]:
    """dx (N, C, P) and dweight (C)."""
    xp, (N, C, P) = cupy(), x.shape
    dx, dweight = xp.empty(x.shape, x.dtype), xp.empty(C, x.dtype)
    arrays = [xp.ascontiguousarray(a) for a in (dy, x, weight)]
    launch("activation", "prelu_gradient", x.dtype, (C,), (BLOCK,), [*arrays, dx, dweight, N, C, P])
    return dx, dweight
