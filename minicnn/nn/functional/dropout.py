"""Dropout: of elements, of channels, of whole branches."""

import math

from minicnn import ops
from minicnn.nn.arguments import check_floats, check_tensors, probability
from minicnn.random import source
from minicnn.tensor import Tensor, apply_to_one


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set each element to zero with probability p and scale the others by 1 / (1 - p), if training.

    Source: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014.
    """
    check_tensors("dropout", input=input)
    return dropped("dropout", input, input.shape, probability("dropout", p), training, inplace)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of signals (N, C, L) or one (C, L)."""
    check_tensors("dropout1d", input=input)
    if input.ndim not in (2, 3):
        raise RuntimeError(f"dropout1d: expected input (N, C, L) or (C, L), got {input.shape}")
    whole = (*input.shape[:-1], 1)
    return dropped("dropout1d", input, whole, probability("dropout1d", p), training, inplace)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of pictures (N, C, H, W); as in PyTorch, three dimensions are (N, C, L).

    Source: Tompson et al., Efficient object localization using convolutional networks, 2015.
    """
    check_tensors("dropout2d", input=input)
    if input.ndim < 2:
        raise RuntimeError(f"dropout2d: expected at least 2 dimensions, (N, C, H, W), got {input.shape}")
    whole = (*input.shape[:2], *[1] * (input.ndim - 2))
    return dropped("dropout2d", input, whole, probability("dropout2d", p), training, inplace)


def stochastic_depth(input: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """Set whole samples to zero with probability p and scale the others by 1 / (1 - p), if training.

    For the branch of a residual block, which is so left out.

    Parameters
    ----------
    input : Tensor (N, ...)
    p : float
        The probability.
    mode : "row" or "batch"
        Draw for each sample, or once for all.

    Source: Huang et al., Deep networks with stochastic depth, 2016.
    """
    check_tensors("stochastic_depth", input=input)
    probability("stochastic_depth", p)
    if mode not in ("batch", "row"):
        raise ValueError(f'stochastic_depth: expected mode "batch" or "row", got {mode!r}')
    rows = input.shape[:1] if mode == "row" else (1,)
    whole = (*rows, *[1] * (input.ndim - 1))
    return dropped("stochastic_depth", input, whole, p, training)


def dropped(
    name: str, input: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool = False
) -> Tensor:
    """Dropout in which all numbers share a fate that a mask of this shape, broadcast, gives the same factor.

    The shape is that of the input up to some dimension, and 1 from there on, or 1 all through.
    """
    if not training or p == 0:
        return input
    check_floats(name, input=input)
    together = max(input.array.size // max(math.prod(shape), 1), 1)
    out = apply_to_one(ops.Dropout, input, (together, p, source))
    return input.assign(name, out) if inplace else out
