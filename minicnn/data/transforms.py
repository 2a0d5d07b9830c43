"""Transforms of whole batches: float32 arrays (N, C, H, W) in, arrays out; names as in torchvision.

Everything here works on the last three axes, so a single picture (C, H, W) is welcome too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Compose:
    """Apply `transforms` one after the other."""

    transforms: Sequence[Callable[[np.ndarray], np.ndarray]]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        for transform in self.transforms:
            x = transform(x)
        return x


@dataclass(frozen=True)
class Pad:
    """Surround pictures with `fill`: ``Pad(2)`` makes (N, C, 28, 28) into (N, C, 32, 32).

    Parameters
    ----------
    padding : pixels on all sides; or (left and right, top and bottom); or (left, top, right, bottom).
    fill : the value of the new pixels.
    """

    padding: int | Sequence[int]
    fill: float = 0

    def __post_init__(self) -> None:
        sides = self._sides()
        if len(sides) not in (1, 2, 4) or not all(isinstance(p, int) and p >= 0 for p in sides):
            raise ValueError(f"Pad: padding must be 1, 2 or 4 integers >= 0, got {self.padding!r}")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        sides = self._sides()
        left, top, right, bottom = sides * (4 // len(sides))
        *batch, height, width = x.shape
        padded = np.full((*batch, top + height + bottom, left + width + right), self.fill, x.dtype)
        padded[..., top : top + height, left : left + width] = x
        return padded

    def _sides(self) -> list[int]:
        return list(self.padding) if isinstance(self.padding, Sequence) else [self.padding]


@dataclass(frozen=True)
class Normalize:
    """Make ``(x - mean) / std``, each a number or one number a channel."""

    mean: float | Sequence[float]
    std: float | Sequence[float]

    def __post_init__(self) -> None:
        if not np.all(np.asarray(self.std) > 0):
            raise ValueError(f"Normalize: std must be > 0, got {self.std!r}")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        mean, std = (self._per_channel(name, x) for name in ("mean", "std"))
        return (x - mean) / std

    def _per_channel(self, name: str, x: np.ndarray) -> np.ndarray:
        value = np.asarray(getattr(self, name), x.dtype)
        if value.size not in (1, x.shape[-3]):
            raise ValueError(
                f"Normalize: {name} has {value.size} values but x has {x.shape[-3]} channels {x.shape}"
            )
        return value.reshape(-1, 1, 1)
