"""Random transforms that change colours, or hide a part."""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn.data.draws import draws
from minicnn.data.transforms import color
from minicnn.data.transforms import functional as F
from minicnn.data.transforms.base import RandomTransform
from minicnn.data.transforms.place import _boxes, interval, probability

ADJUST = (
    (F.adjust_brightness, color.brightness),
    (F.adjust_contrast, color.contrast),
    (F.adjust_saturation, color.saturation),
    (F.adjust_hue, color.hue),
)


class ColorJitter(RandomTransform):
    """Change brightness, contrast, saturation and hue by random factors, in a random order.

    Parameters
    ----------
    brightness, contrast, saturation : a number v for factors between max(0, 1 - v) and 1 + v, or (least,
        greatest).
    hue : a number v for turns between -v and v, or (least, greatest), within -0.5..0.5.
    """

    def __init__(
        self,
        brightness: float | Sequence[float] = 0,
        contrast: float | Sequence[float] = 0,
        saturation: float | Sequence[float] = 0,
        hue: float | Sequence[float] = 0,
    ):
        self.brightness = self._ends("brightness", brightness)
        self.contrast = self._ends("contrast", contrast)
        self.saturation = self._ends("saturation", saturation)
        self.hue = self._ends("hue", hue)

    @staticmethod
    def _ends(name: str, value: Any) -> tuple[float, float] | None:
        neutral, least, most = (0, -0.5, 0.5) if name == "hue" else (1, 0, float("inf"))
        if isinstance(value, numbers.Real):
            if value < 0:
                raise ValueError(f"ColorJitter: {name} must be >= 0, got {value!r}")
            low = neutral - float(value)
            value = (low if name == "hue" else max(low, 0.0), neutral + float(value))
        low, high = interval(f"ColorJitter: {name}", value)
        if not least <= low <= high <= most:
            raise ValueError(f"ColorJitter: {name} must lie in {least}..{most}, got {(low, high)}")
        return None if low == high == neutral else (low, high)

    def draw(self, count: int, channels: int, height: int, width: int) -> tuple[np.ndarray, ...]:
        generator = draws()
        order = generator.permuted(np.tile(np.arange(4), (count, 1)), axis=1)
        factors = [generator.uniform(*(ends or (0.0, 0.0)), count) for ends in self._all()]
        return order, np.stack(factors, 1)

    def _all(self) -> tuple[tuple[float, float] | None, ...]:
        return self.brightness, self.contrast, self.saturation, self.hue

    def one(self, img: Any, order: Any, factors: Any) -> Any:
        for what in order:
            if self._all()[what] is not None:
                img = ADJUST[what][0](img, float(factors[what]))
        return img

    def many(self, x: np.ndarray, *parameters: np.ndarray) -> np.ndarray:
        order, factors = parameters
        x = x.copy()
        for turn in order.T:
            for what, ends in enumerate(self._all()):
                chosen = turn == what
                if ends is not None and chosen.any():
                    x[chosen] = ADJUST[what][1](x[chosen], factors[chosen, what].reshape(-1, 1, 1, 1))
        return x


class RandomGrayscale(RandomTransform):
    """Take the colour out with probability `p`; the number of channels stays."""

    def __init__(self, p: float = 0.1):
        self.p = probability("RandomGrayscale", p)

    def draw(self, count: int, channels: int, height: int, width: int) -> tuple[np.ndarray, ...]:
        return (draws().random(count) < self.p,)

    def one(self, img: Any, chosen: Any) -> Any:
        return F.rgb_to_grayscale(img, F.get_dimensions(img)[0]) if chosen else img

    def many(self, x: np.ndarray, *parameters: np.ndarray) -> np.ndarray:
        (chosen,) = parameters
        x = x.copy()
        x[chosen] = F.rgb_to_grayscale(x[chosen], x.shape[1])
        return x


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
        return found & (draws().random(count) < self.p), *box

    def _values(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        if isinstance(self.value, str):
            return draws().standard_normal(shape).astype(dtype)
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
