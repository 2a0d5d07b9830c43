"""Normalisation: sums over channels in one launch and a small second one, groups in one launch each way."""

from typing import Any

from minicnn.kernels.cuda.launch import cupy, launch, launch_over

__all__ = [
    "batch_norm", "batch_norm_gradient", "batch_norm_statistics", "group_norm", "group_norm_gradient",
]  # fmt: skip

Array = Any  # of CuPy

THREADS, HELD = 256, 8  # as in norm.cu
BLOCKS = 512  # are enough to keep the memory of a large GPU busy
LEAST = 32  # numbers a thread should have to sum before a channel is cut into slices
MOST_SLICES = 64  # of a channel: one thread joins them
SECTOR = 8  # numbers that a GPU reads from memory at a time, in float32


def contiguous(*arrays: Array | None) -> list[Array | None]:
    """The arrays as they must lie in memory for a kernel."""
    return [None if a is None else cupy().ascontiguousarray(a) for a in arrays]


def slicing(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Channels of a block, numbers of a slice, and slices of a channel, for x (N, C, P)."""
    N, C, P = shape
    width = 1 if P >= SECTOR else 32
    blocks, tall = -(-C // width), THREADS // width
    slices = max(1, min(BLOCKS // blocks, N * P // (tall * LEAST), MOST_SLICES))
    share = -(-N * P // slices)
    return width, share, -(-N * P // share)


def over_places(shape: tuple[int, int, int]) -> tuple[int, int]:
    """The grid of a kernel whose threads stay at one of C*P places and go through the samples."""
    N, C, P = shape
    blocks = -(-C * P // THREADS)
    return blocks, min(N, max(1, 4 * BLOCKS // max(blocks, 1)))


def teams(groups: int, F: int) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Grid and block for groups of F numbers: a warp each, or a block with registers for all."""
    team = 32
    while team * HELD < F and team < 1024:
        team *= 2
    rows = 8 if team == 32 else 1
    return (-(-groups // rows),), (team, rows)


def channel_sums(dy: Array, x: Array, mean: Array, rstd: Array, G: int, size: int) -> tuple[Array, Array]:
    """dweight and dbias (C); the mean and rstd of channel c of sample n stand at n*G + c // size."""
    xp, (N, C, P) = cupy(), x.shape
    if x.size == 0:
        return xp.zeros(C, x.dtype), xp.zeros(C, x.dtype)
    width, share, slices = slicing(x.shape)
    dweight, dbias = partial = xp.empty((2, slices, C), x.dtype)
    arguments = dy, x, mean, rstd, dweight, dbias, N, C, P, G, size, width, share
    launch("norm", "channel_sums", x.dtype, (-(-C // width), slices), (THREADS,), arguments)
    if slices == 1:
        return dweight[0], dbias[0]
    dweight, dbias = xp.empty(C, x.dtype), xp.empty(C, x.dtype)
    launch_over("norm", "join_sums", x.dtype, C, partial[0], partial[1], dweight, dbias, slices)
    return dweight, dbias


def batch_norm_statistics(x: Array) -> tuple[Array, Array]:
    """mean and var (C) of x (N, C, P)."""
    xp, (N, C, P) = cupy(), x.shape
    if x.size == 0:
        return xp.full(C, xp.nan, x.dtype), xp.full(C, xp.nan, x.dtype)
    (x,) = contiguous(x)
    width, share, slices = slicing(x.shape)
    means, squares = xp.empty((slices, C), x.dtype), xp.empty((slices, C), x.dtype)
    arguments = x, means, squares, N, C, P, width, share
    launch("norm", "channel_moments", x.dtype, (-(-C // width), slices), (THREADS,), arguments)
    if slices == 1:
        return means[0], squares[0]
    mean, var = xp.empty(C, x.dtype), xp.empty(C, x.dtype)
    launch_over("norm", "join_moments", x.dtype, C, x, means, squares, mean, var, N * P, P, share, slices)
    return mean, var


def batch_norm(x: Array, weight: Array | None, bias: Array | None, mean: Array, rstd: Array) -> Array:
    """y (N, C, P), from x (N, C, P) and weight, bias, mean and rstd (C)."""
    y = cupy().empty(x.shape, x.dtype)
    arguments = *contiguous(x, weight, bias, mean, rstd), y, *x.shape
    launch("norm", "batch_norm", x.dtype, over_places(x.shape), (THREADS,), arguments)
    return y


def batch_norm_gradient(
    dy: Array, x: Array, weight: Array | None, mean: Array, rstd: Array, constant: bool
) -> tuple[Array, Array, Array]:
    """dx (N, C, P), dweight (C) and dbias (C); with `constant`, mean and rstd do not depend on x."""
    dx = cupy().empty(x.shape, dy.dtype)
    dy, x, weight, mean, rstd = contiguous(dy, x, weight, mean, rstd)
    dweight, dbias = channel_sums(dy, x, mean, rstd, G=0, size=1)
    arguments = dy, x, weight, mean, rstd, dweight, dbias, constant, dx, *x.shape
    launch("norm", "batch_norm_gradient", x.dtype, over_places(x.shape), (THREADS,), arguments)
    return dx, dweight, dbias


def group_norm(
    x: Array, weight: Array | None, bias: Array | None, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    """y (N, C, P), and mean and rstd (N, G), from x (N, C, P) and weight and bias (C)."""
    xp, (N, C, P) = cupy(), x.shape
    if x.size == 0:
        y, nan = xp.empty(x.shape, x.dtype), xp.full((N, groups), xp.nan, x.dtype)
        return y, nan, nan.copy()
    x, weight, bias = contiguous(x, weight, bias)
    y, mean, rstd = xp.empty(x.shape, x.dtype), *(xp.empty((N, groups), x.dtype) for _ in range(2))
    grid, block = teams(N * groups, C // groups * P)
    arguments = x, weight, bias, float(eps), y, mean, rstd, N * groups, groups, C // groups, P
    launch("norm", "group_norm", x.dtype, grid, block, arguments)
    return y, mean, rstd


def group_norm_gradient(
    dy: Array, x: Array, weight: Array | None, mean: Array, rstd: Array
) -> tuple[Array, Array, Array]:
    """dx (N, C, P), dweight (C) and dbias (C)."""
    (N, C, P), G = x.shape, mean.shape[1]
    dx = cupy().empty(x.shape, dy.dtype)
    dy, x, weight, mean, rstd = contiguous(dy, x, weight, mean, rstd)
    if dx.size:
        grid, block = teams(N * G, C // G * P)
        arguments = dy, x, weight, mean, rstd, dx, N * G, G, C // G, P
        launch("norm", "group_norm_gradient", x.dtype, grid, block, arguments)
    return dx, *channel_sums(dy, x, mean, rstd, G=G, size=C // G)
