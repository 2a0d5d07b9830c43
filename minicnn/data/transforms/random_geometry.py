"""Random transforms that mirror, turn, move, scale and shear."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn import random
from minicnn.data.transforms import arrays, resampling
from minicnn.data.transforms import functional as F
from minicnn.data.transforms.base import RandomTransform, interval, probability
from minicnn.data.transforms.dispatch import InterpolationMode, interpolation_of


class RandomHorizontalFlip(RandomTransform):
    """Mirror left and right with probability `p`."""

    axis = -1

    def __init__(self, p: float = 0.5):
        self.p = probability(type(self).__name__, p)

    def draw(self, count: int, channels: int, height: int, width: int) -> tuple[np.ndarray, ...]:
        return (random.generator().random(count) < self.p,)

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
        generator = random.generator()
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
        return turned(self, x, angle, (dx, dy), scale, (sx, sy))


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
    def batched(self) -> bool:
        return super().batched and not self.expand

    def draw(self, count: int, channels: int, height: int, width: int) -> tuple[np.ndarray, ...]:
        return (random.generator().uniform(*self.degrees, count),)

    def one(self, img: Any, angle: Any) -> Any:
        return F.rotate(img, float(angle), self.interpolation, self.expand, self.center, self.fill)

    def many(self, x: np.ndarray, *parameters: np.ndarray) -> np.ndarray:
        (angle,) = parameters
        return turned(self, x, -angle, (0, 0), 1, (0, 0))


def turned(own: Any, x: np.ndarray, angle: Any, move: Any, scale: Any, shear: Any) -> np.ndarray:
    """Each picture of a batch turned, scaled, sheared and moved in its own way."""
    name = type(own).__name__
    mode = interpolation_of(name, own.interpolation, F.SAMPLED)
    fill = arrays.fill_of(name, own.fill, x.shape[1])
    return resampling.warp(x, angle, move, scale, shear, mode, fill, own.center)
