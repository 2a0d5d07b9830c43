"""Colours of pictures that are arrays (..., C, H, W), C = 1 or 3: bytes, or floats in [0, 1].

The formulas are those that torchvision uses for tensors. A factor is one number, or (N, 1, 1, 1) for
pictures of their own each.
"""

from typing import Any

import numpy as np

# RGB of hue's six sectors, told by their places in (value, p, q, t)
SECTORS = np.array([[0, 2, 1, 1, 3, 0], [3, 0, 0, 2, 1, 1], [1, 1, 3, 0, 0, 2]])


def to_float(x: np.ndarray) -> np.ndarray:
    """Floats as they are; integers as float32 with the dtype's largest value as 1."""
    if x.dtype.kind == "f":
        return x
    return x.astype(np.float32) if x.dtype.kind == "b" else x / np.float32(np.iinfo(x.dtype).max)


def to_dtype(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Another dtype, values scaled with its full scale, as torchvision's ``to_dtype(scale=True)``."""
    if x.dtype == dtype:
        return x
    if dtype.kind == "f":
        return to_float(x).astype(dtype)
    largest = 1 if dtype.kind == "b" else np.iinfo(dtype).max
    if x.dtype.kind == "f":
        if x.dtype == np.float32 and largest > 2**24:
            raise RuntimeError(f"to_dtype: float32 cannot be scaled to {dtype} without loss")
        return (x * x.dtype.type(largest + 1.0 - 1e-3)).astype(dtype)
    old = 1 if x.dtype.kind == "b" else np.iinfo(x.dtype).max
    if old > largest:
        return (x // ((old + 1) // (largest + 1))).astype(dtype)
    return x.astype(dtype) * dtype.type((largest + 1) // (old + 1))


def _add(x: np.ndarray, y: np.ndarray, factor: Any) -> np.ndarray:
    """``x + factor * y`` rounded once, as the fused multiply-add of PyTorch's kernels does."""
    if x.dtype != np.float32:
        return x + factor * y
    return (x + np.float64(1) * np.asarray(factor, np.float32) * y).astype(np.float32)


def gray(x: np.ndarray) -> np.ndarray:
    """Luminance of RGB, (..., 1, H, W), unrounded."""
    red, green, blue = (x[..., i : i + 1, :, :].astype(_float(x)) for i in range(3))
    return _add(_add(red * red.dtype.type(0.2989), green, 0.587), blue, 0.114)


def _float(x: np.ndarray) -> np.dtype:
    return x.dtype if x.dtype.kind == "f" else np.dtype(np.float32)


def _blend(x: np.ndarray, other: Any, factor: Any) -> np.ndarray:
    kind = _float(x)
    mixed = x.astype(kind) * np.asarray(factor, kind)
    if other is not None:
        mixed = _add(mixed, other, 1 - np.asarray(factor, np.float64))
    largest = 1 if x.dtype.kind == "f" else np.iinfo(x.dtype).max
    return np.clip(mixed, 0, largest).astype(x.dtype)  # bytes are cut, not rounded


def brightness(x: np.ndarray, factor: Any) -> np.ndarray:
    """Mix with black."""
    return _blend(x, None, factor)


def contrast(x: np.ndarray, factor: Any) -> np.ndarray:
    """Mix with the mean luminance of the picture."""
    luminance = gray(x) if x.shape[-3] == 3 else x.astype(_float(x))
    if x.dtype.kind != "f":
        luminance = np.floor(luminance)
    return _blend(x, luminance.mean((-3, -2, -1), keepdims=True), factor)


def saturation(x: np.ndarray, factor: Any) -> np.ndarray:
    """Mix with the luminance of each pixel."""
    if x.shape[-3] == 1:
        return x
    luminance = gray(x)
    return _blend(x, luminance if x.dtype.kind == "f" else np.floor(luminance), factor)


def hue(x: np.ndarray, shift: Any) -> np.ndarray:
    """Turn the hue by `shift`, 1 being the whole circle."""
    if x.shape[-3] == 1 or x.size == 0:
        return x
    h, s, v = _hsv(to_float(x))
    shift = np.asarray(shift, h.dtype)
    return to_dtype(_rgb(np.mod(h + (shift.reshape(-1, 1, 1) if shift.ndim else shift), 1), s, v), x.dtype)


def _hsv(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    red, green, blue = np.moveaxis(x, -3, 0)
    v, low = x.max(-3), x.min(-3)
    chroma = np.where(v == low, 1, v - low)
    s = (v - low) / np.where(v == low, 1, v)
    from_red, from_green, from_blue = ((v - c) / chroma for c in (red, green, blue))
    sector = np.where(v == green, 2 + from_red - from_blue, 4 + from_green - from_red)
    h = np.where(v == red, from_blue - from_green, sector)
    return np.fmod(h * x.dtype.type(1 / 6) + 1, 1), s, v


def _rgb(h: np.ndarray, s: np.ndarray, v: np.ndarray) -> np.ndarray:
    h6 = h * 6
    whole = np.floor(h6)
    f = h6 - whole
    p, q, t = (np.clip(part * v, 0, 1) for part in (1 - s, 1 - s * f, s * f + (1 - s)))
    places = np.moveaxis(SECTORS[:, whole.astype(np.int64) % 6], 0, -3)
    return np.take_along_axis(np.stack([v, p, q, t], -3), places, -3)
