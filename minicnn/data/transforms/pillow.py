"""Pictures of Pillow: in and out of arrays, and what torchvision does to them through Pillow itself."""

import sys
from typing import Any

import numpy as np

from minicnn.data.transforms import arrays
from minicnn.data.transforms.resampling import inverse_matrix

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def is_pillow(picture: Any) -> bool:
    """Whether it is a Pillow picture; Pillow is not imported to find out."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(picture, module.Image)


def to_array(picture: Any) -> np.ndarray:
    """The pixels (C, H, W): uint8, or int32 (modes I, I;16) or float32 (mode F)."""
    if picture.mode == "1":
        pixels = np.asarray(picture, np.uint8) * np.uint8(255)
    elif picture.mode.startswith("I"):
        pixels = np.asarray(picture).astype(np.int32)
    else:
        pixels = np.asarray(picture)
    return np.array(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1), order="C")


def from_array(x: np.ndarray, mode: str | None = None) -> Any:
    """A picture of an array (C, H, W): bytes as they are, floats in [0, 1] as bytes."""
    from PIL import Image

    if x.ndim != 3 or x.shape[0] not in MODES:
        raise ValueError(f"to_pil_image: expected (C, H, W) with 1 to 4 channels, got {x.shape}")
    if x.dtype.kind == "f" and mode != "F":
        x = (x * 255).astype(np.uint8)
    elif x.dtype not in (np.uint8, np.int32, np.float32):
        raise TypeError(f"to_pil_image: expected uint8, int32 or floats, got {x.dtype}")
    pixels = np.ascontiguousarray(x[0] if x.shape[0] == 1 else x.transpose(1, 2, 0))
    found = Image.fromarray(pixels)
    usual = MODES[x.shape[0]] if x.dtype == np.uint8 else found.mode
    if mode is not None and mode != usual:
        if x.dtype != np.uint8 or len(Image.new(mode, (1, 1)).getbands()) != x.shape[0]:
            raise ValueError(f"to_pil_image: mode {mode} does not fit {x.dtype} {x.shape}")
        bands = [Image.fromarray(np.ascontiguousarray(channel)) for channel in x]
        return Image.merge(mode, bands) if len(bands) > 1 else found.convert(mode)
    return found


def _filter(mode: str) -> Any:
    from PIL import Image

    return {
        "nearest": Image.Resampling.NEAREST,
        "nearest-exact": Image.Resampling.NEAREST,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
    }[mode]


def _color(picture: Any, fill: Any, name: str) -> Any:
    """A fill value as Pillow wants it for the picture's mode."""
    bands = len(picture.getbands())
    values = list(fill) if isinstance(fill, list | tuple) else [0 if fill is None else fill]
    if len(values) not in (1, bands):
        raise ValueError(f"{name}: fill has {len(values)} values but the picture has {bands} channels")
    if picture.mode != "F":
        values = [int(value) for value in values]
    values = values * (bands // len(values))
    return tuple(values) if bands > 1 else values[0]


def pad(picture: Any, sides: tuple[int, int, int, int], fill: Any, mode: str) -> Any:
    """Surround a picture."""
    from PIL import Image

    if mode == "constant" and min(sides) >= 0:
        left, top, right, bottom = sides
        size = picture.width + left + right, picture.height + top + bottom
        padded = Image.new(picture.mode, size, _color(picture, fill, "pad"))
        padded.paste(picture, (left, top))
        if picture.mode == "P" and picture.getpalette():
            padded.putpalette(picture.getpalette())
        return padded
    x = np.asarray(picture)
    x = arrays.pad(x[None] if x.ndim == 2 else x.transpose(2, 0, 1), sides, fill, mode)
    return Image.fromarray(np.ascontiguousarray(x[0] if len(x) == 1 else x.transpose(1, 2, 0)))


def crop(picture: Any, top: int, left: int, height: int, width: int) -> Any:
    """The window of that place and size; black where it reaches outside."""
    return picture.crop((left, top, left + width, top + height))


def flip(picture: Any, axis: int) -> Any:
    """Mirror left and right (-1) or top and bottom (-2)."""
    from PIL import Image

    way = Image.Transpose.FLIP_LEFT_RIGHT if axis == -1 else Image.Transpose.FLIP_TOP_BOTTOM
    return picture.transpose(way)


def resize(picture: Any, size: tuple[int, int], mode: str) -> Any:
    """Resize to (height, width); Pillow always smooths what it makes smaller."""
    return picture.resize(size[::-1], _filter(mode))


def rotate(picture: Any, angle: float, mode: str, expand: bool, center: Any, fill: Any) -> Any:
    """Turn counter-clockwise by `angle` degrees."""
    color = _color(picture, fill, "rotate")
    return picture.rotate(angle, _filter(mode), expand=expand, center=center, fillcolor=color)


def affine(
    picture: Any, angle: float, translate: Any, scale: float, shear: Any, mode: str, fill: Any, center: Any
) -> Any:
    """Shear, turn clockwise, scale and move."""
    from PIL import Image

    middle = center or (picture.width / 2, picture.height / 2)
    matrix = inverse_matrix(middle, angle, translate, scale, shear)
    color = _color(picture, fill, "affine")
    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, _filter(mode), fillcolor=color)


def enhance(picture: Any, what: str, factor: float) -> Any:
    """Pillow's ImageEnhance: Brightness, Contrast or Color."""
    from PIL import ImageEnhance

    return getattr(ImageEnhance, what)(picture).enhance(factor)


def hue(picture: Any, shift: float) -> Any:
    """Turn the hue, which Pillow keeps as a byte."""
    from PIL import Image

    if picture.mode in ("1", "L", "I", "F"):
        return picture
    h, s, v = picture.convert("HSV").split()
    turned = Image.fromarray(np.asarray(h) + np.uint8(int(shift * 255) % 256))
    return Image.merge("HSV", (turned, s, v)).convert(picture.mode)


def gray(picture: Any, channels: int) -> Any:
    """Luminance, in one channel or three equal ones."""
    from PIL import Image

    luminance = picture.convert("L")
    return luminance if channels == 1 else Image.merge("RGB", (luminance,) * 3)
