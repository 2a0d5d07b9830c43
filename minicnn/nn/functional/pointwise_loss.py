"""Losses that compare element with element: of numbers, and of probabilities."""

import warnings
from typing import Any

from minicnn import ops
from minicnn.nn.arguments import (
    REDUCTIONS,
    check_floats,
    check_number,
    check_reduction,
    check_tensors,
    old_reduction,
)
from minicnn.tensor import Tensor, apply


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The squares of input - target; warns where their shapes differ and broadcast.

    Parameters
    ----------
    input, target : Tensor
        Of one shape.
    size_average, reduce : bool, optional
        Old names of reductions, here and in all losses.
    reduction : "mean", "sum" or "none"
        What to make of the elements' losses.
    weight : Tensor, optional
        What each element counts, in the shape of both; the mean is over the sum of it.
    """
    reduction = old_reduction(size_average, reduce, reduction)
    difference = gap("mse_loss", input, target, reduction)
    return weighed("mse_loss", difference * difference, weight, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The absolute values of input - target; arguments are those of `mse_loss`."""
    reduction = old_reduction(size_average, reduce, reduction)
    return weighed("l1_loss", gap("l1_loss", input, target, reduction).abs(), weight, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """With d = |input - target|: d * d / (2 * beta) where d < beta, and d - beta / 2 beyond.

    Source: Girshick, Fast R-CNN, 2015.
    """
    check_number("smooth_l1_loss", "beta", beta)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta must be at least 0, got {beta}")
    reduction = old_reduction(size_average, reduce, reduction)
    difference = gap("smooth_l1_loss", input, target, reduction)
    if beta == 0:
        return reduced(difference.abs(), reduction)
    return reduced(apply(ops.Huber, floating(difference), delta=beta, scale=1 / beta), reduction)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """With d = |input - target|: d * d / 2 where d <= delta, and delta * (d - delta / 2) beyond.

    As in PyTorch, the mean divides by the number of elements also where they have weights.
    """
    check_number("huber_loss", "delta", delta)
    if delta <= 0:
        raise RuntimeError(f"huber_loss: delta must be above 0, got {delta}")
    difference = floating(gap("huber_loss", input, target, reduction))
    losses = apply(ops.Huber, difference, delta=delta)
    if weight is not None:
        losses = weighed("huber_loss", losses, weight, "none")
    return reduced(losses, reduction)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Cross-entropy of probabilities and targets from 0 to 1, in one shape; logarithms stop at -100.

    Parameters
    ----------
    input : Tensor
        Probabilities; `binary_cross_entropy_with_logits` takes scores and keeps more digits.
    target : Tensor
        In the shape of input.
    weight : Tensor, optional
        Times the elements' losses; broadcast.
    reduction : "mean", "sum" or "none"
        What to make of the elements' losses.
    """
    name = "binary_cross_entropy"
    reduction = old_reduction(size_average, reduce, reduction)
    same_kind(name, input, target, reduction)
    losses = apply(ops.BinaryCrossEntropy, input, target)
    return reduced(losses if weight is None else losses * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of sigmoid(input) and targets from 0 to 1, in one shape.

    Parameters
    ----------
    input : Tensor
        Scores, before the sigmoid.
    target : Tensor
        In the shape of input.
    weight : Tensor, optional
        Times the elements' losses; broadcast.
    reduction : "mean", "sum" or "none"
        What to make of the elements' losses.
    pos_weight : Tensor, optional
        How much positive targets count; broadcast, so mostly one number a class.
    """
    name = "binary_cross_entropy_with_logits"
    reduction = old_reduction(size_average, reduce, reduction)
    same_kind(name, input, target, reduction)
    if pos_weight is not None:
        check_floats(name, pos_weight=pos_weight)
        try:
            pos_weight = pos_weight.expand(input.shape)
        except RuntimeError:
            raise RuntimeError(
                f"{name}: pos_weight {pos_weight.shape} does not broadcast to input {input.shape}"
            ) from None
    losses = apply(ops.BinaryCrossEntropyWithLogits, input, target, pos_weight)
    return reduced(losses if weight is None else losses * weight, reduction)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """The divergence of Kullback and Leibler: target * (log(target) - input).

    Parameters
    ----------
    input : Tensor
        Log-probabilities.
    target : Tensor
        Probabilities, or their logarithms if log_target.
    reduction : "batchmean", "sum", "mean" or "none"
        "batchmean" divides the sum by the size of the batch, as the definition has it; "mean" divides by the
        number of elements, and warns.
    """
    reduction = old_reduction(size_average, reduce, reduction)
    if reduction == "mean":
        message = 'kl_div: reduction="mean" divides by all elements; "batchmean" is the KL divergence'
        warnings.warn(message, UserWarning, stacklevel=2)
    check_reduction("kl_div", reduction, (*REDUCTIONS, "batchmean"))
    check_floats("kl_div", input=input, target=target)
    difference = input - target  # broadcasts, or says why not
    pair = (x.expand(difference.shape) for x in (input, target))
    losses = apply(ops.KLDivergence, *pair, log_target=log_target)
    if reduction == "batchmean":
        return losses.sum() / (input.shape[0] if input.ndim else 1)
    return reduced(losses, reduction)


def gap(name: str, input: Tensor, target: Tensor, reduction: str) -> Tensor:
    """input - target; warns where their shapes differ and broadcast."""
    check_tensors(name, input=input, target=target)
    check_reduction(name, reduction)
    if input.shape != target.shape:
        message = f"{name}: input {input.shape} and target {target.shape} differ in shape and are broadcast"
        warnings.warn(message, UserWarning, stacklevel=3)
    return input - target


def floating(x: Tensor) -> Tensor:
    """Integers as float32, other Tensors as they are."""
    return x if x.dtype.kind == "f" else x.float()


def same_kind(name: str, input: Tensor, target: Tensor, reduction: str) -> None:
    """Raise unless input and target have one shape and one floating point dtype."""
    check_floats(name, input=input, target=target)
    check_reduction(name, reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"{name}: expected input and target in one shape, got {input.shape} and {target.shape}"
        )
    if input.dtype != target.dtype:
        raise RuntimeError(
            f"{name}: expected input and target of one dtype, got {input.dtype} and {target.dtype}"
        )


def weighed(name: str, losses: Tensor, weight: Any, reduction: str) -> Tensor:
    """The reduction of losses that count what `weight` says, if given; the mean is over its sum."""
    if weight is None:
        return reduced(losses, reduction)
    check_tensors(name, weight=weight)
    if weight.shape != losses.shape:
        raise ValueError(f"{name}: expected weight in the shape {losses.shape}, got {weight.shape}")
    losses = losses * weight
    return losses.sum() / weight.sum() if reduction == "mean" else reduced(losses, reduction)


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """The losses themselves, their sum or their mean."""
    return losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.mean()
