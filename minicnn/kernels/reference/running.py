"""What a layer of batch normalisation remembers of its batches, as the definition."""

from typing import Any

import numpy as np

__all__ = ["batch_norm_update_and_invert"]


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
    """rstd (C) = 1 / sqrt(var + eps); running statistics (C) move towards mean and var (C), in place.

    running = (1 - momentum) * running + momentum * batch's, where the variance is that of a sample of `count`
    numbers, divided by count - 1. `batches` () of int64 is counted up first; with a momentum of None it is
    1 / batches, which makes the mean over all of them.
    """
    if batches is not None:
        batches += 1
    share: Any = 1 / batches.item() if batches is not None and momentum is None else momentum
    rstd = np.empty_like(var)
    for c in range(len(var)):
        if running_mean is not None and running_var is not None:
            spread = var[c] * (count / max(count - 1, 1))
            running_mean[c] = (1 - share) * running_mean[c] + share * mean[c]
            running_var[c] = (1 - share) * running_var[c] + share * spread
        rstd[c] = 1 / np.sqrt(var[c] + eps)
    return rstd
