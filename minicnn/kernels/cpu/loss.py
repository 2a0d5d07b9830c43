"""Softmax and cross-entropy in one pass over the logits."""

from functools import lru_cache

import numpy as np

from minicnn.kernels.cpu.elementary import exp, log
from minicnn.kernels.cpu.graph import again, all_set
from minicnn.kernels.cpu.jit import inner
from minicnn.kernels.cpu.memory import result
from minicnn.kernels.cpu.rows import highest, total
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.cpu.softmax import exactly

__all__ = ["cross_entropy"]


@inner
def exponentials(z, largest, e):
    """e = exp(z - largest) for a row, and its sum. A NaN that `highest` has missed makes a NaN of it."""
    for k in range(z.size):
        e[k] = exp(z[k] - largest)
    return z.dtype.type(total(e))


@exactly
def rows(
    logits, target, weight, ignore_index, label_smoothing, mean, losses, gradient, loss, known, begin, end
):
    """Fill losses (N), gradient (N, C), and loss (1), their sum or mean; see the reference for the formulas.

    known (1) is whether all targets are classes; if not, nothing else is filled.
    """
    N, C = logits.shape
    number = logits.dtype.type
    total_weight = np.float64(0)
    known[0] = True
    for n in range(N):
        t = target[n]
        if t != ignore_index:
            if t < 0 or t >= C:
                known[0] = False
                return
            total_weight += weight[t]
    divisor = total_weight if mean else np.float64(1)
    share = number(1 / divisor if divisor != 0 else 0)  # of the mean that a row has
    all_weights = number(0)
    for c in range(C):
        all_weights += weight[c]
    whole = np.float64(0)
    for n in range(N):
        t, z, d = target[n], logits[n], gradient[n]
        if t == ignore_index:
            losses[n] = 0
            for c in range(C):
                d[c] = 0
            continue
        largest = highest(z)
        total = exponentials(z, largest, d)
        on_target, on_all = number(1 - label_smoothing) * weight[t], number(label_smoothing / C)
        log_total = log(total)
        losses[n] = on_target * (log_total - (z[t] - largest))
        if on_all > 0:  # a logit of -inf makes the sum infinite
            distances = np.float64(0)
            for c in range(C):
                distances += weight[c] * (z[c] - largest)
            losses[n] += on_all * number(all_weights * log_total - distances)
        scale = (on_target + on_all * all_weights) / total * share
        for c in range(C):
            d[c] = d[c] * scale - on_all * share * weight[c]
        d[t] -= on_target * share
        whole += losses[n]
    loss[0] = whole / divisor if divisor != 0 else np.nan


@lru_cache(32)
def ones(count: int, dtype: np.dtype) -> np.ndarray:
    """Weights that change nothing."""
    return np.ones(count, dtype)


def cross_entropy(
    logits: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Loss and gradient (N, C) from logits (N, C), classes (N) and weights (C) or None; see the reference."""
    N, C = logits.shape
    losses, gradient = result((N,), logits.dtype), result((N, C), logits.dtype)
    loss, known = result((1,), logits.dtype), result((1,), np.bool_)
    weight = ones(C, logits.dtype) if weight is None else again(np.ascontiguousarray, weight, logits.dtype)
    logits, classes = again(np.ascontiguousarray, logits), again(np.ascontiguousarray, target, np.int64)
    settings = ignore_index, float(label_smoothing), reduction == "mean"
    run(rows, 1, gradient.size, logits, classes, weight, *settings, losses, gradient, loss, known)
    if not all_set(known):
        wrong = next(t for t in classes if t != ignore_index and not 0 <= t < C)
        raise IndexError(f"cross_entropy: target {wrong} is out of bounds for {C} classes (0 to {C - 1})")
    return losses if reduction == "none" else loss.reshape(()), gradient
