"""Cutting and padding pictures that are arrays (..., C, H, W); how arguments name sizes and sides."""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

MODES = ("constant", "edge", "reflect", "symmetric")


def size_of(name: str, size: Any) -> tuple[int, int]:
    """``(height, width)`` from one number, a sequence of one, or of two."""
    values: Any = [size] if isinstance(size, numbers.Integral) else size
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise TypeError(f"{name}: size must be an integer or a sequence of one or two, got {size!r}")
    if len(values) not in (1, 2) or not all(isinstance(v, int | np.integer) and v > 0 for v in values):
        raise ValueError(f"{name}: size must be one or two integers > 0, got {size!r}")
    height, width = values if len(values) == 2 else (values[0], values[0])
    return int(height), int(width)


def sides_of(name: str, padding: Any) -> tuple[int, int, int, int]:
    """``(left, top, right, bottom)`` from one number for all sides, two, or four."""
    if type(padding) is int:
        return padding, padding, padding, padding
    sides = list(padding) if isinstance(padding, Sequence) else [padding]
    if len(sides) not in (1, 2, 4) or not all(isinstance(p, numbers.Integral) for p in sides):
        raise ValueError(f"{name}: padding must be 1, 2 or 4 integers, got {padding!r}")
    left, top, right, bottom = sides * (4 // len(sides))
    return int(left), int(top), int(right), int(bottom)


def padding_mode_of(name: str, mode: Any) -> str:
    """`mode` if it is one of MODES."""
    if mode not in MODES:
        raise ValueError(f"{name}: padding_mode must be one of {', '.join(MODES)}, got {mode!r}")
    return mode


def fill_of(name: str, fill: Any, channels: int) -> np.ndarray:
    """A fill value, or one a channel, as float64 (C or 1, 1, 1)."""
    values = np.asarray(0 if fill is None else fill, np.float64).reshape(-1, 1, 1)
    if len(values) not in (1, channels):
        raise ValueError(f"{name}: fill has {len(values)} values but the picture has {channels} channels")
    return values


def is_zero(fill: Any) -> bool:
    """Whether a fill value is plainly 0, as new arrays are."""
    return fill is None or (type(fill) is int and fill == 0)


def check_picture(name: str, x: np.ndarray, channels: tuple[int, ...] = ()) -> None:
    """Raise TypeError unless `x` is (..., C, H, W), with one of so many `channels` if given."""
    if x.ndim < 3:
        raise TypeError(f"{name}: expected a picture (..., C, H, W), got shape {x.shape}")
    if channels and x.shape[-3] not in channels:
        wanted = " or ".join(str(c) for c in channels)
        raise TypeError(f"{name}: expected {wanted} channels, got {x.shape[-3]} in {x.shape}")


def pad(x: np.ndarray, sides: tuple[int, int, int, int], fill: Any = 0, mode: str = "constant") -> np.ndarray:
    """Surround (..., C, H, W) with `fill`, or with what `mode` says."""
    left, top, right, bottom = sides
    if min(sides) < 0:  # cuts these sides, as PyTorch does
        height, width = x.shape[-2:]
        x = x[..., max(-top, 0) : height - max(-bottom, 0), max(-left, 0) : width - max(-right, 0)]
        left, top, right, bottom = (max(side, 0) for side in sides)
    height, width = x.shape[-2:]
    if mode == "constant":
        padded = np.zeros((*x.shape[:-2], top + height + bottom, left + width + right), x.dtype)
        if not is_zero(fill):
            padded[...] = fill_of("pad", fill, x.shape[-3]).astype(x.dtype) if x.ndim > 2 else fill
        padded[..., top : top + height, left : left + width] = x
        return padded
    if mode == "reflect" and not (max(top, bottom) < height and max(left, right) < width):
        raise RuntimeError(f"pad: reflect needs padding below the picture's size {x.shape}, got {sides}")
    widths = [(0, 0)] * (x.ndim - 2) + [(top, bottom), (left, right)]
    return np.pad(x, widths, mode=mode)  # type: ignore[call-overload]


def crop(x: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """The window of that place and size; zeros where it reaches outside."""
    bottom, right = top + height - x.shape[-2], left + width - x.shape[-1]
    outside = (max(-left, 0), max(-top, 0), max(right, 0), max(bottom, 0))
    if any(outside):
        x = pad(x, outside)
        top, left = max(top, 0), max(left, 0)
    return x[..., top : top + height, left : left + width]


def windows(x: np.ndarray, tops: np.ndarray, lefts: np.ndarray, height: int, width: int) -> np.ndarray:
    """From each picture of (N, C, H, W) its own window, all of one size."""
    views = np.lib.stride_tricks.sliding_window_view(x, (height, width), axis=(-2, -1))
    return views[np.arange(len(x)), :, tops, lefts]


def central(height: int, width: int, target: tuple[int, int]) -> tuple[int, int]:
    """Top and left of a window of the size `target` in the middle, rounded as torchvision does."""
    return round((height - target[0]) / 2), round((width - target[1]) / 2)


def flip(x: np.ndarray, axis: int) -> np.ndarray:
    """Mirror along `axis`, contiguous."""
    return np.ascontiguousarray(np.flip(x, axis))
