"""What a layer of batch normalisation remembers of its batches, in one pass over the channels."""

import math
from typing import Any

import numpy as np

from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.runner import run

__all__ = ["batch_norm_update_and_invert"]


@kernel
def invert(var, eps, rstd, begin, end):
    """rstd (C) = 1 / sqrt(var (C) + eps) for some channels."""
    for c in range(begin, end):
        rstd[c] = 1 / math.sqrt(var[c] + eps)


@kernel
def update(mean, var, running_mean, running_var, momentum, batches, correction, begin, end):
    """Some layers, of which there is one. A momentum of NaN is none: all batches count the same."""
    number = var.dtype.type
    for _ in range(begin, end):
        batches[:] += 1
        share = 1 / batches[0] if momentum != momentum else momentum
        keep, part = number(1 - share), number(share)
        for c in range(mean.size):
            running_mean[c] = keep * running_mean[c] + part * mean[c]
            running_var[c] = keep * running_var[c] + part * (correction * var[c])


def batch_norm_update_and_invert(
    mean: np.ndarray,
    var: np.ndarray,
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    batches: np.ndarray | None,
    momentum: float | None,
    eps: float,
    count: int,
) -> np.ndarray:
    """rstd (C); running statistics and the number of batches change in place, as the reference says."""
    number: Any = var.dtype.type
    if running_mean is not None and running_var is not None:
        counted = np.zeros(1, np.int64) if batches is None else batches.reshape(1)
        share = math.nan if momentum is None else float(momentum)
        settings = share, counted, number(count / max(count - 1, 1))
        run(update, 1, var.size, mean, var, running_mean, running_var, *settings)
    rstd = np.empty_like(var)
    run(invert, var.size, var.size, var, number(eps), rstd)
    return rstd
