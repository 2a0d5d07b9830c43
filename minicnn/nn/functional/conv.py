"""Convolution."""

from functools import lru_cache
from typing import Any

from minicnn import ops
from minicnn.kernels.geometry import Window
from minicnn.nn.arguments import Size, batched, check_tensors, integer, pair, remembered, row
from minicnn.tensor import Tensor, apply


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
    if not (type(input) is type(weight) is Tensor):
        check_tensors("conv2d", input=input, weight=weight)
    if bias is not None:
        check_tensors("conv2d", bias=bias)
    if input.array.ndim not in (3, 4) or weight.array.ndim != 4:
        raise RuntimeError(
            "conv2d: expected input (N, C, H, W) or (C, H, W) and weight (O, C/groups, KH, KW), "
            f"got {input.shape} and {weight.shape}"
        )
    window = remembered(conv_window, *weight.array.shape[2:], stride, padding, dilation)
    if groups != 1 or type(groups) is not int:
        groups = integer("conv2d", "groups", groups, 1)
    if input.array.ndim == 3:
        return conv2d(input.unsqueeze(0), weight, bias, stride, padding, dilation, groups).squeeze(0)
    return apply(ops.Conv2d, input, weight, bias, window=window, groups=groups)


@lru_cache(64, typed=True)
def conv_window(height: int, width: int, stride: Any, padding: Any, dilation: Any) -> Window:
    """The window of a convolution with filters of that size, from any form of its arguments."""
    kernel = pair("conv2d", "the kernel's size", (height, width), 1)
    steps = pair("conv2d", "stride", stride, 1)
    apart = pair("conv2d", "dilation", dilation, 1)
    if not isinstance(padding, str):
        padding = pair("conv2d", "padding", padding, 0)
    (top, bottom), (left, right) = conv_sides("conv2d", padding, kernel, steps, apart)
    return Window(kernel, steps, (top, bottom, left, right), apart)


def conv_sides(
    name: str,
    padding: tuple[int, ...] | str,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    error: type[Exception] = RuntimeError,
) -> list[tuple[int, int]]:
    """Cells before and after the picture in each dimension, from the argument `padding`."""
    if not isinstance(padding, str):
        return [(n, n) for n in padding]
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if padding != "same":
        raise error(f'{name}: expected padding as numbers, "same" or "valid", got {padding!r}')
    if any(step != 1 for step in stride):
        raise error(f'{name}: padding="same" is for stride 1, got stride {stride}')
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    return [(n // 2, n - n // 2) for n in reach]


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """The transpose of `conv2d`: what its gradient does to pictures; it makes them larger by the stride.

    Parameters
    ----------
    input : Tensor (N, C, H, W) or (C, H, W)
    weight : Tensor (C, O / groups, KH, KW)
    bias : Tensor (O), optional
    stride, padding, dilation : int or (int, int)
        Of the convolution that leads back; its padding is cut off here.
    output_padding : int or (int, int)
        Rows and columns to add at the bottom and right, fewer than the stride or the dilation: convolutions
        of several sizes give the same one.

    Returns
    -------
    Tensor (N, O, OH, OW) or (O, OH, OW)
        With OH = (H - 1) * stride - 2 * padding + dilation * (KH - 1) + output_padding + 1.
    """
    name = "conv_transpose2d"
    check_tensors(name, input=input, weight=weight)
    if bias is not None:
        check_tensors(name, bias=bias)
    if input.ndim not in (3, 4) or weight.ndim != 4:
        raise RuntimeError(
            f"{name}: expected input (N, C, H, W) or (C, H, W) and weight (C, O/groups, KH, KW), "
            f"got {input.shape} and {weight.shape}"
        )
    kernel = pair(name, "the kernel's size", weight.array.shape[2:], 1)
    steps, apart = pair(name, "stride", stride, 1), pair(name, "dilation", dilation, 1)
    down, across = pair(name, "padding", padding, 0)
    low, right = pair(name, "output_padding", output_padding, 0)
    for extra, step, gap in zip((low, right), steps, apart, strict=True):
        if extra >= max(step, gap):
            raise RuntimeError(
                f"{name}: output_padding {(low, right)} must be smaller than the stride {steps} "
                f"or the dilation {apart}"
            )
    # the rows added at the bottom are those that no window of the convolution back reaches
    window = Window(kernel, steps, (down, down - low, across, across - right), apart)
    size = window.input_size(*input.shape[-2:])
    groups = integer(name, "groups", groups, 1)
    settings = {"window": window, "size": size, "groups": groups}
    return batched(lambda x: apply(ops.ConvTranspose2d, x, weight, bias, **settings), input)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """`conv2d` of lines (N, C, L) or (C, L), as pictures of one row, with weight (O, C / groups, K)."""
    check_lines("conv1d", input, weight, "(O, C/groups, K)")
    (step,), (apart,) = row("conv1d", "stride", stride, 1, 1), row("conv1d", "dilation", dilation, 1, 1)
    sides = padding if isinstance(padding, str) else (0, *row("conv1d", "padding", padding, 1, 0))
    rows, filters = input.unsqueeze(-2), weight.unsqueeze(-2)
    return conv2d(rows, filters, bias, (1, step), sides, (1, apart), groups).squeeze(-2)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """`conv_transpose2d` of lines (N, C, L) or (C, L), with weight (C, O / groups, K)."""
    name = "conv_transpose1d"
    check_lines(name, input, weight, "(C, O/groups, K)")
    (step,), (apart,) = row(name, "stride", stride, 1, 1), row(name, "dilation", dilation, 1, 1)
    (side,), (extra,) = row(name, "padding", padding, 1, 0), row(name, "output_padding", output_padding, 1, 0)
    rows, filters = input.unsqueeze(-2), weight.unsqueeze(-2)
    out = conv_transpose2d(rows, filters, bias, (1, step), (0, side), (0, extra), groups, (1, apart))
    return out.squeeze(-2)


def check_lines(name: str, input: Tensor, weight: Tensor, form: str) -> None:
    """Raise unless the input is of lines, and the weight of that form."""
    check_tensors(name, input=input, weight=weight)
    if input.ndim not in (2, 3) or weight.ndim != 3:
        raise RuntimeError(
            f"{name}: expected input (N, C, L) or (C, L) and weight {form}, "
            f"got {input.shape} and {weight.shape}"
        )
