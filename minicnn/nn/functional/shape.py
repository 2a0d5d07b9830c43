"""The same pictures in another size or arrangement: padding, interpolation, unfolding, shuffling."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn import ops
from minicnn.kernels.geometry import Window
from minicnn.nn.arguments import Size, batched, check_tensors, integer, pair
from minicnn.nn.functional.pool import adaptive_avg_pool2d
from minicnn.tensor import Tensor, apply

SMOOTH = {"linear": 3, "bilinear": 4, "trilinear": 5}  # mode -> dimensions of the input
MODES = ("nearest", "nearest-exact", *SMOOTH, "area")


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Cells around input, in its last dimensions.

    Parameters
    ----------
    pad : sequence of int
        How many cells before and after, in pairs from the last dimension on: (left, right, top, bottom) of
        pictures. Less than 0 cuts cells off.
    mode : "constant", "reflect", "replicate" or "circular"
        What the cells hold: `value`; a mirror image without the edge; the edge's value; the other side's.
        All but "constant" want pairs for all dimensions but batch and channel.
    value : float, optional
        0 unless given.
    """
    check_tensors("pad", input=input)
    if not isinstance(pad, tuple | list):
        raise TypeError(f"pad: expected pad as a sequence of ints, got {pad!r}")
    numbers = [integer("pad", "pad", n, -(2**62)) for n in pad]
    if len(numbers) % 2 or len(numbers) > 2 * input.ndim:
        raise RuntimeError(f"pad: expected pairs for at most {input.ndim} dimensions, got {tuple(pad)}")
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))[::-1]
    if mode == "constant":
        widths = [(0, 0)] * (input.ndim - len(pairs)) + pairs
        return apply(ops.Pad, input, widths=widths, value=0.0 if value is None else value)
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(
            f'pad: expected mode "constant", "reflect", "replicate" or "circular", got {mode!r}'
        )
    if value not in (None, 0):
        raise RuntimeError(f"pad: mode {mode!r} takes no value, got {value}")
    if not 1 <= len(pairs) <= 3 or input.ndim not in (len(pairs) + 1, len(pairs) + 2):
        raise NotImplementedError(
            f"pad: mode {mode!r} expects pairs for all dimensions of input but batch and channel, "
            f"got {tuple(pad)} for {input.shape}"
        )
    sizes = input.shape[-len(pairs) :]
    indices = [border(n, *widths, mode) for n, widths in zip(sizes, pairs, strict=True)]
    return apply(ops.Pick, input, indices=indices)


def border(size: int, before: int, after: int, mode: str) -> np.ndarray:
    """Which of `size` cells each cell of the padded axis shows."""
    most = {"reflect": size - 1, "circular": size, "replicate": 2**62 if size else 0}[mode]
    if max(before, after) > most or size + before + after < 1 or min(before, after) < -size:
        raise RuntimeError(f"pad: ({before}, {after}) cells do not fit around {size} with mode {mode!r}")
    places = np.arange(-before, size + after)
    if mode == "replicate":
        return places.clip(0, size - 1)
    if mode == "circular":
        return places % size
    return size - 1 - abs(size - 1 - abs(places))


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """input (N, C, ...) in another size.

    Parameters
    ----------
    size : int or sequence of int
        Of the result, without N and C; or
    scale_factor : float or sequence of float
        what to multiply the size by (rounded down).
    mode : "nearest", "nearest-exact", "linear" (N, C, L), "bilinear" (N, C, H, W), "trilinear" or "area"
        "area" takes the mean over the cells that become one.
    align_corners : bool, optional
        For the linear modes: whether the first and last cells' centres stay where they are, instead of the
        picture's edges.
    recompute_scale_factor : bool, optional
        Whether to use the factor between the sizes, rather than the one given.
    """
    check_tensors("interpolate", input=input)
    if antialias or mode == "bicubic":
        raise NotImplementedError(f"interpolate: no antialias and no bicubic mode; there are {MODES}")
    if mode not in MODES or (mode in SMOOTH and input.ndim != SMOOTH[mode]) or not 3 <= input.ndim <= 5:
        raise NotImplementedError(f"interpolate: mode {mode!r} does not fit input {input.shape}")
    if align_corners is not None and mode not in SMOOTH:
        raise ValueError(f"interpolate: align_corners is for {', '.join(SMOOTH)}, not for mode {mode!r}")
    if input.dtype.kind != "f":
        raise NotImplementedError(f"interpolate: expected floating point numbers, got {input.dtype}")
    old = input.shape[2:]
    new, factors = target_size(old, size, scale_factor, bool(recompute_scale_factor))
    if min(new) < 1 or min(old) < 1:
        raise RuntimeError(f"interpolate: expected sizes of at least 1, got {old} to {new}")
    if mode == "area":
        if input.ndim != 4:
            raise NotImplementedError(f'interpolate: mode "area" is for (N, C, H, W), got {input.shape}')
        return adaptive_avg_pool2d(input, new)
    axes = list(zip(old, new, factors, strict=True))
    if mode in SMOOTH:
        return apply(
            ops.Blend, input, axes=[between(*axis, bool(align_corners), input.dtype) for axis in axes]
        )
    return apply(ops.Pick, input, indices=[nearest(*axis, mode == "nearest-exact") for axis in axes])


def target_size(
    old: tuple[int, ...], size: Any, scale_factor: Any, recompute: bool
) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """The new sizes, and the factors that coordinates are computed with, None for that of the sizes."""
    if (size is None) == (scale_factor is None):
        raise ValueError(f"interpolate: expected size or scale_factor, got {size!r} and {scale_factor!r}")
    given = size if scale_factor is None else scale_factor
    many = tuple(given) if isinstance(given, tuple | list) else (given,) * len(old)
    if len(many) != len(old):
        raise ValueError(f"interpolate: expected one number or {len(old)}, got {given!r}")
    if scale_factor is None:
        if recompute:
            raise ValueError("interpolate: recompute_scale_factor is for scale_factor, not for size")
        return tuple(integer("interpolate", "size", n, 0) for n in many), (None,) * len(old)
    if any(isinstance(f, bool) or not isinstance(f, int | float | np.number) for f in many):
        raise TypeError(f"interpolate: expected scale_factor as numbers, got {scale_factor!r}")
    new = tuple(math.floor(float(n * f)) for n, f in zip(old, many, strict=True))
    return new, (None,) * len(old) if recompute else many


def nearest(old: int, new: int, factor: float | None, exact: bool) -> np.ndarray:
    """Which of `old` cells each of `new` shows; in float32, as PyTorch computes it."""
    step = np.float32(1 / factor if factor else np.float32(old) / np.float32(new))
    places = np.arange(new, dtype=np.float32)
    places = (places + np.float32(0.5)) * step if exact else places * step
    return np.minimum(np.floor(places).astype(np.int64), old - 1)


def between(
    old: int, new: int, factor: float | None, align_corners: bool, dtype: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which two of `old` cells each of `new` lies between, and its distance from the first."""
    number = np.dtype(dtype).type
    places = np.arange(new, dtype=dtype)
    if new == old:  # each stays where it is, whatever the factor
        return places.astype(np.int64), places.astype(np.int64), np.zeros(new, dtype)
    if align_corners:
        places = places * number((old - 1) / (new - 1) if new > 1 else 0)
    else:
        step = number(1 / factor if factor else old / new)
        places = np.maximum((places + number(0.5)) * step - number(0.5), 0)
    low = np.minimum(places.astype(np.int64), old - 1)
    return low, np.minimum(low + 1, old - 1), (places - low).clip(0, 1).astype(dtype)


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`interpolate` under its old name."""
    warnings.warn("upsample is the old name of interpolate", UserWarning, stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)


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
