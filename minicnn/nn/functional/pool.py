"""Pooling."""

from functools import lru_cache
from typing import Any

import numpy as np

from minicnn import ops
from minicnn.kernels.geometry import Window
from minicnn.nn.arguments import Size, batched, check_tensors, pair, remembered, row
from minicnn.tensor import Tensor, apply, apply_to_one


def max_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value in each window of input (N, C, H, W) or (C, H, W).

    Parameters
    ----------
    kernel_size, stride, padding, dilation : int or (int, int)
        Of the window, down and across; the stride is the window's size unless given. Padding never wins.
    ceil_mode : bool
        Also take a last window that sticks out at the bottom or right.
    return_indices : bool
        Whether to give a pair: the values, and where each was in its plane (h * W + w), int64.
    """
    window = remembered(pool_window, "max_pool2d", kernel_size, stride, padding, dilation, ceil_mode)
    if type(input) is not Tensor:
        check_tensors("max_pool2d", input=input)
    return with_places(ops.MaxPool2d, input, window) if return_indices else over(ops.MaxPool2d, input, window)


def over(function: Any, input: Tensor, how: Any) -> Tensor:
    """A pooling of (N, C, H, W), or of a single picture (C, H, W)."""
    if input.array.ndim == 3:
        return apply_to_one(function, input.unsqueeze(0), how).squeeze(0)
    return apply_to_one(function, input, how)


def with_places(function: Any, input: Tensor, how: Any) -> tuple[Tensor, Tensor]:
    """The values of a max pooling, and their places."""
    places: list = []
    out = batched(lambda x: apply(function, x, how, places=places), input)
    index = Tensor(places[0].astype(np.int64))
    return out, index.squeeze(0) if input.ndim == 3 else index


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
    window = remembered(pool_window, "avg_pool2d", kernel_size, stride, padding, 1, ceil_mode)
    check_tensors("avg_pool2d", input=input)
    if divisor_override == 0:
        raise RuntimeError("avg_pool2d: divisor_override must not be 0")
    return over(ops.AvgPool2d, input, (window, count_include_pad, divisor_override or 0))


@lru_cache(64, typed=True)
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
    if not isinstance(ceil_mode, bool):
        raise TypeError(f"{name}: expected ceil_mode as a bool, got {ceil_mode!r}")
    return Window(kernel, down_across, (down, down, across, across), apart, ceil_mode)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """The mean of each of OH x OW windows that share input (N, C, H, W) or (C, H, W) evenly.

    Parameters
    ----------
    output_size : int or (int or None, int or None)
        OH and OW; None keeps the input's.
    """
    check_tensors("adaptive_avg_pool2d", input=input)
    size = adaptive_size("adaptive_avg_pool2d", input, output_size)
    return over(ops.AdaptiveAvgPool2d, input, size)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest value in each of OH x OW windows that share input evenly; arguments as above.

    With `return_indices` a pair, as `max_pool2d` gives it.
    """
    check_tensors("adaptive_max_pool2d", input=input)
    size = adaptive_size("adaptive_max_pool2d", input, output_size)
    if return_indices:
        return with_places(ops.AdaptiveMaxPool2d, input, size)
    return over(ops.AdaptiveMaxPool2d, input, size)


def adaptive_size(name: str, input: Tensor, size: Any) -> tuple[int, int]:
    """OH and OW from any form of output_size."""
    sides = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2 or input.ndim not in (3, 4):
        kind = ValueError if isinstance(size, tuple | list) and input.ndim <= len(size) else RuntimeError
        raise kind(
            f"{name}: expected input (N, C, H, W) or (C, H, W) and one output_size or two, "
            f"got {input.shape} and {size!r}"
        )
    kept = (own if side is None else side for side, own in zip(sides, input.shape[-2:], strict=True))
    return pair(name, "output_size", tuple(kept), 0)


def max_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """`max_pool2d` of lines (N, C, L) or (C, L), as pictures of one row."""
    name = "max_pool1d"
    rows = as_rows(name, input)
    window = flat_window(name, kernel_size, stride, padding, dilation)
    out = max_pool2d(rows, *window, ceil_mode, return_indices)
    return (out[0].squeeze(-2), out[1].squeeze(-2)) if return_indices else out.squeeze(-2)


def avg_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """`avg_pool2d` of lines (N, C, L) or (C, L), as pictures of one row."""
    rows = as_rows("avg_pool1d", input)
    window = flat_window("avg_pool1d", kernel_size, stride, padding, 1)[:3]
    return avg_pool2d(rows, *window, ceil_mode, count_include_pad).squeeze(-2)


def adaptive_avg_pool1d(input: Tensor, output_size: Size) -> Tensor:
    """The mean of each of output_size windows that share lines (N, C, L) or (C, L) evenly."""
    rows = as_rows("adaptive_avg_pool1d", input)
    size = row("adaptive_avg_pool1d", "output_size", output_size, 1, 0)
    return adaptive_avg_pool2d(rows, (1, *size)).squeeze(-2)


def adaptive_max_pool1d(input: Tensor, output_size: Size, return_indices: bool = False) -> Any:
    """The largest value in each of output_size windows; as `adaptive_avg_pool1d`, or a pair."""
    rows = as_rows("adaptive_max_pool1d", input)
    size = row("adaptive_max_pool1d", "output_size", output_size, 1, 0)
    out = adaptive_max_pool2d(rows, (1, *size), return_indices)
    return (out[0].squeeze(-2), out[1].squeeze(-2)) if return_indices else out.squeeze(-2)


def as_rows(name: str, input: Tensor) -> Tensor:
    """Lines (N, C, L) or (C, L) as pictures of one row."""
    check_tensors(name, input=input)
    if input.ndim not in (2, 3):
        raise RuntimeError(f"{name}: expected input (N, C, L) or (C, L), got {input.shape}")
    return input.unsqueeze(-2)


def flat_window(
    name: str, kernel_size: Any, stride: Any, padding: Any, dilation: Any
) -> tuple[Size, Size, Size, Size]:
    """Kernel, stride, padding and dilation of a window that is one row tall."""
    (kernel,) = row(name, "kernel_size", kernel_size, 1, 1)
    (step,) = (kernel,) if stride is None else row(name, "stride", stride, 1, 1)
    (side,), (apart,) = row(name, "padding", padding, 1, 0), row(name, "dilation", dilation, 1, 1)
    return (1, kernel), (1, step), (0, side), (1, apart)
