"""From class indices to vectors."""

import numpy as np

from minicnn import ops
from minicnn.device import array_module, may_look
from minicnn.nn.arguments import check_floats, check_tensors
from minicnn.tape import looked
from minicnn.tensor import Tensor, apply


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Class indices (...) of int64 as (..., num_classes): 1 at the index, else 0.

    Without num_classes there are as many as the largest index needs.
    """
    check_tensors("one_hot", tensor=tensor)
    indices = tensor.array
    looked("counts classes")
    if indices.dtype != np.int64:
        raise RuntimeError(f"one_hot: expected class indices of int64, got {indices.dtype}")
    if num_classes < 0:
        if not indices.size:
            raise RuntimeError("one_hot: expected num_classes, for there is no class to count")
        num_classes = max(int(indices.max()) + 1, 0)
    if indices.size and may_look(indices) and not (indices.min() >= 0 and indices.max() < num_classes):
        raise RuntimeError(
            f"one_hot: expected class indices from 0 to {num_classes - 1}, "
            f"got {int(indices.min())} to {int(indices.max())}"
        )
    classes = array_module(indices).arange(num_classes)
    return Tensor((indices[..., None] == classes).astype(np.int64))


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """The rows of weight (V, D) that indices (...) name: (..., D).

    Parameters
    ----------
    input : Tensor (...)
        Integers from 0 to V - 1.
    weight : Tensor (V, D)
    padding_idx : int, optional
        A row that gets no gradient.
    """
    check_tensors("embedding", input=input)
    check_floats("embedding", weight=weight)
    if weight.ndim != 2:
        raise RuntimeError(f"embedding: expected weight (V, D), got {weight.shape}")
    rows = weight.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise AssertionError(f"embedding: padding_idx {padding_idx} is out of range for {rows} rows")
        padding_idx %= rows
    return apply(ops.Embedding, weight, input, padding=padding_idx)
