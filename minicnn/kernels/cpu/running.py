"""What a layer of batch normalisation remembers of its batches, in one pass over the channels."""

import math
from typing import Any

import numpy as np

from minicnn.kernels.cpu.jit import jit

__all__ = ["batch_norm_update_and_invert"]


@jit
def invert(var, eps, rstd):
    for c in range(var.size):
        rstd[c] = 1 / math.sqrt(var[c] + eps)


@jit
def update(mean, var, running_mean, running_var, keep, share, correction):
    for c in range(mean.size):
        running_mean[c] = keep * running_mean[c] + share * mean[c]
        running_var[c] = keep * running_var[c] + share * (correction * var[c])


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
    if batches is not None:
        batches += 1
    if running_mean is not None:
        share: Any = 1 / batches.item() if batches is not None and momentum is None else momentum
        settings = number(1 - share), number(share), number(count / max(count - 1, 1))
        update(mean, var, running_mean, running_var, *settings)
    rstd = np.empty_like(var)
    invert(var, number(eps), rstd)
    return rstd
