"""Adaptive pooling: windows that share the plane evenly."""

from functools import cache
from typing import Any

from minicnn.kernels.cuda.launch import BLOCK, cupy, launch, launch_over
from minicnn.kernels.geometry import shares

__all__ = ["adaptive_avg_pool2d", "adaptive_avg_pool2d_gradient", "adaptive_max_pool2d"]

Array = Any  # of CuPy


@cache
def bounds(size: int, count: int) -> Array:
    """Where the windows along an axis begin and end (count, 2).

    They stay on the GPU for good: a recorded graph may hold their address.
    """
    return cupy().asarray(shares(size, count), "int32").reshape(-1, 2)


def lanes_for(numbers: int) -> int:
    """How many threads work on a result that looks at so many numbers."""
    return min(1 << numbers.bit_length() - 1, 32)


def launch_groups(source: str, name: str, arrays: tuple, sizes: tuple, lanes: int, count: int) -> None:
    """Start a kernel with a few threads for each of `count` results (group.cuh)."""
    blocks = -(-count * lanes // BLOCK)
    launch(source, name, arrays[0].dtype, (blocks,), (BLOCK,), (*arrays, *sizes, lanes, count))


def settings(x_shape: tuple[int, ...], size: tuple[int, int]) -> tuple[tuple, tuple, int]:
    """The tables, the sizes, and the threads for each result."""
    (H, W), (OH, OW) = x_shape[2:], size
    cells = -(-H // max(OH, 1)) * -(-W // max(OW, 1))
    return (bounds(H, OH), bounds(W, OW)), (H, W, OH, OW), lanes_for(cells)


def adaptive_max_pool2d(x: Array, size: tuple[int, int]) -> tuple[Array, Array]:
    """y (N, C, OH, OW), each window's largest value, and index (int32), the first place h*W + w where it was.

    A NaN counts as larger than any number. The gradient is that of max_pool2d.
    """
    xp, (tables, sizes, lanes) = cupy(), settings(x.shape, size)
    y = xp.empty((*x.shape[:2], *size), x.dtype)
    index = xp.empty(y.shape, "int32")
    arrays = (xp.ascontiguousarray(x), *tables, y, index)
    launch_groups("adaptive", "adaptive_max_pool2d", arrays, sizes, lanes, y.size)
    return y, index


def adaptive_avg_pool2d(x: Array, size: tuple[int, int]) -> Array:
    """y (N, C, OH, OW): each window's mean."""
    xp, (tables, sizes, lanes) = cupy(), settings(x.shape, size)
    y = xp.empty((*x.shape[:2], *size), x.dtype)
    arrays = (xp.ascontiguousarray(x), *tables, y)
    launch_groups("adaptive", "adaptive_avg_pool2d", arrays, sizes, lanes, y.size)
    return y


def adaptive_avg_pool2d_gradient(dy: Array, x_shape: tuple[int, ...]) -> Array:
    """dx (N, C, H, W): each window's gradient in equal parts to its cells."""
    (H, W), (OH, OW) = x_shape[2:], dy.shape[2:]
    dx = cupy().empty(x_shape, dy.dtype)
    tables = (bounds(H, OH), bounds(W, OW), bounds(OH, H), bounds(OW, W))
    arrays = (cupy().ascontiguousarray(dy), *tables, dx)
    launch_over("adaptive", "adaptive_avg_pool2d_gradient", dy.dtype, dx.size, *arrays, H, W, OH, OW)
    return dx
