"""The same pictures in another size."""

import math
import warnings
from typing import Any

import numpy as np

from minicnn import ops
from minicnn.nn.arguments import check_tensors, integer
from minicnn.nn.functional.pool import adaptive_avg_pool2d
from minicnn.tensor import Tensor, apply

SMOOTH = {"linear": 3, "bilinear": 4, "trilinear": 5}  # mode -> dimensions of the input
MODES = ("nearest", "nearest-exact", *SMOOTH, "area")


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
