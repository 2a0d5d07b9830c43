"""Layers as functions, with PyTorch's names and arguments; `minicnn.nn` joins them to their parameters."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from minicnn import ops
from minicnn.kernels.geometry import Window
from minicnn.nn.arguments import check_reduction, check_smoothing, check_tensors, integer, pair, probability
from minicnn.random import generator
from minicnn.tensor import Tensor, apply

Size = int | tuple[int, int]


# convolution and linear maps


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Two-dimensional convolution (cross-correlation, as everywhere in deep learning).

    Parameters
    ----------
    input : Tensor (N, C, H, W) or (C, H, W)
        Pictures, or one.
    weight : Tensor (O, C / groups, KH, KW)
        Filters.
    bias : Tensor (O), optional
        Added to each output channel.
    stride, dilation : int or (int, int)
        Steps between windows, and between the taps of one; down and across.
    padding : int, (int, int), "same" or "valid"
        Zeros around the picture. "same" keeps its size (with stride 1); where that takes an odd number of
        rows or columns, the one more is at the bottom or right. "valid" is 0.
    groups : int
        Into how many groups the channels are divided that do not see each other.

    Returns
    -------
    Tensor (N, O, OH, OW) or (O, OH, OW)

    Raises
    ------
    RuntimeError
        Shapes, dtypes or numbers that do not fit.
    TypeError
        Something else than Tensors or ints.
    """
    check_tensors("conv2d", input=input, weight=weight)
    if bias is not None:
        check_tensors("conv2d", bias=bias)
    if input.ndim not in (3, 4) or weight.ndim != 4:
        raise RuntimeError(
            "conv2d: expected input (N, C, H, W) or (C, H, W) and weight (O, C/groups, KH, KW), "
            f"got {input.shape} and {weight.shape}"
        )
    kernel = pair("conv2d", "the kernel's size", weight.shape[2:], 1)
    down_across = pair("conv2d", "stride", stride, 1)
    apart = pair("conv2d", "dilation", dilation, 1)
    sides = conv_padding("conv2d", padding, kernel, down_across, apart)
    window = Window(kernel, down_across, sides, apart)
    groups = integer("conv2d", "groups", groups, 1)
    return batched(lambda x: apply(ops.Conv2d, x, weight, bias, window=window, groups=groups), input)


def conv_padding(
    name: str,
    padding: Any,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    error: type[Exception] = RuntimeError,
) -> tuple[int, int, int, int]:
    """Cells at the top, bottom, left and right, from any form of the argument `padding`."""
    if not isinstance(padding, str):
        down, across = pair(name, "padding", padding, 0, error)
        return down, down, across, across
    if padding == "valid":
        return 0, 0, 0, 0
    if padding != "same":
        raise error(f'{name}: expected padding as numbers, "same" or "valid", got {padding!r}')
    if stride != (1, 1):
        raise error(f'{name}: padding="same" is for stride 1, got stride {stride}')
    tall, wide = ((k - 1) * d for k, d in zip(kernel, dilation, strict=True))
    return tall // 2, tall - tall // 2, wide // 2, wide - wide // 2


def batched(function: Callable[[Tensor], Tensor], input: Tensor) -> Tensor:
    """Apply a function of (N, C, H, W) also to a single picture (C, H, W)."""
    return function(input.unsqueeze(0)).squeeze(0) if input.ndim == 3 else function(input)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias: (..., in) and weight (out, in), bias (out) give (..., out)."""
    check_tensors("linear", input=input, weight=weight)
    if bias is not None:
        check_tensors("linear", bias=bias)
    return apply(ops.Linear, input, weight, bias)


# pooling


def max_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest value in each window of input (N, C, H, W) or (C, H, W).

    Parameters
    ----------
    kernel_size, stride, padding, dilation : int or (int, int)
        Of the window, down and across; the stride is the window's size unless given. Padding never wins.
    ceil_mode : bool
        Also take a last window that sticks out at the bottom or right.
    """
    window = pool_window("max_pool2d", kernel_size, stride, padding, dilation, ceil_mode)
    check_tensors("max_pool2d", input=input)
    return batched(lambda x: apply(ops.MaxPool2d, x, window=window), input)


def avg_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of input (N, C, H, W) or (C, H, W).

    Parameters
    ----------
    kernel_size, stride, padding : int or (int, int)
        Of the window, down and across; the stride is the window's size unless given.
    ceil_mode : bool
        Also take a last window that sticks out at the bottom or right.
    count_include_pad : bool
        Whether the zeros of the padding count in the mean.
    divisor_override : int, optional
        Divide the windows' sums by this number instead.
    """
    window = pool_window("avg_pool2d", kernel_size, stride, padding, 1, ceil_mode)
    check_tensors("avg_pool2d", input=input)
    if divisor_override == 0:
        raise RuntimeError("avg_pool2d: divisor_override must not be 0")
    settings = {"window": window, "count_include_pad": count_include_pad, "divisor": divisor_override or 0}
    return batched(lambda x: apply(ops.AvgPool2d, x, **settings), input)


def pool_window(
    name: str,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    error: type[Exception] = RuntimeError,
) -> Window:
    """The window of a pooling, from any form of its arguments."""
    kernel = pair(name, "kernel_size", kernel_size, 1, error)
    down_across = kernel if stride is None else pair(name, "stride", stride, 1, error)
    down, across = pair(name, "padding", padding, 0, error)
    apart = pair(name, "dilation", dilation, 1, error)
    return Window(kernel, down_across, (down, down, across, across), apart, ceil_mode)


# activations


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """The larger of each element and 0."""
    check_tensors("relu", input=input)
    return input.assign("relu", input.relu()) if inplace else input.relu()


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent of each element."""
    check_tensors("tanh", input=input)
    return input.tanh()


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x)) of each element."""
    check_tensors("sigmoid", input=input)
    return input.sigmoid()


def softmax(input: Tensor, dim: int) -> Tensor:
    """exp(x) / sum(exp(x)) along a dimension."""
    check_tensors("softmax", input=input)
    return input.softmax(dim)


def log_softmax(input: Tensor, dim: int) -> Tensor:
    """The logarithm of softmax, without its loss of digits."""
    check_tensors("log_softmax", input=input)
    return input.log_softmax(dim)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set each element to zero with probability p and scale the others by 1 / (1 - p), if training.

    Source: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014.
    """
    check_tensors("dropout", input=input)
    probability("dropout", p)
    if not training or p == 0:
        return input
    if input.dtype.kind != "f":
        raise RuntimeError(f"dropout: expected floating point numbers, got {input.dtype}")
    kept = generator().random(input.shape, np.float32) >= p
    mask = Tensor(kept * input.dtype.type(0 if p == 1 else 1 / (1 - p)))
    out = apply(ops.Mask, input, mask)
    return input.assign("dropout", out) if inplace else out


# losses


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy between softmax(input) and class indices.

    Parameters
    ----------
    input : Tensor (N, C), (N, C, d1, ...) or (C)
        Scores of the classes, before softmax.
    target : Tensor (N), (N, d1, ...) or ()
        Class indices, 0 to C - 1.
    weight : Tensor (C), optional
        What each class counts.
    ignore_index : int
        Targets with this value count nothing.
    reduction : "mean", "sum" or "none"
        The mean weighs each sample with its class's weight.
    label_smoothing : float
        The share of the target that is spread evenly over all classes.

    Returns
    -------
    Tensor () or, for "none", in the shape of target
    """
    check_smoothing("cross_entropy", label_smoothing)
    settings = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
    return over_rows("cross_entropy", ops.CrossEntropy, input, target, weight, reduction, settings)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-probabilities, input, of the target classes; arguments as for `cross_entropy`."""
    settings = {"ignore_index": ignore_index}
    return over_rows("nll_loss", ops.NegativeLogLikelihood, input, target, weight, reduction, settings)


def over_rows(
    name: str,
    function: Any,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    reduction: str,
    settings: dict,
) -> Tensor:
    """A loss of rows (N, C) and targets (N), for any number of dimensions."""
    check_tensors(name, input=input, target=target)
    if weight is not None:
        check_tensors(name, weight=weight)
    check_reduction(name, reduction)
    settings = {**settings, "reduction": reduction}
    if input.ndim == 2 and target.ndim == 1:
        return apply(function, input, target, weight, **settings)
    classes = input.shape[min(input.ndim - 1, 1)] if input.ndim else 0
    places = (*input.shape[:1], *input.shape[2:]) if input.ndim > 1 else ()
    if not input.ndim or target.shape not in (places, places or (1,)):
        raise RuntimeError(
            f"{name}: expected input (N, C, d1, ...) and class indices (N, d1, ...), or (C) and (), "
            f"got {input.shape} and {target.shape}"
        )
    rows = input.movedim(1, -1) if input.ndim > 2 else input
    out = apply(function, rows.reshape(-1, classes), target.reshape(-1), weight, **settings)
    return out.reshape(places) if reduction == "none" else out


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The squares of input - target; warns where their shapes differ and broadcast."""
    check_tensors("mse_loss", input=input, target=target)
    check_reduction("mse_loss", reduction)
    if input.shape != target.shape:
        message = f"mse_loss: input {input.shape} and target {target.shape} differ in shape and are broadcast"
        warnings.warn(message, UserWarning, stacklevel=2)
    difference = input - target
    square = difference * difference
    return square if reduction == "none" else square.sum() if reduction == "sum" else square.mean()
