"""Sampling of pictures at any places; a cell gathers its gradient from lists of results, in order."""

from typing import Any

from minicnn.kernels.cuda.launch import cupy, launch, launch_over

__all__ = ["sample", "sample_gradient", "sample_place_gradient"]

Array = Any  # of CuPy

THREADS = 256
BLOCKS = 1024  # are enough to keep a large GPU busy


def sample(x: Array, rows: Array, columns: Array) -> Array:
    """y (N, C, OH, OW) from x (N, C, H, W) at rows and columns (N, OH, OW)."""
    xp, (_, C, H, W) = cupy(), x.shape
    y = xp.empty((*x.shape[:2], *rows.shape[1:]), x.dtype)
    if y.size:
        arrays = (xp.ascontiguousarray(a) for a in (x, rows, columns))
        blocks = -(-rows.size // THREADS)
        grid = blocks, min(C, -(-BLOCKS // blocks))
        arguments = *arrays, y, C, H, W, rows[0].size, rows.size
        launch("grid", "sample", x.dtype, grid, (THREADS,), arguments)
    return y


def sample_gradient(dy: Array, rows: Array, columns: Array, size: tuple[int, int]) -> Array:
    """dx (N, C, H, W) of the size (H, W)."""
    xp, (N, C, OH, OW), (H, W) = cupy(), dy.shape, size
    if not dy.size:
        return xp.zeros((N, C, H, W), dy.dtype)
    dx = xp.empty((N, C, H, W), dy.dtype)
    dy, rows, columns = (xp.ascontiguousarray(a) for a in (dy, rows, columns))
    first, following = xp.full((N, H + 1, W + 1), -1, "int32"), xp.empty((N, OH, OW), "int32")
    lists = rows, columns, first, following
    launch("grid", "list_results", dy.dtype, (N,), (32,), (*lists, H, W, OH * OW))
    launch_over("grid", "sample_gradient", dy.dtype, dx.size, dy, *lists, dx, C, H, W, OH * OW)
    return dx


def sample_place_gradient(dy: Array, x: Array, rows: Array, columns: Array) -> tuple[Array, Array]:
    """The gradients of rows and columns (N, OH, OW)."""
    xp, (_, C, H, W) = cupy(), x.shape
    dy, x, rows, columns = (xp.ascontiguousarray(a) for a in (dy, x, rows, columns))
    d_rows, d_columns = xp.empty(rows.shape, rows.dtype), xp.empty(columns.shape, columns.dtype)
    count = dy.shape[2] * dy.shape[3]
    arguments = dy, x, rows, columns, d_rows, d_columns, C, H, W, count
    launch_over("grid", "sample_place_gradient", x.dtype, rows.size, *arguments)
    return d_rows, d_columns
