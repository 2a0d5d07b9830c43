"""Resampling: a thread takes a cell, or blends four; a few threads gather a cell's gradient."""

from functools import cache
from typing import Any

import numpy as np

from minicnn.kernels.cuda.adaptive import lanes_for, launch_groups
from minicnn.kernels.cuda.launch import REAL, cupy, launch, launch_over

__all__ = ["blend", "blend_gradient", "pick", "pick_gradient"]

Array = Any  # of CuPy; index vectors may be NumPy's, too
Axis = tuple[Array, Array, Array]


@cache
def placed(content: bytes, dtype: np.dtype) -> Array:
    """A vector of NumPy's on the GPU.

    It stays there for good: a recorded graph may hold its address, and must not wait for the host.
    """
    return cupy().asarray(np.frombuffer(content, dtype))


def vector(values: Array, dtype: type = np.int64) -> Array:
    """An index vector, or one of shares, as the kernels take it."""
    if isinstance(values, np.ndarray):
        return placed(values.astype(dtype).tobytes(), np.dtype(dtype))
    return cupy().ascontiguousarray(values, dtype)


def axis(low: Array, high: Array, share: Array, dtype: type) -> Axis:
    """The vectors of a blend."""
    return vector(low), vector(high), vector(share, dtype)


def pick(x: Array, rows: Array, columns: Array) -> Array:
    """y (planes, OH, OW) from x (planes, H, W)."""
    rows, columns = vector(rows), vector(columns)
    if x.dtype not in REAL:
        return x[:, rows[:, None], columns]
    y = cupy().empty((len(x), len(rows), len(columns)), x.dtype)
    arrays = (cupy().ascontiguousarray(x), rows, columns, y)
    launch_over("resample", "pick", x.dtype, y.size, *arrays, *x.shape[1:], *y.shape[1:])
    return y


def pick_gradient(dy: Array, rows: Array, columns: Array, size: tuple[int, int]) -> Array:
    """dx (planes, H, W) of the size (H, W)."""
    rows, columns = vector(rows), vector(columns)
    return gathered("pick_gradient", dy, (rows, columns), (rows, rows, columns, columns), size)


def blend(x: Array, down: Axis, across: Axis) -> Array:
    """y (planes, OH, OW) from x (planes, H, W); down and across are (low, high, share)."""
    y = cupy().empty((len(x), len(down[0]), len(across[0])), x.dtype)
    arrays = (cupy().ascontiguousarray(x), *axis(*down, x.dtype), *axis(*across, x.dtype), y)
    launch_over("resample", "blend", x.dtype, y.size, *arrays, *x.shape[1:], *y.shape[1:])
    return y


def blend_gradient(dy: Array, down: Axis, across: Axis, size: tuple[int, int]) -> Array:
    """dx (planes, H, W) of the size (H, W)."""
    down, across = axis(*down, dy.dtype), axis(*across, dy.dtype)
    return gathered("blend_gradient", dy, (*down, *across), (*down[:2], *across[:2]), size)


def gathered(name: str, dy: Array, vectors: tuple, ends: tuple, size: tuple[int, int]) -> Array:
    """The gradient by this kernel; `ends` are low and high down, low and high across."""
    if not dy.size:
        return cupy().zeros((len(dy), *size), dy.dtype)
    (H, W), (_, OH, OW) = size, dy.shape
    spans = cupy().empty(2 * (H + W), "int32")
    launch("resample", "spans", dy.dtype, (2,), (1024,), (*ends, spans, OH, OW, H, W))
    dx = cupy().empty((len(dy), H, W), dy.dtype)
    arrays = (cupy().ascontiguousarray(dy), *vectors, spans, dx)
    lanes = lanes_for(-(-OH // H) * -(-OW // W))
    launch_groups("resample", name, arrays, (H, W, OH, OW), lanes, dx.size)
    return dx
