"""What a layer of batch normalisation remembers of its batches: one launch for all of it."""

from typing import Any

from minicnn.kernels.cuda.launch import cupy, launch

__all__ = ["batch_norm_update_and_invert"]

Array = Any  # of CuPy
THREADS = 256


def batch_norm_update_and_invert(
    mean: Array,
    var: Array,
    running_mean: Array | None,
    running_var: Array | None,
    batches: Array | None,
    momentum: float | None,
    eps: float,
    count: int,
) -> Array:
    """rstd (C); running statistics and the number of batches change in place, as the reference says."""
    xp, running = cupy(), (running_mean, running_var)
    rstd = xp.empty(var.shape, var.dtype)
    rows = [None if a is None else xp.ascontiguousarray(a) for a in (mean, var, *running)]
    share = -1.0 if momentum is None else float(momentum)
    settings = 1 - share, share, count / max(count - 1, 1), float(eps)
    arguments = *rows, batches, rstd, *settings, len(var)
    launch("running", "update_and_invert", var.dtype, (1,), (THREADS,), arguments)
    for array, row in zip(running, rows[2:], strict=True):
        if array is not row:  # a copy, as it lies in memory otherwise
            array[...] = row  # type: ignore[index]
    return rstd
