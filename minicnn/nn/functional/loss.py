"""Losses over classes."""

from typing import Any

from minicnn import ops
from minicnn.device import check_same
from minicnn.nn.arguments import check_floats, check_reduction, check_smoothing, check_tensors, old_reduction
from minicnn.tensor import Tensor, apply_to_one


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy between softmax(input) and classes, given as indices or as probabilities.

    Parameters
    ----------
    input : Tensor (N, C), (N, C, d1, ...) or (C)
        Scores of the classes, before softmax.
    target : Tensor (N), (N, d1, ...) or ()
        Class indices, 0 to C - 1; or the classes' probabilities, in the shape of input.
    weight : Tensor (C), optional
        What each class counts.
    size_average, reduce : bool, optional
        Old names of reductions.
    ignore_index : int
        Targets with this value count nothing; only for indices.
    reduction : "mean", "sum" or "none"
        The mean weighs each sample with its class's weight; that over probabilities does not.
    label_smoothing : float
        The share of the target that is spread evenly over all classes.

    Returns
    -------
    Tensor () or, for "none", in the shape of the class indices
    """
    if label_smoothing != 0:
        check_smoothing("cross_entropy", label_smoothing)
    if size_average is not None or reduce is not None:
        reduction = old_reduction(size_average, reduce, reduction)
    if not (type(input) is type(target) is Tensor):
        check_tensors("cross_entropy", input=input, target=target)
    if target.array.dtype.kind == "f" and input.array.shape == target.array.shape:
        return of_probabilities(input, target, weight, ignore_index, reduction, label_smoothing)
    settings = ignore_index, label_smoothing, reduction
    return over_rows("cross_entropy", ops.CrossEntropy, input, target, weight, settings)


def of_probabilities(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> Tensor:
    """Cross-entropy with the probabilities of the classes, which share dimension 1 (or 0 of one)."""
    check_reduction("cross_entropy", reduction)
    check_floats("cross_entropy", input=input)
    if ignore_index >= 0:
        raise RuntimeError(f"cross_entropy: ignore_index {ignore_index} needs class indices as the target")
    dim = min(input.ndim - 1, 1)
    classes = input.shape[dim] if input.ndim else 1
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    if weight is not None:
        check_tensors("cross_entropy", weight=weight)
        if weight.shape != (classes,):
            raise RuntimeError(
                f"cross_entropy: expected a weight for each of {classes} classes, got shape {weight.shape}"
            )
        target = target * weight.reshape(classes, *[1] * (input.ndim - 1 - dim))
    losses = -(input.log_softmax(dim) * target)
    if reduction == "none":
        return losses.sum(dim)
    places = input.numel() / classes if classes else 0
    return losses.sum() if reduction == "sum" else losses.sum() / places


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-probabilities, input, of the target classes; arguments as for `cross_entropy`."""
    reduction = old_reduction(size_average, reduce, reduction)
    check_tensors("nll_loss", input=input, target=target)
    return over_rows("nll_loss", ops.NegativeLogLikelihood, input, target, weight, (ignore_index, reduction))


def over_rows(
    name: str,
    function: Any,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    settings: tuple,
) -> Tensor:
    """A loss of rows (N, C) and targets (N), for more dimensions, too; the last setting is the reduction."""
    if weight is not None:
        check_tensors(name, weight=weight)
    scores, classes_of, weights = input.array, target.array, None if weight is None else weight.array
    if type(classes_of) is not type(scores) or weights is not None:
        check_same(name, ("input", "target", "weight"), (scores, classes_of, weights))
    check_reduction(name, settings[-1])
    if scores.ndim == 2 and classes_of.ndim == 1:
        return apply_to_one(function, input, (classes_of, weights, *settings))
    classes = input.shape[min(input.ndim - 1, 1)] if input.ndim else 0
    places = (*input.shape[:1], *input.shape[2:]) if input.ndim > 1 else ()
    if not input.ndim or target.shape not in (places, places or (1,)):
        raise RuntimeError(
            f"{name}: expected input (N, C, d1, ...) and class indices (N, d1, ...), or (C) and (), "
            f"got {input.shape} and {target.shape}"
        )
    rows = input.movedim(1, -1) if input.ndim > 2 else input
    how = target.reshape(-1).array, weights, *settings
    out = apply_to_one(function, rows.reshape(-1, classes), how)
    return out.reshape(places) if settings[-1] == "none" else out
