"""Losses that ask for a margin: of scores, and of distances. Targets are 1 and -1."""

from typing import Any

from minicnn.nn.arguments import check_floats, check_reduction, check_tensors, old_reduction
from minicnn.nn.functional.activation import logsigmoid, softplus
from minicnn.nn.functional.distance import pairwise_distance
from minicnn.nn.functional.pointwise_loss import reduced
from minicnn.tensor import Tensor


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin - target * (input1 - input2)): where the target is 1, input1 should rank higher.

    Parameters
    ----------
    input1, input2, target : Tensor
        Of as many dimensions each; their shapes broadcast.
    margin : float
        By how much.
    size_average, reduce : bool, optional
        Old names of reductions.
    reduction : "mean", "sum" or "none"
        What to make of the elements' losses.
    """
    name = "margin_ranking_loss"
    reduction = checked(name, size_average, reduce, reduction)
    check_tensors(name, input1=input1, input2=input2, target=target)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            f"{name}: expected Tensors of as many dimensions, "
            f"got {input1.shape}, {input2.shape} and {target.shape}"
        )
    return reduced((margin - target * (input1 - input2)).clamp_min(0), reduction)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The input, a distance, where the target is 1, and max(0, margin - input) where it is -1."""
    name = "hinge_embedding_loss"
    reduction = checked(name, size_average, reduce, reduction)
    check_tensors(name, input=input, target=target)
    apart, together = (margin - input).clamp_min(0), input
    return reduced(apart.masked_fill(target == 1, 0) + together.masked_fill(target == -1, 0), reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1; cos of (N, D) or two vectors (D).

    Parameters
    ----------
    input1, input2 : Tensor (N, D) or (D)
    target : Tensor (N) or ()
    margin : float
        From -1 to 1.
    """
    name = "cosine_embedding_loss"
    reduction = checked(name, size_average, reduce, reduction)
    check_floats(name, input1=input1, input2=input2)
    check_tensors(name, target=target)
    dim = target.ndim
    if dim > 1 or input1.ndim != dim + 1 or input2.ndim != dim + 1:
        raise RuntimeError(
            f"{name}: expected inputs (N, D) and target (N), or (D) and (), "
            f"got {input1.shape}, {input2.shape} and {target.shape}"
        )
    squares = ((x * x).sum(dim) + 1e-12 for x in (input1, input2))
    cosine = (input1 * input2).sum(dim) / (next(squares) * next(squares)).sqrt()
    losses = (1 - cosine).masked_fill(target != 1, 0)
    return reduced(losses + (cosine - margin).clamp_min(0).masked_fill(target != -1, 0), reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin + |anchor - positive| - |anchor - negative|) of vectors (N, D) or (D).

    Parameters
    ----------
    p, eps : float
        Of the distances; see `pairwise_distance`.
    swap : bool
        Take |positive - negative| instead of the second distance where it is smaller.

    Source: Balntas et al., Learning shallow convolutional feature descriptors with triplet losses, 2016.
    """
    name = "triplet_margin_loss"
    reduction = checked(name, size_average, reduce, reduction)
    check_tensors(name, anchor=anchor, positive=positive, negative=negative)
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            f"{name}: expected Tensors of as many dimensions, "
            f"got {anchor.shape}, {positive.shape} and {negative.shape}"
        )
    if margin <= 0:
        raise ValueError(f"{name}: margin must be above 0, got {margin}")
    near, far = (pairwise_distance(anchor, other, p, eps) for other in (positive, negative))
    if swap:
        far = far.minimum(pairwise_distance(positive, negative, p, eps))
    return reduced((near - far + margin).clamp_min(0), reduction)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-target * input)), for scores and targets in one shape."""
    reduction = checked("soft_margin_loss", size_average, reduce, reduction)
    check_floats("soft_margin_loss", input=input)
    check_tensors("soft_margin_loss", target=target)
    return reduced(softplus(-target * input, threshold=1e9), reduction)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Binary cross-entropy of scores (N, C) and targets 0 or 1, in the mean over the classes; weight (C)."""
    name = "multilabel_soft_margin_loss"
    reduction = checked(name, size_average, reduce, reduction)
    check_floats(name, input=input)
    check_tensors(name, target=target)
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    return reduced((losses if weight is None else losses * weight).mean(-1), reduction)


def checked(name: str, size_average: Any, reduce: Any, reduction: str) -> str:
    """The reduction, from all arguments that may name it."""
    reduction = old_reduction(size_average, reduce, reduction)
    check_reduction(name, reduction)
    return reduction
