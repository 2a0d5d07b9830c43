"""Softmax and cross-entropy as their definition."""

import math

import numpy as np

__all__ = ["cross_entropy"]


def cross_entropy(
    logits: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Loss and gradient (N, C) from logits (N, C), classes (N) and weights (C) or None.

    With p = softmax(z), the target t, weights w and smoothing e over C classes, each row has

        loss = -(1 - e) w[t] log p[t] - e/C sum over c of w[c] log p[c]
        dloss/dz = (1 - e) w[t] (p - onehot(t)) + e/C (sum(w) p - w)

    and both are 0 where the target is `ignore_index`. Any other that is no class is an IndexError.

    `reduction` "none" gives the losses (N), "sum" their sum as an array of no dimensions, and "mean" the sum
    over the sum of w[t], which divides the gradient too; of nothing, the loss is nan and the gradient 0.
    """
    N, C = logits.shape
    w = np.ones(C, logits.dtype) if weight is None else weight
    losses, gradient, total_weight = np.zeros(N, logits.dtype), np.zeros((N, C), logits.dtype), 0.0
    for n in range(N):
        t = int(target[n])
        if t == ignore_index:
            continue
        if not 0 <= t < C:
            raise IndexError(f"cross_entropy: target {t} is out of bounds for {C} classes (0 to {C - 1})")
        total_weight += float(w[t])
        largest = max(logits[n])  # softmax does not change when all logits shift, and exp cannot overflow
        log_sum = math.log(sum(math.exp(z - largest) for z in logits[n]))
        on_target, on_all = (1 - label_smoothing) * w[t], label_smoothing / C
        for c in range(C):
            log_p = logits[n, c] - largest - log_sum
            p = math.exp(log_p)
            share = on_target * (c == t) + on_all * w[c]
            losses[n] -= share * log_p if share else 0  # a masked class, log 0, counts only if it has a share
            gradient[n, c] = on_target * (p - (c == t)) + on_all * (sum(w) * p - w[c])
    if reduction == "none":
        return losses, gradient
    loss = float(sum(losses))
    if reduction == "mean":
        loss, scale = (loss / total_weight, 1 / total_weight) if total_weight else (math.nan, 0.0)
        gradient *= scale
    return np.array(loss, logits.dtype), gradient
