"""Softmax and cross-entropy in one pass over the logits."""

import math
from functools import partial

import numpy as np

from minicnn.kernels.cpu.jit import jit

__all__ = ["cross_entropy"]


# not reassociated: log_total - (z - largest) must not become (log_total + largest) - z, which rounds
@partial(jit, fastmath={"contract"})
def rows(logits, target, weight, ignore_index, label_smoothing, losses, gradient):
    """Fill losses (N) and gradient (N, C); see the reference for the formulas."""
    N, C = logits.shape
    number = logits.dtype.type
    all_weights = weight.sum()
    for n in range(N):
        t, z, d = target[n], logits[n], gradient[n]
        if t == ignore_index:
            losses[n] = 0
            d[:] = 0
            continue
        largest = z.max()
        total, shifted = number(0), number(0)  # sum of exp(z - largest), and of weight * (z - largest)
        for c in range(C):
            d[c] = math.exp(z[c] - largest)
            total += d[c]
            shifted += weight[c] * (z[c] - largest)
        on_target, on_all = number(1 - label_smoothing) * weight[t], number(label_smoothing / C)
        log_total = math.log(total)
        losses[n] = on_target * (log_total - (z[t] - largest))
        if on_all > 0:  # a logit of -inf makes `shifted` infinite
            losses[n] += on_all * (all_weights * log_total - shifted)
        scale = (on_target + on_all * all_weights) / total
        for c in range(C):
            d[c] = d[c] * scale - on_all * weight[c]
        d[t] -= on_target


def cross_entropy(
    logits: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    ignore_index: int,
    label_smoothing: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Each row's loss (N) and gradient (N, C), from logits (N, C), classes (N) and weights (C) or None."""
    losses, gradient = np.empty(len(logits), logits.dtype), np.empty(logits.shape, logits.dtype)
    weight = (
        np.ones(logits.shape[1], logits.dtype)
        if weight is None
        else np.ascontiguousarray(weight, logits.dtype)
    )
    logits, target = np.ascontiguousarray(logits), np.ascontiguousarray(target, np.int64)
    rows(logits, target, weight, ignore_index, float(label_smoothing), losses, gradient)
    return losses, gradient
