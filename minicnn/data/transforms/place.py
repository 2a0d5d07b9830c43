"""Random transforms that move pixels: crops, flips, rotations, and boxes that hide some."""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn.data.draws import draws
from minicnn.data.transforms import arrays, resampling
from minicnn.data.transforms import functional as F
from minicnn.data.transforms.base import RandomTransform
from minicnn.data.transforms.kinds import InterpolationMode, interpolation_of

TRIES = 10  # for a box that fits


def probability(name: str, p: Any) -> float:
    """`p` if it is one."""
    if not isinstance(p, int | float) or not 0 <= p <= 1:
        raise ValueError(f"{name}: p must lie in 0..1, got {p!r}")
    return float(p)


def interval(name: str, value: Any, around_zero: bool = False) -> tuple[float, float]:
    """``(low, high)``; with `around_zero` a number d means (-d, d)."""
    if around_zero and isinstance(value, numbers.Real):
        if value < 0:
            raise ValueError(f"{name}: a single number must be >= 0, got {value!r}")
        return -float(value), float(value)
    if not isinstance(value, Sequence) or len(value) != 2:
        raise TypeError(f"{name}: expected two numbers, got {value!r}")
    if value[0] > value[1]:
        raise ValueError(f"{name}: expected the smaller number first, got {value!r}")
    return float(value[0]), float(value[1])


class RandomHorizontalFlip(RandomTransform):
    """Mirror left and right with probability `p`."""

    axis = -1

    def __init__(self, p: float = 0.5):
        self.p = probability(type(self).__name__, p)

    def draw(self, count: int, channels: int, height: int, width: int) -> tuple[np.ndarray, ...]:
        return (draws().random(count) < self.p,)

    def one(self, img: Any, flipped: Any) -> Any:
        return (F.hflip if self.axis == -1 else F.vflip)(img) if flipped else img

    def many(self, x: np.ndarray, *parameters: np.ndarray) -> np.ndarray:
        (flipped,) = parameters
        result = x.copy()
        result[flipped] = np.flip(x[flipped], self.axis)
        return result


class RandomVerticalFlip(RandomHorizontalFlip):
    """Mirror top and bottom with probability `p`."""

    axis = -2


class RandomCrop(RandomTransform):
    """A window of `size` at a random place.

    Parameters
    ----------
    padding, fill, padding_mode : as in `Pad`; done first.
    pad_if_needed : pad further where the picture is still smaller than the window.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ):
        self.size = arrays.size_of("RandomCrop", size)
        if padding is not None:
            arrays.sides_of("RandomCrop", padding)
        if padding_mode not in arrays.MODES:
            known = ", ".join(arrays.MODES)
            raise ValueError(f"RandomCrop: padding_mode must be one of {known}, got {padding_mode!r}")
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Top, left, height and width of a random window."""
        _, height, width = F.get_dimensions(img)
        (top,), (left,) = _window(1, height, width, *output_size)
        return int(top), int(left), *output_size

    def _padded(self, img: Any) -> Any:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        if self.pad_if_needed:
            _, height, width = F.get_dimensions(img)
            missing = [max(self.size[1] - width, 0), max(self.size[0] - height, 0)]
            if any(missing):
                img = F.pad(img, missing, self.fill, self.padding_mode)
        return img

    def draw(self, count: int, channels: int, height: int, width: int) -> tuple[np.ndarray, ...]:
        return _window(count, height, width, *self.size)

    def one(self, img: Any, top: Any, left: Any) -> Any:
        return F.crop(img, int(top), int(left), *self.size)

    def many(self, x: np.ndarray, *parameters: np.ndarray) -> np.ndarray:
        top, left = parameters
        return arrays.windows(x, top, left, *self.size)

    def __call__(self, img: Any) -> Any:
        return super().__call__(self._padded(img))

    def batch(self, x: np.ndarray) -> np.ndarray:
        return super().batch(self._padded(x))


def _window(count: int, height: int, width: int, th: int, tw: int) -> tuple[np.ndarray, np.ndarray]:
    if height < th or width < tw:
        raise ValueError(f"RandomCrop: crop size {(th, tw)} is larger than the picture {(height, width)}")
    return draws().integers(0, height - th + 1, count), draws().integers(0, width - tw + 1, count)


def _boxes(
    count: int, size: tuple[int, int], scale: tuple[float, float], ratio: tuple[float, float], strict: bool
) -> tuple[np.ndarray, ...]:
    """Boxes of a random part of the area and a random height / width.

    Returns fits, top, left, height, width, each (count). `strict`: smaller than the picture on both
    sides.
    """
    generator, tries = draws(), (count, TRIES)
    area = size[0] * size[1] * generator.uniform(*scale, tries)
    aspect = np.exp(generator.uniform(np.log(ratio[0]), np.log(ratio[1]), tries))
    heights, widths = (np.rint(np.sqrt(a)).astype(np.int64) for a in (area * aspect, area / aspect))
    largest = (size[0] - 1, size[1] - 1) if strict else size
    fits = (heights > 0) & (widths > 0) & (heights <= largest[0]) & (widths <= largest[1])
    found: np.ndarray = np.asarray(fits.any(1))
    first = np.arange(count), fits.argmax(1)
    height, width = np.where(found, heights[first], 1), np.where(found, widths[first], 1)
    return (
        found,
        generator.integers(0, size[0] - height + 1),
        generator.integers(0, size[1] - width + 1),
        height,
        width,
    )


class RandomResizedCrop(RandomTransform):
    """A window of a random area and shape at a random place, resized to `size`.

    Parameters
    ----------
    scale : least and greatest part of the picture's area.
    ratio : least and greatest width / height.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        interpolation: Any = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ):
        self.size = arrays.size_of("RandomResizedCrop", size)
        self.scale = interval("RandomResizedCrop: scale", scale)
        self.ratio = interval("RandomResizedCrop: ratio", ratio)
        self.interpolation = interpolation
        self.antialias = antialias
        interpolation_of("RandomResizedCrop", interpolation)

    @staticmethod
    def get_params(img: Any, scale: Sequence[float], ratio: Sequence[float]) -> tuple[int, ...]:
        """Top, left, height and width of a random window."""
        parameters = RandomResizedCrop(1, scale, ratio).draw(1, *F.get_dimensions(img))
        return tuple(int(p[0]) for p in parameters)

    def draw(self, count: int, channels: int, height: int, width: int) -> tuple[np.ndarray, ...]:
        low, high = self.ratio
        found, top, left, h, w = _boxes(count, (height, width), self.scale, (1 / high, 1 / low), strict=False)
        # None of the tries fits: the middle, with the nearest shape allowed.
        shape = width / height
        ch = round(width / low) if shape < low else height
        cw = round(height * high) if shape > high else width
        middle = ((height - ch) // 2, (width - cw) // 2, ch, cw)
        chosen = (np.where(found, a, b) for a, b in zip((top, left, h, w), middle, strict=True))
        return tuple(chosen)

    def one(self, img: Any, top: Any, left: Any, height: Any, width: Any) -> Any:
        box = int(top), int(left), int(height), int(width)
        return F.resized_crop(img, *box, self.size, self.interpolation, self.antialias)

    def many(self, x: np.ndarray, *box: np.ndarray) -> np.ndarray:
        top, left, height, width = box
        smooth = x.dtype == np.uint8 or self.antialias is not False  # bytes stand for PIL pictures
        mode = interpolation_of("RandomResizedCrop", self.interpolation)
        rows = resampling.weights(x.shape[-2], self.size[0], mode, smooth, x.dtype, top, height)
        columns = resampling.weights(x.shape[-1], self.size[1], mode, smooth, x.dtype, left, width)
        return resampling.resample(x, rows[:, None], columns[:, None])


class RandomAffine(RandomTransform):
    """Turn, move, scale and shear by random amounts.

    Parameters
    ----------
    degrees : (least, greatest) angle; a number d means (-d, d).
    translate : greatest moves as parts of the width and the height.
    scale : (least, greatest) factor.
    shear : angles: a number d, or (least, greatest) along x, or four numbers for x and y.
    fill : of what comes from outside, a number or one a channel.
    center : (x, y) of the fixed point; None: the middle.
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: Any = InterpolationMode.NEAREST,
        fill: Any = 0,
        center: Sequence[float] | None = None,
    ):
        self.degrees = interval("RandomAffine: degrees", degrees, around_zero=True)
        if translate is not None and (len(translate) != 2 or not all(0 <= t <= 1 for t in translate)):
            raise ValueError(f"RandomAffine: translate must be two numbers in 0..1, got {translate!r}")
        self.translate = translate
        self.scale = None if scale is None else interval("RandomAffine: scale", scale)
        if self.scale is not None and self.scale[0] <= 0:
            raise ValueError(f"RandomAffine: scale must be > 0, got {scale!r}")
        four = shear if isinstance(shear, Sequence) and len(shear) == 4 else None
        along_x = shear if four is None else four[:2]
        self.shear = None if along_x is None else interval("RandomAffine: shear", along_x, around_zero=True)
        self.shear_y = (0.0, 0.0) if four is None else interval("RandomAffine: shear", four[2:])
        self.interpolation = interpolation
        self.fill = fill
        self.center = center

    def draw(self, count: int, channels: int, height: int, width: int) -> tuple[np.ndarray, ...]:
        generator = draws()
        dx, dy = self.translate or (0, 0)
        moves = (np.rint(generator.uniform(-d, d, count)) for d in (dx * width, dy * height))
        factors = generator.uniform(*self.scale, count) if self.scale else np.ones(count)
        slants = (generator.uniform(*(ends or (0.0, 0.0)), count) for ends in (self.shear, self.shear_y))
        return (generator.uniform(*self.degrees, count), *moves, factors, *slants)

    def one(self, img: Any, angle: Any, dx: Any, dy: Any, scale: Any, sx: Any, sy: Any) -> Any:
        move, slant = [int(dx), int(dy)], [float(sx), float(sy)]
        return F.affine(
            img, float(angle), move, float(scale), slant, self.interpolation, self.fill, self.center
        )

    def many(self, x: np.ndarray, *parameters: np.ndarray) -> np.ndarray:
        angle, dx, dy, scale, sx, sy = parameters
        return _turned(self, x, angle, (dx, dy), scale, (sx, sy))


class RandomRotation(RandomTransform):
    """Turn by a random angle, counter-clockwise in degrees between those of `degrees`; d means (-d, d).

    With `expand` the result holds the whole turned picture; its size then differs from picture to picture.
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: Any = InterpolationMode.NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Any = 0,
    ):
        self.degrees = interval("RandomRotation: degrees", degrees, around_zero=True)
        self.interpolation = interpolation
        self.expand = expand
        self.center = center
        self.fill = fill

    @property
    def batched(self) -> bool:  # type: ignore[override]
        return not self.expand

    def draw(self, count: int, channels: int, height: int, width: int) -> tuple[np.ndarray, ...]:
        return (draws().uniform(*self.degrees, count),)

    def one(self, img: Any, angle: Any) -> Any:
        return F.rotate(img, float(angle), self.interpolation, self.expand, self.center, self.fill)

    def many(self, x: np.ndarray, *parameters: np.ndarray) -> np.ndarray:
        (angle,) = parameters
        return _turned(self, x, -angle, (0, 0), 1, (0, 0))


def _turned(own: Any, x: np.ndarray, angle: Any, move: Any, scale: Any, shear: Any) -> np.ndarray:
    """Each picture of a batch turned, scaled, sheared and moved in its own way."""
    name = type(own).__name__
    height, width = x.shape[-2:]
    middle = (0.0, 0.0) if own.center is None else (own.center[0] - width / 2, own.center[1] - height / 2)
    matrix = resampling.inverse_matrix(middle, angle, move, scale, shear)
    mode = interpolation_of(name, own.interpolation, F.SAMPLED)
    entries = np.stack([np.broadcast_to(entry, len(x)) for entry in matrix], 1)
    return resampling.affine(x, entries, (height, width), mode, arrays.fill_of(name, own.fill, x.shape[1]))
