"""Tensors: arrays that remember how they were computed."""

from minicnn.tensor.apply import apply
from minicnn.tensor.arithmetic import matmul
from minicnn.tensor.creation import (
    arange,
    empty,
    from_numpy,
    full,
    ones,
    ones_like,
    rand,
    randint,
    randn,
    randperm,
    tensor,
    zeros,
    zeros_like,
)
from minicnn.tensor.elementwise import maximum, minimum
from minicnn.tensor.shape import cat, stack, where
from minicnn.tensor.tensor import Tensor

__all__ = [
    "Tensor", "apply", "arange", "cat", "empty", "from_numpy", "full", "matmul", "maximum", "minimum",
    "ones", "ones_like", "rand", "randint", "randn", "randperm", "stack", "tensor", "where", "zeros",
    "zeros_like",
]  # fmt: skip
