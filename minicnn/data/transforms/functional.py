"""What transforms do, as functions with torchvision's names and arguments.

Each takes a Pillow picture, which Pillow itself changes; or a Tensor (..., C, H, W), bytes or floats in
[0, 1]; or an array like that. It returns a new one of the same kind.
"""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn.data.transforms import arrays, color, pillow, resampling
from minicnn.data.transforms.kinds import (
    InterpolationMode,
    change,
    get_dimensions,
    get_image_size,
    interpolation_of,
)
from minicnn.data.transforms.values import (
    convert_image_dtype,
    erase,
    normalize,
    pil_to_tensor,
    to_dtype,
    to_pil_image,
    to_tensor,
)

__all__ = [
    "InterpolationMode",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "affine",
    "center_crop",
    "convert_image_dtype",
    "crop",
    "erase",
    "get_dimensions",
    "get_image_size",
    "hflip",
    "horizontal_flip",
    "normalize",
    "pad",
    "pil_to_tensor",
    "resize",
    "resized_crop",
    "rgb_to_grayscale",
    "rotate",
    "to_dtype",
    "to_grayscale",
    "to_pil_image",
    "to_tensor",
    "vertical_flip",
    "vflip",
]


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """Surround with `fill`, or by ``edge``, ``reflect`` or ``symmetric``; padding as in `Pad`."""
    sides = arrays.sides_of("pad", padding)
    if padding_mode not in arrays.MODES:
        known = ", ".join(arrays.MODES)
        raise ValueError(f"pad: padding_mode must be one of {known}, got {padding_mode!r}")
    return change(
        "pad",
        img,
        lambda p: pillow.pad(p, sides, fill, padding_mode),
        lambda x: arrays.pad(x, sides, fill, padding_mode),
    )


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """The window of that place and size, zeros where it reaches outside."""
    box = top, left, height, width
    return change("crop", img, lambda p: pillow.crop(p, *box), lambda x: arrays.crop(x, *box).copy())


def center_crop(img: Any, output_size: Any) -> Any:
    """The middle; what is smaller than `output_size` is padded with zeros."""
    target = arrays.size_of("center_crop", output_size)
    _, height, width = get_dimensions(img)
    dy, dx = max(target[0] - height, 0), max(target[1] - width, 0)
    if dy or dx:
        img = pad(img, [dx // 2, dy // 2, (dx + 1) // 2, (dy + 1) // 2])
    return crop(img, *arrays.central(height + dy, width + dx, target), *target)


def resize(
    img: Any,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """Resize to ``(height, width)``; one number is for the smaller side, the other keeps the proportion."""
    arrays.size_of("resize", size)
    wanted = [int(size)] if isinstance(size, int | np.integer) else list(size)
    if max_size is not None and (len(wanted) != 1 or max_size <= wanted[0]):
        raise ValueError(f"resize: max_size {max_size} needs one size below it, got {size!r}")
    mode = interpolation_of("resize", interpolation)
    target = resampling.resized_size(tuple(get_dimensions(img)[1:]), wanted, max_size)  # type: ignore[arg-type]
    smooth = antialias is not False
    return change(
        "resize",
        img,
        lambda p: pillow.resize(p, target, mode),
        lambda x: resampling.resize(x, target, mode, smooth),
    )


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """Crop, then resize."""
    target = arrays.size_of("resized_crop", size)
    return resize(crop(img, top, left, height, width), target, interpolation, antialias=antialias)


def hflip(img: Any) -> Any:
    """Mirror left and right."""
    return change("hflip", img, lambda p: pillow.flip(p, -1), lambda x: arrays.flip(x, -1))


def vflip(img: Any) -> Any:
    """Mirror top and bottom."""
    return change("vflip", img, lambda p: pillow.flip(p, -2), lambda x: arrays.flip(x, -2))


horizontal_flip, vertical_flip = hflip, vflip
SAMPLED = ("nearest", "bilinear")  # how rotations of Tensors can look pixels up


def rotate(
    img: Any,
    angle: Any,
    interpolation: Any = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Any = None,
) -> Any:
    """Turn counter-clockwise by `angle` degrees about `center` = (x, y), the middle if None.

    With `expand` the result is large enough to hold the whole picture.
    """
    if not isinstance(angle, numbers.Real):
        raise TypeError(f"rotate: angle must be a number, got {angle!r}")
    if center is not None and len(center) != 2:
        raise ValueError(f"rotate: center must be two numbers, got {center!r}")
    on_pillow = pillow.is_pillow(img)
    mode = interpolation_of("rotate", interpolation, () if on_pillow else SAMPLED)

    def turn(x: np.ndarray) -> np.ndarray:
        height, width = x.shape[-2:]
        around = (center[0] - width / 2, center[1] - height / 2) if center is not None else (0.0, 0.0)
        matrix = resampling.inverse_matrix(around, -angle, (0, 0), 1, (0, 0))
        size = resampling.turned_size(matrix, height, width) if expand else (height, width)
        quarters = angle / 90
        if center is None and quarters.is_integer() and (expand or quarters % 2 == 0 or height == width):
            return np.rot90(x, int(quarters), (-2, -1)).copy()  # exact
        color_of = None if fill is None else arrays.fill_of("rotate", fill, x.shape[-3])
        return resampling.affine(x, matrix, size, mode, color_of)

    angle = float(angle)
    return change("rotate", img, lambda p: pillow.rotate(p, angle, mode, expand, center, fill), turn)


def affine(
    img: Any,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Any,
    interpolation: Any = InterpolationMode.NEAREST,
    fill: Any = None,
    center: Sequence[float] | None = None,
) -> Any:
    """Shear, turn clockwise by `angle` degrees and scale about the middle, then move by (x, y) pixels."""
    if len(translate) != 2:
        raise ValueError(f"affine: translate must be two numbers, got {translate!r}")
    if scale <= 0:
        raise ValueError(f"affine: scale must be > 0, got {scale!r}")
    slant = (shear, 0.0) if isinstance(shear, numbers.Real) else (*shear, 0.0)[:2]
    mode = interpolation_of("affine", interpolation, () if pillow.is_pillow(img) else SAMPLED)

    def move(x: np.ndarray) -> np.ndarray:
        height, width = x.shape[-2:]
        around = (center[0] - width / 2, center[1] - height / 2) if center is not None else (0.0, 0.0)
        matrix = resampling.inverse_matrix(around, angle, (translate[0], translate[1]), scale, slant)
        color_of = None if fill is None else arrays.fill_of("affine", fill, x.shape[-3])
        return resampling.affine(x, matrix, (height, width), mode, color_of)

    return change(
        "affine", img, lambda p: pillow.affine(p, angle, translate, scale, slant, mode, fill, center), move
    )


# Colours.


def _factor(name: str, value: float) -> float:
    if not value >= 0:
        raise ValueError(f"{name}: the factor must be >= 0, got {value!r}")
    return float(value)


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """0 is black, 1 leaves the picture, 2 doubles the brightness."""
    f = _factor("adjust_brightness", brightness_factor)
    return change(
        "adjust_brightness",
        img,
        lambda p: pillow.enhance(p, "Brightness", f),
        lambda x: color.brightness(x, f),
        (1, 3),
    )


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """0 is one grey, 1 leaves the picture."""
    f = _factor("adjust_contrast", contrast_factor)
    return change(
        "adjust_contrast",
        img,
        lambda p: pillow.enhance(p, "Contrast", f),
        lambda x: color.contrast(x, f),
        (1, 3),
    )


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """0 is black and white, 1 leaves the picture."""
    f = _factor("adjust_saturation", saturation_factor)
    return change(
        "adjust_saturation",
        img,
        lambda p: pillow.enhance(p, "Color", f),
        lambda x: color.saturation(x, f),
        (1, 3),
    )


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Turn the hue by a part of the circle, -0.5 to 0.5."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"adjust_hue: hue_factor {hue_factor} is not in [-0.5, 0.5]")
    return change(
        "adjust_hue", img, lambda p: pillow.hue(p, hue_factor), lambda x: color.hue(x, hue_factor), (1, 3)
    )


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Luminance, in one channel or three equal ones."""
    if num_output_channels not in (1, 3):
        raise ValueError(f"rgb_to_grayscale: num_output_channels must be 1 or 3, got {num_output_channels!r}")

    def luminance(x: np.ndarray) -> np.ndarray:
        found = color.gray(x).astype(x.dtype) if x.shape[-3] == 3 else x
        return np.repeat(found, num_output_channels, -3)

    return change("rgb_to_grayscale", img, lambda p: pillow.gray(p, num_output_channels), luminance, (1, 3))


to_grayscale = rgb_to_grayscale
