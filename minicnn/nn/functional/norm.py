"""Normalisation."""

import math
from collections.abc import Sequence
from typing import Any

from minicnn import ops
from minicnn.device import array_module
from minicnn.nn.arguments import check_tensors, integer
from minicnn.nn.functional.conv import conv2d
from minicnn.tensor import Tensor, apply, ones


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of input (N, C, ...) with mean 0 and variance 1, times weight (C) plus bias (C).

    Parameters
    ----------
    running_mean, running_var : Tensor (C) or None
        Statistics to use unless training; when training they move towards the batch's, by `momentum`.
    training : bool
        Whether to use the batch's own mean and variance.

    Source: Ioffe and Szegedy, Batch normalization, 2015.
    """
    return counted_batch_norm(input, running_mean, running_var, None, weight, bias, training, momentum, eps)


def counted_batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    batches: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float | None,
    eps: float,
) -> Tensor:
    """`batch_norm`, which counts batches () of int64, too; with a momentum of None all count the same."""
    check_given("batch_norm", input=input, weight=weight, bias=bias)
    running = check_running("batch_norm", running_mean, running_var, training)
    if training:
        more_than_one("batch_norm", input.shape, (*input.shape[:1], *input.shape[2:]))
    arrays = running_arrays(running, batches)
    settings = {"running": arrays, "batch": training, "momentum": momentum, "eps": eps}
    return apply(ops.BatchNorm, input, weight, bias, **settings)


def running_arrays(running: tuple[Tensor, Tensor] | None, batches: Tensor | None = None) -> Any:
    """What an operation takes as its running statistics."""
    count = None if batches is None else batches.array
    return None if running is None else (running[0].array, running[1].array, count)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of each sample of input (N, C, ...) with mean 0 and variance 1, weight and bias (C).

    The running statistics, if there are any, are as in `batch_norm`, from the mean over the samples.

    Source: Ulyanov et al., Instance normalization, 2016.
    """
    check_given("instance_norm", input=input, weight=weight, bias=bias)
    running = check_running("instance_norm", running_mean, running_var, use_input_stats)
    arrays = running_arrays(running)
    if not use_input_stats:
        settings = {"running": arrays, "batch": False, "eps": eps, "name": "instance_norm"}
        return apply(ops.BatchNorm, input, weight, bias, **settings)
    if input.ndim < 3:
        raise RuntimeError(f"instance_norm: expected input (N, C, ...), got {input.shape}")
    if math.prod(input.shape[2:]) == 1:
        raise ValueError(f"instance_norm: expected more than one place in each channel, got {input.shape}")
    return apply(ops.InstanceNorm, input, weight, bias, running=arrays, momentum=momentum, eps=eps)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each group of channels of each sample of input (N, C, ...) with mean 0 and variance 1.

    Source: Wu and He, Group normalization, 2018.
    """
    check_given("group_norm", input=input, weight=weight, bias=bias)
    groups = integer("group_norm", "num_groups", num_groups, 1)
    if input.ndim < 2:
        raise RuntimeError(f"group_norm: expected input (N, C, ...), got {input.shape}")
    more_than_one("group_norm", input.shape, (input.shape[0] * input.shape[1] // groups, *input.shape[2:]))
    return apply(ops.GroupNorm, input, weight, bias, groups=groups, eps=eps)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """The last dimensions of input together with mean 0 and variance 1, times weight plus bias.

    Parameters
    ----------
    normalized_shape : sequence of int
        The sizes of those dimensions, and the shape of weight and bias.

    Source: Ba et al., Layer normalization, 2016.
    """
    check_given("layer_norm", input=input, weight=weight, bias=bias)
    shape = sizes("layer_norm", normalized_shape)
    return apply(ops.LayerNorm, input, weight, bias, shape=shape, eps=eps)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """input / (k + alpha / size * the sum of squares over `size` neighbouring channels) ** beta.

    Source: Krizhevsky et al., ImageNet classification with deep convolutional neural networks, 2012.
    """
    check_tensors("local_response_norm", input=input)
    size = integer("local_response_norm", "size", size, 1)
    return apply(ops.LocalResponseNorm, input, size=size, alpha=alpha, beta=beta, k=k)


def sizes(name: str, shape: Any) -> tuple[int, ...]:
    """normalized_shape as a tuple of ints."""
    if not isinstance(shape, tuple | list):
        raise TypeError(f"{name}: expected normalized_shape as a sequence of ints, got {shape!r}")
    return tuple(integer(name, "normalized_shape", n, 0) for n in shape)


def check_given(name: str, **arguments: Tensor | None) -> None:
    """Raise TypeError unless all are Tensors; all but the input may be None."""
    check_tensors(name, **{r: x for r, x in arguments.items() if x is not None or r == "input"})


def check_running(
    name: str, mean: Tensor | None, var: Tensor | None, training: bool
) -> tuple[Tensor, Tensor] | None:
    """Both running statistics, or None."""
    if mean is None and var is None and training:
        return None
    if mean is None or var is None:
        raise RuntimeError(
            f"{name}: expected running_mean and running_var" + ("" if not training else ", or neither")
        )
    check_tensors(name, running_mean=mean, running_var=var)
    return mean, var


def more_than_one(name: str, shape: tuple[int, ...], counted: tuple[int, ...]) -> None:
    """Raise ValueError where a mean would be over one number."""
    if math.prod(counted) == 1:
        raise ValueError(f"{name}: expected more than one value per channel when training, got {shape}")


def local_contrast_norm(
    input: Tensor, size: int = 9, sigma: float | None = None, eps: float = 1e-4
) -> Tensor:
    """Subtractive, then divisive normalisation of input (N, C, H, W) by a Gaussian neighbourhood.

    With w the window over places and all channels, of sum 1 (at the edges, over the cells inside),

        v = x - sum of w x,   s = sqrt(sum of w v*v),   y = v / max(mean of s, s, eps).

    Parameters
    ----------
    size : int
        Rows and columns of the window, odd.
    sigma : float, optional
        Standard deviation of the Gaussian in cells; size / 4 unless given.
    eps : float
        The least to divide by.

    Source: Jarrett et al., What is the best multi-stage architecture for object recognition?, 2009, 2.1.
    """
    name = "local_contrast_norm"
    check_tensors(name, input=input)
    size = integer(name, "size", size, 1)
    sigma = size / 4 if sigma is None else sigma
    if input.ndim != 4 or not size % 2 or not sigma > 0:
        raise RuntimeError(
            f"{name}: expected input (N, C, H, W), an odd size and a sigma above 0, "
            f"got {input.shape}, {size} and {sigma}"
        )
    xp = array_module(input.array)
    bell = xp.exp(-0.5 * (xp.arange(-(size // 2), size // 2 + 1) / sigma) ** 2).astype(input.dtype)
    window = Tensor((bell[:, None] * bell)[None, None])
    everywhere = ones(1, 1, *input.shape[2:], dtype=input.dtype, device=input.device)
    inside = conv2d(everywhere, window, padding=size // 2)

    def average(x: Tensor) -> Tensor:
        return conv2d(x.mean(1, keepdim=True), window, padding=size // 2) / inside

    v = input - average(input)
    s = average(v * v).clamp(min=eps * eps).sqrt()
    return v / s.maximum(s.mean((2, 3), keepdim=True))
