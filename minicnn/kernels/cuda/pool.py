"""Pooling: a thread for each result; a gradient's cells gather from the windows that see them."""

from typing import Any

from minicnn.kernels.cuda.launch import cupy, launch, launch_over
from minicnn.kernels.geometry import Window

__all__ = ["avg_pool2d", "avg_pool2d_gradient", "max_pool2d", "max_pool2d_gradient"]

Array = Any  # of CuPy
SPANS = 1024  # of results for the rows of a plane, and for its columns; at most, that shared memory may do


def max_pool2d(x: Array, window: Window) -> tuple[Array, Array]:
    """y (N, C, OH, OW), each window's largest value, and index (int32), the first place h*W + w where it was.

    A NaN counts as larger than any number.
    """
    xp, sizes = cupy(), window.output_size(*x.shape[2:])
    y = xp.empty((*x.shape[:2], *sizes), x.dtype)
    index = xp.empty(y.shape, "int32")
    arguments = (xp.ascontiguousarray(x), y, index, *x.shape[2:], *sizes, *window.numbers())
    launch_over("pool", "max_pool2d", x.dtype, y.size, *arguments)
    return y, index


def max_pool2d_gradient(dy: Array, index: Array, x_shape: tuple[int, ...]) -> Array:
    """dx (N, C, H, W): each window's gradient goes to the place its value came from."""
    if not dy.size:
        return cupy().zeros(x_shape, dy.dtype)
    N, C, H, W = x_shape
    xp, dx = cupy(), cupy().empty(x_shape, dy.dtype)
    shifts = [max(0, (size - 1).bit_length() - SPANS.bit_length() + 1) for size in (H, W)]
    shared = sum(2 * 4 * (((size - 1) >> shift) + 1) for size, shift in zip((H, W), shifts, strict=True))
    threads = min(max(-(-H * W // 128) * 32, 64), 1024)  # about four cells for each, in whole warps
    arguments = (xp.ascontiguousarray(dy), xp.ascontiguousarray(index), dx, H, W, *dy.shape[2:], *shifts)
    launch("pool", "max_pool2d_gradient", dy.dtype, (N * C,), (threads,), arguments, shared)
    return dx


def avg_pool2d(x: Array, window: Window, count_include_pad: bool, divisor: int) -> Array:
    """y (N, C, OH, OW): each window's mean, or its sum by `divisor` if that is not 0."""
    xp, sizes = cupy(), window.output_size(*x.shape[2:])
    y = xp.empty((*x.shape[:2], *sizes), x.dtype)
    settings = mean_settings(x.shape, window, count_include_pad, divisor)
    launch_over("pool", "avg_pool2d", x.dtype, y.size, xp.ascontiguousarray(x), y, *settings)
    return y


def avg_pool2d_gradient(
    dy: Array, x_shape: tuple[int, ...], window: Window, count_include_pad: bool, divisor: int
) -> Array:
    """dx (N, C, H, W): each window's gradient in equal parts to its cells."""
    dx = cupy().empty(x_shape, dy.dtype)
    settings = mean_settings(x_shape, window, count_include_pad, divisor)
    dy = cupy().ascontiguousarray(dy)
    launch_over("pool", "avg_pool2d_gradient", dy.dtype, dx.size, dy, dx, *settings)
    return dx


def mean_settings(x_shape: tuple[int, ...], window: Window, count_include_pad: bool, divisor: int) -> tuple:
    """What the kernels of means take beside the arrays."""
    top, bottom, left, right = window.padding
    sizes = (*x_shape[2:], *window.output_size(*x_shape[2:]))
    return (*sizes, *window.kernel, *window.stride, top, left, bottom, right, count_include_pad, divisor)
