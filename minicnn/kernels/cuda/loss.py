"""Softmax and cross-entropy, loss and gradient at once: one launch for a batch, three for many rows."""

from typing import Any

from minicnn.kernels.cuda.launch import BLOCK, cupy, launch

__all__ = ["cross_entropy"]

Array = Any  # of CuPy
WARP = 32
SMALL = 1 << 14  # logits that one block goes through in the time of a launch
MOST_THREADS = 1024  # of a block
MOST_BLOCKS = 1024  # and so many sums at the end
MOST_PARTS = BLOCK  # of the sum of weights


def cross_entropy(
    logits: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> tuple[Array, Array]:
    """Loss and gradient (N, C) from logits (N, C), classes (N) and weights (C) or None; see the reference.

    To raise an IndexError the host would have to wait for the device. So where a target is no class and not
    `ignore_index`, the loss is nan, and so is its row of the gradient.
    """
    xp, dtype, (N, C) = cupy(), logits.dtype, logits.shape
    gradient = xp.empty((N, C), dtype)
    mean, each = reduction == "mean", reduction == "none"
    loss = xp.empty(N if each else (), dtype)
    if each and not N:
        return loss, gradient
    lanes = min(WARP, 1 << max(C - 1, 0).bit_length())
    blocks, threads = 1, min(MOST_THREADS, WARP * max(-(-N * lanes // WARP), 1))
    if N * C > SMALL:
        blocks, threads = min(-(-N * lanes // BLOCK), MOST_BLOCKS), BLOCK
    rows = [xp.ascontiguousarray(target, xp.int64), None, xp.int64(ignore_index)]
    if weight is not None:
        rows[1] = xp.ascontiguousarray(weight, dtype)
    weights = sums = None
    parts = min(-(-N // BLOCK), MOST_PARTS)
    if blocks > 1 and mean:
        weights = xp.empty(parts, xp.float64)
        launch("loss", "weigh", dtype, (parts,), (BLOCK,), [*rows, N, C, weights])
    if blocks > 1 and not each:
        sums = xp.empty(blocks, xp.float64)
    smoothing = float(label_smoothing)
    settings = 1 - smoothing, smoothing / max(C, 1), mean, N, C, lanes, weights, parts
    results = (loss, None, None) if each else (None, sums, loss if sums is None else None)
    arguments = [xp.ascontiguousarray(logits), *rows, *settings, *results, gradient]
    launch("loss", "cross_entropy", dtype, (blocks,), (threads,), arguments)
    if sums is not None:
        launch("loss", "finish", dtype, (1,), (BLOCK,), [sums, blocks, weights, parts, loss])
    return loss, gradient
