"""Random transforms that choose a box of a picture: to cut it out, or to hide it."""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn import random
from minicnn.data.transforms import arrays, resampling
from minicnn.data.transforms import functional as F
from minicnn.data.transforms.base import RandomTransform, interval, probability
from minicnn.data.transforms.dispatch import InterpolationMode, interpolation_of

TRIES = 10  # for a box that fits


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
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = arrays.padding_mode_of("RandomCrop", padding_mode)

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
    return random.generator().integers(0, height - th + 1, count), random.generator().integers(
        0, width - tw + 1, count
    )


def _boxes(
    count: int, size: tuple[int, int], scale: tuple[float, float], ratio: tuple[float, float], strict: bool
) -> tuple[np.ndarray, ...]:
    """Boxes of a random part of the area and a random height / width.

    Returns fits, top, left, height, width, each (count). `strict`: smaller than the picture on both
    sides.
    """
    generator, tries = random.generator(), (count, TRIES)
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


class RandomErasing(RandomTransform):
    """Overwrite a random box of a Tensor with probability `p`.

    Parameters
    ----------
    scale : least and greatest part of the picture's area.
    ratio : least and greatest height / width.
    value : a number, one a channel, or "random" for normally distributed noise.
    """

    takes_pillow = False

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ):
        if isinstance(value, str) and value != "random":
            raise ValueError(f'RandomErasing: value must be numbers or "random", got {value!r}')
        if not isinstance(value, str | numbers.Real | tuple | list):
            raise TypeError(f'RandomErasing: value must be numbers or "random", got {value!r}')
        self.p = probability("RandomErasing", p)
        self.scale = interval("RandomErasing: scale", scale)
        self.ratio = interval("RandomErasing: ratio", ratio)
        if not 0 <= self.scale[0] <= self.scale[1] <= 1:
            raise ValueError(f"RandomErasing: scale must lie in 0..1, got {scale!r}")
        self.value = value
        self.inplace = inplace

    def draw(self, count: int, channels: int, height: int, width: int) -> tuple[np.ndarray, ...]:
        found, *box = _boxes(count, (height, width), self.scale, self.ratio, strict=True)
        return found & (random.generator().random(count) < self.p), *box

    def _values(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        if isinstance(self.value, str):
            return random.generator().standard_normal(shape).astype(dtype)
        values = np.asarray(self.value, dtype).reshape(-1, 1, 1)
        if len(values) not in (1, shape[-3]):
            raise ValueError(f"RandomErasing: value has {len(values)} numbers but the picture {shape}")
        return values

    def one(self, img: Any, chosen: Any, *box: Any) -> Any:
        if not chosen:
            return img
        top, left, height, width = (int(b) for b in box)
        values = self._values((F.get_dimensions(img)[0], height, width), img.dtype)
        return F.erase(img, top, left, height, width, values, self.inplace)

    def many(self, x: np.ndarray, *parameters: np.ndarray) -> np.ndarray:
        chosen, *box = parameters
        top, left, height, width = (b[:, None] for b in box)
        row, column = np.arange(x.shape[-2]), np.arange(x.shape[-1])
        in_rows = (row >= top) & (row < top + height) & chosen[:, None]
        in_columns = (column >= left) & (column < left + width)
        hidden = in_rows[:, None, :, None] & in_columns[:, None, None, :]
        return np.where(hidden, self._values(x.shape, x.dtype), x)
