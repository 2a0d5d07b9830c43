"""Softmax along the middle axis of an array (A, K, B)."""

from typing import Any

from minicnn.kernels.cuda.launch import BLOCK, cupy, launch

__all__ = ["softmax", "softmax_gradient"]

Array = Any  # of CuPy
WARP = 32


def softmax(x: Array, log: bool) -> Array:
    """y (A, K, B): exp(x) / sum of exp(x) along K, or with `log` its logarithm."""
    y = cupy().empty(x.shape, x.dtype)
    launch_columns("softmax", [cupy().ascontiguousarray(x), y], log)
    return y


def softmax_gradient(dy: Array, y: Array, log: bool) -> Array:
    """dx (A, K, B) = y (dy - sum of dy y), or with `log` dy - exp(y) sum of dy."""
    xp, dx = cupy(), cupy().empty(y.shape, y.dtype)
    launch_columns("softmax_gradient", [xp.ascontiguousarray(dy), xp.ascontiguousarray(y), dx], log)
    return dx


def launch_columns(name: str, arrays: list[Array], log: bool) -> None:
    """Start a kernel with a warp for each column of K numbers, or fewer threads where K is small or B > 1."""
    A, K, B = arrays[-1].shape
    lanes = min(WARP, 1 << max(K - 1, 0).bit_length()) if B == 1 else 1
    blocks = -(-A * B * lanes // BLOCK)
    launch(
        "softmax", name, arrays[-1].dtype, (blocks if K else 0,), (BLOCK,), [*arrays, log, lanes, A * B, K, B]
    )
