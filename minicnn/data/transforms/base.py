"""What a transform is; how the arguments of random ones name chances and intervals."""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn.data.dataset import speaks_for
from minicnn.data.transforms import functional as F


class Transform:
    """Base class of transforms.

    ``transform(picture)`` does what torchvision's does to a PIL picture or a Tensor (..., C, H, W), all its
    pictures alike. ``transform.batch(x)`` changes an array (N, C, H, W), bytes or floats in [0, 1], at once;
    a random transform draws numbers of its own for each of the N pictures. A transform without chance says
    both by `apply`. One that only redefines ``__call__`` is called picture by picture.

    Attributes
    ----------
    takes_pillow : whether it takes PIL pictures, and so may stand before `ToTensor`.
    """

    takes_pillow = True

    @property
    def batched(self) -> bool:
        """Whether `batch` may be used: a subclass that only redefines `__call__` wants that called."""
        return speaks_for("batch", type(self), "__call__")

    def apply(self, img: Any) -> Any:
        """Change a PIL picture, a Tensor (..., C, H, W) or an array like that, all its pictures alike."""
        raise NotImplementedError(f"{type(self).__name__}: a Transform must define __call__ or apply")

    def __call__(self, img: Any) -> Any:
        return self.apply(img)

    def batch(self, x: np.ndarray) -> np.ndarray:
        """All pictures of a batch (N, C, H, W) at once."""
        return self.apply(x)

    def __repr__(self) -> str:
        settings = ", ".join(f"{key}={value!r}" for key, value in vars(self).items() if key[0] != "_")
        return f"{type(self).__name__}({settings})"


class RandomTransform(Transform):
    """A transform by random numbers: `draw` them for n pictures, then change `one` picture, or `many`."""

    def draw(self, count: int, channels: int, height: int, width: int) -> tuple[np.ndarray, ...]:
        """Random parameters for `count` pictures, arrays of that length."""
        raise NotImplementedError

    def one(self, img: Any, *parameters: Any) -> Any:
        """Change a PIL picture or a Tensor by the parameters of one picture."""
        raise NotImplementedError

    def many(self, x: np.ndarray, *parameters: np.ndarray) -> np.ndarray:
        """Change an array (N, C, H, W), each picture by its own parameters."""
        raise NotImplementedError

    def __call__(self, img: Any) -> Any:
        return self.one(img, *(p[0] for p in self.draw(1, *F.get_dimensions(img))))

    def batch(self, x: np.ndarray) -> np.ndarray:
        return self.many(x, *self.draw(len(x), *x.shape[1:])) if len(x) else x


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
