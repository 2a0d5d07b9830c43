"""Gradients, from the results back to what they were computed from. Tensors come from the floor above."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn.autograd.graph import Function, note_write, one, walk
from minicnn.device import array_module, check_same, is_array


def backward(
    tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None, create_graph: bool = False
) -> None:
    """Add the gradients of Tensors to ``.grad`` of every leaf they were computed from.

    Parameters
    ----------
    tensors : Tensor or sequence of Tensor
        Where to start.
    grad_tensors : Tensor or sequence of Tensor, optional
        The gradient at each of them, in its shape; 1 for one of a single element.
    retain_graph : bool
        Keep the graph for another backward.

    Raises
    ------
    RuntimeError
        If one does not require grad, or has several elements and no gradient; if a part of the graph was
        freed before, or an array it needs was overwritten.
    """
    roots = starts("backward", tensors, grad_tensors, create_graph)

    def receive(target: Any, grad: Any, own: bool) -> None:
        leaf = target.keeper if isinstance(target, Function) else target
        if leaf is not None:
            accumulate(leaf, grad if own and leaf is target else grad.copy())

    walk(roots, receive, bool(retain_graph))


def accumulate(leaf: Any, grad: Any) -> None:
    """Add to leaf.grad; the first gradient becomes it."""
    if not leaf.tracked:
        return  # frozen since the forward pass
    if leaf._grad is None:
        leaf._grad = leaf.wrap(grad)
    else:
        leaf._grad.array += grad
        note_write(leaf._grad.array)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """The gradients of outputs with respect to inputs, summed over the outputs; no ``.grad`` changes.

    Parameters
    ----------
    outputs, inputs : Tensor or sequence of Tensor
        What was computed, and from what; an input may be a result itself.
    grad_outputs : Tensor or sequence of Tensor, optional
        The gradient at each output, in its shape; 1 for one of a single element.
    retain_graph : bool
        Keep the graph for another backward.
    only_inputs : bool
        True: other leaves get no gradient. Older programs say so; False is refused.
    allow_unused : bool
        Give None for an input that no output depends on, instead of an error.

    Returns
    -------
    tuple of Tensor
        One for each input, in its shape.
    """
    if not only_inputs:
        raise NotImplementedError("grad: only the inputs get gradients; leave only_inputs out")
    roots = starts("grad", outputs, grad_outputs, create_graph)
    wanted = listed(inputs)
    for x in wanted:
        if not x.requires_grad:
            raise RuntimeError("grad: one of the inputs does not require grad")
    targets = [x.node or x for x in wanted]
    found: dict[Any, Any] = dict.fromkeys(targets)

    def receive(target: Any, grad: Any, own: bool) -> None:
        if target in found:
            found[target] = grad if own else grad.copy()

    walk(roots, receive, bool(retain_graph))
    if not allow_unused and any(found[t] is None for t in targets):
        raise RuntimeError(
            "grad: the outputs do not depend on one of the inputs; allow_unused=True gives None"
        )
    return tuple(None if found[t] is None else x.wrap(found[t]) for x, t in zip(wanted, targets, strict=True))


def Variable(data: Any, requires_grad: bool = False) -> Any:  # noqa: N802 (PyTorch's name)
    """The Tensor as a leaf of its own, with the same memory; PyTorch's older programs wrap Tensors so."""
    return data.detach().requires_grad_(requires_grad)


def starts(name: str, tensors: Any, gradients: Any, create_graph: bool) -> list[tuple[Any, Any]]:
    """Pairs of a node or leaf and the gradient there."""
    if create_graph:
        raise NotImplementedError(f"{name}: gradients of gradients are not recorded; leave create_graph out")
    tensors = listed(tensors)
    gradients = [None] * len(tensors) if gradients is None else listed(gradients)
    if len(gradients) != len(tensors):
        raise RuntimeError(f"{name}: expected {len(tensors)} gradients, got {len(gradients)}")
    return [(x.node or x, start(name, x, g)) for x, g in zip(tensors, gradients, strict=True)]


def start(name: str, x: Any, gradient: Any) -> Any:
    """The gradient at a Tensor, as an array."""
    if not x.requires_grad:
        raise RuntimeError(
            f"{name}: this Tensor does not require grad, and neither does what it was computed from"
        )
    if gradient is None:
        if x.array.size != 1:
            raise RuntimeError(f"{name}: expected one element or a gradient, got shape {x.array.shape}")
        if x.array.ndim == 0 and x.node is not None and x.node.knows_one and not x.node.hooks:
            return one(x.array)
        return array_module(x.array).ones_like(x.array)
    gradient = getattr(gradient, "array", gradient)
    if not is_array(gradient):
        gradient = np.asarray(gradient)
    check_same(name, ("the Tensor", "its gradient"), (x.array, gradient))
    gradient = gradient.astype(x.array.dtype, copy=False)
    if gradient.shape != x.array.shape:
        raise RuntimeError(f"{name}: gradient has shape {gradient.shape}, the Tensor {x.array.shape}")
    return gradient


def listed(tensors: Any) -> Sequence[Any]:
    """One Tensor or several, as a sequence."""
    return tensors if isinstance(tensors, list | tuple) else [tensors]
