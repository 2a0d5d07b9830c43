"""Random transforms that change colours or sharpness."""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn import random
from minicnn.data.transforms import arrays, color, resampling
from minicnn.data.transforms import functional as F
from minicnn.data.transforms.base import RandomTransform, interval, probability

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
        generator = random.generator()
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
        return (random.generator().random(count) < self.p,)

    def one(self, img: Any, chosen: Any) -> Any:
        return F.rgb_to_grayscale(img, F.get_dimensions(img)[0]) if chosen else img

    def many(self, x: np.ndarray, *parameters: np.ndarray) -> np.ndarray:
        (chosen,) = parameters
        x = x.copy()
        x[chosen] = F.rgb_to_grayscale(x[chosen], x.shape[1])
        return x


class GaussianBlur(RandomTransform):
    """Blur with a Gaussian of a random standard deviation.

    Parameters
    ----------
    kernel_size : odd numbers of pixels, (width, height) or one for both.
    sigma : (least, greatest) standard deviation, or one number.
    """

    def __init__(self, kernel_size: int | Sequence[int], sigma: float | Sequence[float] = (0.1, 2.0)):
        self.kernel_size = arrays.size_of("GaussianBlur", kernel_size)
        if any(size % 2 == 0 for size in self.kernel_size):
            raise ValueError(f"GaussianBlur: kernel_size must be odd, got {kernel_size!r}")
        ends = (sigma, sigma) if isinstance(sigma, numbers.Real) else sigma
        self.sigma = interval("GaussianBlur: sigma", ends)
        if self.sigma[0] <= 0:
            raise ValueError(f"GaussianBlur: sigma must be > 0, got {sigma!r}")

    def draw(self, count: int, channels: int, height: int, width: int) -> tuple[np.ndarray, ...]:
        return (random.generator().uniform(*self.sigma, count),)

    def one(self, img: Any, sigma: Any) -> Any:
        return F.gaussian_blur(img, self.kernel_size, float(sigma))

    def many(self, x: np.ndarray, *parameters: np.ndarray) -> np.ndarray:
        (sigma,) = parameters
        return resampling.blur(x, self.kernel_size, (sigma, sigma))
