"""What transforms do, as functions with torchvision's names and arguments.

Each takes a Pillow picture, which Pillow itself changes; or a Tensor (..., C, H, W), bytes or floats in
[0, 1]; or an array like that. It returns a new one of the same kind.
"""

import numbers
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minicnn.data.transforms import arrays, color, pillow, resampling
from minicnn.data.transforms.conversion import (
    convert_image_dtype,
    erase,
    normalize,
    pil_to_tensor,
    to_dtype,
    to_image,
    to_pil_image,
    to_tensor,
)
from minicnn.data.transforms.dispatch import (
    InterpolationMode,
    change,
    get_dimensions,
    get_image_size,
    interpolation_of,
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
    "five_crop",
    "gaussian_blur",
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
    "ten_crop",
    "to_dtype",
    "to_grayscale",
    "to_image",
    "to_pil_image",
    "to_tensor",
    "vertical_flip",
    "vflip",
]


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """Surround with `fill`, or by ``edge``, ``reflect`` or ``symmetric``; padding as in `Pad`."""
    sides = arrays.sides_of("pad", padding)
    mode = arrays.padding_mode_of("pad", padding_mode)
    return change(
        "pad", img, lambda p: pillow.pad(p, sides, fill, mode), lambda x: arrays.pad(x, sides, fill, mode)
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


def five_crop(img: Any, size: Any) -> tuple[Any, ...]:
    """The corners, top left, top right, bottom left, bottom right, and the middle."""
    h, w = arrays.size_of("five_crop", size)
    _, height, width = get_dimensions(img)
    if h > height or w > width:
        raise ValueError(f"five_crop: size {(h, w)} is larger than the picture {(height, width)}")
    corners = [(top, left) for top in (0, height - h) for left in (0, width - w)]
    return *(crop(img, top, left, h, w) for top, left in corners), center_crop(img, (h, w))


def ten_crop(img: Any, size: Any, vertical_flip: bool = False) -> tuple[Any, ...]:
    """Five crops of the picture, and five of its mirror image."""
    return five_crop(img, size) + five_crop(vflip(img) if vertical_flip else hflip(img), size)


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
        quarters = angle / 90
        if center is None and quarters.is_integer() and (expand or quarters % 2 == 0 or height == width):
            return np.rot90(x, int(quarters), (-2, -1)).copy()  # exact
        color_of = None if fill is None else arrays.fill_of("rotate", fill, x.shape[-3])
        return resampling.warp(x, -angle, (0, 0), 1, (0, 0), mode, color_of, center, expand)

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
        color_of = None if fill is None else arrays.fill_of("affine", fill, x.shape[-3])
        return resampling.warp(x, angle, translate, scale, slant, mode, color_of, center)

    return change(
        "affine", img, lambda p: pillow.affine(p, angle, translate, scale, slant, mode, fill, center), move
    )


def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """Blur with a Gaussian of odd `kernel_size`, (width, height) or one number.

    sigma : standard deviation, (horizontal, vertical) or one number; None: 0.15 of the size and 0.35 more.
    """
    size = arrays.size_of("gaussian_blur", kernel_size)
    if any(taps % 2 == 0 for taps in size):
        raise ValueError(f"gaussian_blur: kernel_size must be odd, got {kernel_size!r}")
    given = [sigma] if isinstance(sigma, numbers.Real) else sigma
    spread = [0.15 * taps + 0.35 for taps in size] if given is None else [*given, *given][:2]
    if not all(s > 0 for s in spread):
        raise ValueError(f"gaussian_blur: sigma must be > 0, got {sigma!r}")

    def blurred(x: np.ndarray) -> np.ndarray:
        return resampling.blur(x, size, spread)

    def of_picture(picture: Any) -> Any:
        return pillow.from_array(blurred(pillow.to_array(picture)), picture.mode)

    return change("gaussian_blur", img, of_picture, blurred)


# Colours.


def _mixed(
    name: str, img: Any, factor: float, enhancer: str, formula: Callable[[np.ndarray, float], np.ndarray]
) -> Any:
    """The picture mixed with a duller one: Pillow's enhancer of that name, or a formula for arrays."""
    if not factor >= 0:
        raise ValueError(f"{name}: the factor must be >= 0, got {factor!r}")
    f = float(factor)
    return change(name, img, lambda p: pillow.enhance(p, enhancer, f), lambda x: formula(x, f), (1, 3))


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """0 is black, 1 leaves the picture, 2 doubles the brightness."""
    return _mixed("adjust_brightness", img, brightness_factor, "Brightness", color.brightness)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """0 is one grey, 1 leaves the picture."""
    return _mixed("adjust_contrast", img, contrast_factor, "Contrast", color.contrast)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """0 is black and white, 1 leaves the picture."""
    return _mixed("adjust_saturation", img, saturation_factor, "Color", color.saturation)


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
