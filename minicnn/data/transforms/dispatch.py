"""Which code a picture gets, that for Pillow or that for arrays; and the names of interpolations."""

import numbers
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import numpy as np

from minicnn.data.transforms import arrays, pillow
from minicnn.tensor import Tensor


class InterpolationMode(Enum):
    """How pixels between pixels are computed."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


PILLOW_MODES = {0: "nearest", 2: "bilinear", 3: "bicubic"}


def interpolation_of(name: str, mode: Any, known: Sequence[str] = ()) -> str:
    """The name of an InterpolationMode, also told by its value or as Pillow's constant."""
    known = known or [m.value for m in InterpolationMode]
    value = mode.value if isinstance(mode, Enum) and isinstance(mode.value, str) else mode
    value = PILLOW_MODES.get(int(value)) if isinstance(value, numbers.Integral) else value
    if value not in known:
        raise ValueError(f"{name}: interpolation must be one of {', '.join(known)}, got {mode!r}")
    return str(value)


def change(
    name: str,
    picture: Any,
    with_pillow: Callable[[Any], Any],
    with_array: Callable[[np.ndarray], np.ndarray],
    channels: tuple[int, ...] = (),
) -> Any:
    """Let Pillow change its pictures, and `with_array` arrays (..., C, H, W) and Tensors."""
    if type(picture) is np.ndarray and picture.ndim > 2 and not channels:  # the most frequent, a batch
        return with_array(picture)
    if pillow.is_pillow(picture):
        return with_pillow(picture)
    if not isinstance(picture, Tensor | np.ndarray):
        raise TypeError(f"{name}: expected a PIL picture or a Tensor, got {type(picture).__name__}")
    x = picture.array if isinstance(picture, Tensor) else picture
    if x.ndim == 2 and not channels:  # torchvision takes (H, W) for what looks at places only
        result = with_array(x[None])[0]
    else:
        arrays.check_picture(name, x, channels)
        result = with_array(x)
    return Tensor(result) if isinstance(picture, Tensor) else result


def get_dimensions(picture: Any) -> list[int]:
    """``[channels, height, width]``."""
    if pillow.is_pillow(picture):
        return [len(picture.getbands()), picture.height, picture.width]
    if not isinstance(picture, Tensor | np.ndarray) or picture.ndim < 2:
        raise TypeError(f"expected a PIL picture or a Tensor (..., C, H, W), got {type(picture).__name__}")
    return [1, *picture.shape] if picture.ndim == 2 else list(picture.shape[-3:])


def get_image_size(picture: Any) -> list[int]:
    """``[width, height]``."""
    return get_dimensions(picture)[:0:-1]
