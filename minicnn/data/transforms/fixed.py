"""Transforms without chance."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn.data.transforms import arrays
from minicnn.data.transforms import functional as F
from minicnn.data.transforms.base import Transform
from minicnn.data.transforms.dispatch import InterpolationMode, interpolation_of


class ToTensor(Transform):
    """A PIL picture or an array (H, W, C) as a Tensor (C, H, W); bytes become floats in [0, 1]."""

    def __call__(self, pic: Any) -> Any:
        return F.to_tensor(pic)

    def batch(self, x: np.ndarray) -> np.ndarray:
        return x / np.float32(255) if x.dtype == np.uint8 else x


class PILToTensor(Transform):
    """A PIL picture as a Tensor (C, H, W) with the same values."""

    def __call__(self, pic: Any) -> Any:
        return F.pil_to_tensor(pic)

    def batch(self, x: np.ndarray) -> np.ndarray:
        return x


class ToImage(PILToTensor):
    """A PIL picture or an array (H, W, C) as a Tensor (C, H, W) with the same values."""

    def __call__(self, pic: Any) -> Any:
        return F.to_image(pic)

    def batch(self, x: np.ndarray) -> np.ndarray:
        return x


class ToPILImage(Transform):
    """A Tensor (C, H, W) or an array (H, W, C) as a PIL picture."""

    takes_pillow = False

    def __init__(self, mode: str | None = None):
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return F.to_pil_image(pic, self.mode)


class ConvertImageDtype(Transform):
    """Another dtype, the values scaled with its full scale: uint8 255 is float32 1."""

    takes_pillow = False

    def __init__(self, dtype: Any):
        self.dtype = np.dtype(dtype)

    def apply(self, image: Any) -> Any:
        return F.convert_image_dtype(image, self.dtype)


class ToDtype(Transform):
    """Another dtype; with `scale` as in `ConvertImageDtype`."""

    takes_pillow = False

    def __init__(self, dtype: Any, scale: bool = False):
        self.dtype = np.dtype(dtype)
        self.scale = scale

    def apply(self, image: Any) -> Any:
        return F.to_dtype(image, self.dtype, self.scale)


class Normalize(Transform):
    """Make ``(x - mean) / std``, each a number or one number a channel."""

    takes_pillow = False

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float], inplace: bool = False):
        if not np.all(np.asarray(std)):
            raise ValueError(f"Normalize: std must not be 0, got {std!r}")
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def apply(self, tensor: Any) -> Any:
        return F.normalize(tensor, self.mean, self.std, self.inplace)


class Pad(Transform):
    """Surround pictures with `fill`: ``Pad(2)`` makes (N, C, 28, 28) into (N, C, 32, 32).

    Parameters
    ----------
    padding : pixels on all sides; or (left and right, top and bottom); or (left, top, right, bottom).
    fill : the value of the new pixels, or one a channel.
    padding_mode : "constant"; "edge" repeats the border, "reflect" and "symmetric" mirror at it.
    """

    def __init__(self, padding: int | Sequence[int], fill: Any = 0, padding_mode: str = "constant"):
        if min(arrays.sides_of("Pad", padding)) < 0:
            raise ValueError(f"Pad: padding must be 1, 2 or 4 integers >= 0, got {padding!r}")
        self.padding = padding
        self.fill = fill
        self.padding_mode = arrays.padding_mode_of("Pad", padding_mode)

    def apply(self, img: Any) -> Any:
        return F.pad(img, self.padding, self.fill, self.padding_mode)


class Resize(Transform):
    """Resize to `size`: (height, width), or one number for the smaller side.

    Parameters
    ----------
    max_size : of the longer side, when `size` is one number.
    antialias : smooth what is made smaller; PIL pictures always are.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: Any = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ):
        arrays.size_of("Resize", size)
        interpolation_of("Resize", interpolation)
        self.size = size
        self.interpolation = interpolation
        self.max_size = max_size
        self.antialias = antialias

    def apply(self, img: Any) -> Any:
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def batch(self, x: np.ndarray) -> np.ndarray:
        # Bytes stand for PIL pictures, and Pillow always smooths.
        smooth = True if x.dtype == np.uint8 else self.antialias
        return F.resize(x, self.size, self.interpolation, self.max_size, smooth)


class CenterCrop(Transform):
    """The middle of a picture, (height, width) or one number for both."""

    def __init__(self, size: int | Sequence[int]):
        self.size = arrays.size_of("CenterCrop", size)

    def apply(self, img: Any) -> Any:
        return F.center_crop(img, self.size)


class Grayscale(Transform):
    """Luminance, in one channel or three equal ones."""

    def __init__(self, num_output_channels: int = 1):
        if num_output_channels not in (1, 3):
            raise ValueError(f"Grayscale: num_output_channels must be 1 or 3, got {num_output_channels!r}")
        self.num_output_channels = num_output_channels

    def apply(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, self.num_output_channels)


class FiveCrop(Transform):
    """The four corners and the middle, each (height, width) or one number for both: a tuple of five."""

    def __init__(self, size: int | Sequence[int]):
        self.size = arrays.size_of("FiveCrop", size)

    def __call__(self, img: Any) -> Any:
        return F.five_crop(img, self.size)


class TenCrop(Transform):
    """`FiveCrop` of a picture and of its mirror image, left and right or top and bottom: a tuple of ten."""

    def __init__(self, size: int | Sequence[int], vertical_flip: bool = False):
        self.size = arrays.size_of("TenCrop", size)
        self.vertical_flip = vertical_flip

    def __call__(self, img: Any) -> Any:
        return F.ten_crop(img, self.size, self.vertical_flip)
