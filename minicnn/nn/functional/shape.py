"""The same numbers in another arrangement: windows as columns, channels as pixels."""

from typing import Any

from minicnn import ops
from minicnn.kernels.geometry import Window
from minicnn.nn.arguments import Size, batched, check_tensors, integer, pair
from minicnn.tensor import Tensor, apply


def unfold(
    input: Tensor, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1
) -> Tensor:
    """The cells under each window of input (N, C, H, W) or (C, H, W) as columns (N, C * KH * KW, windows)."""
    check_tensors("unfold", input=input)
    window = sliding("unfold", kernel_size, dilation, padding, stride)
    return batched(lambda x: apply(ops.Unfold, x, window=window), input)


def fold(
    input: Tensor,
    output_size: Size,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Size = 0,
    stride: Size = 1,
) -> Tensor:
    """The picture (N, C, H, W) of size output_size to which columns, as from `unfold`, add up."""
    check_tensors("fold", input=input)
    size = pair("fold", "output_size", output_size, 1)
    window = sliding("fold", kernel_size, dilation, padding, stride)
    if input.ndim == 2:
        return apply(ops.Fold, input.unsqueeze(0), size=size, window=window).squeeze(0)
    return apply(ops.Fold, input, size=size, window=window)


def sliding(name: str, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Window:
    """The window of `unfold` and `fold`."""
    down, across = pair(name, "padding", padding, 0)
    kernel, steps = pair(name, "kernel_size", kernel_size, 1), pair(name, "stride", stride, 1)
    return Window(kernel, steps, (down, down, across, across), pair(name, "dilation", dilation, 1))


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(..., C * r * r, H, W) as (..., C, H * r, W * r): channels become pixels.

    Source: Shi et al., Real-time single image and video super-resolution, 2016.
    """
    check_tensors("pixel_shuffle", input=input)
    r = integer("pixel_shuffle", "upscale_factor", upscale_factor, 1)
    if input.ndim < 3 or input.shape[-3] % (r * r):
        raise RuntimeError(f"pixel_shuffle: expected input (..., C * {r * r}, H, W), got {input.shape}")
    *more, channels, H, W = input.shape
    out = input.reshape(-1, channels // (r * r), r, r, H, W).permute(0, 1, 4, 2, 5, 3)
    return out.reshape(*more, channels // (r * r), H * r, W * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(..., C, H * r, W * r) as (..., C * r * r, H, W): the reverse of `pixel_shuffle`."""
    check_tensors("pixel_unshuffle", input=input)
    r = integer("pixel_unshuffle", "downscale_factor", downscale_factor, 1)
    if input.ndim < 3 or input.shape[-2] % r or input.shape[-1] % r:
        raise RuntimeError(f"pixel_unshuffle: expected input (..., C, H * {r}, W * {r}), got {input.shape}")
    *more, channels, H, W = input.shape
    out = input.reshape(-1, channels, H // r, r, W // r, r).permute(0, 1, 3, 5, 2, 4)
    return out.reshape(*more, channels * r * r, H // r, W // r)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """(N, C, ...) with the channels dealt out anew: the first of each group, the second of each, ...

    Source: Zhang et al., ShuffleNet, 2018.
    """
    check_tensors("channel_shuffle", input=input)
    groups = integer("channel_shuffle", "groups", groups, 1)
    if input.ndim < 3 or input.shape[1] % groups:
        raise RuntimeError(
            f"channel_shuffle: expected input (N, C, ...) of channels that divide into {groups} groups, "
            f"got {input.shape}"
        )
    N, C, *places = input.shape
    return input.reshape(N, groups, C // groups, *places).transpose(1, 2).reshape(input.shape)
