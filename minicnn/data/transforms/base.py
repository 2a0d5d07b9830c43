"""What a transform is, and how several make one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minicnn.data.collate import default_collate
from minicnn.data.draws import draws
from minicnn.data.transforms import functional as F
from minicnn.tensor import Tensor


class Transform:
    """Base class of transforms.

    ``transform(picture)`` does what torchvision's does to a PIL picture or a Tensor (..., C, H, W), all its
    pictures alike. ``transform.batch(x)`` changes an array (N, C, H, W), bytes or floats in [0, 1], at once;
    a random transform draws numbers of its own for each of the N pictures.

    Attributes
    ----------
    takes_pillow : whether it takes PIL pictures, and so may stand before `ToTensor`.
    batched : whether `batch` is to be used.
    """

    takes_pillow = True
    batched = True

    def __call__(self, img: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: a Transform must define __call__")

    def batch(self, x: np.ndarray) -> np.ndarray:
        """All pictures of a batch (N, C, H, W) at once."""
        return self(x)

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


def _speaks(step: Any) -> bool:
    """Whether a step's `batch` may be used: a subclass that only redefines `__call__` wants that called."""
    if not isinstance(step, Transform) or not step.batched:
        return False
    for cls in type(step).__mro__:
        if {"batch", "many"} & vars(cls).keys() or cls is Transform:
            return True
        if "__call__" in vars(cls):
            # torchvision's deterministic ones: __call__ takes whole batches
            return cls.__module__.startswith(__package__)
    return False


class Compose(Transform):
    """Apply `transforms`, Transforms or any other functions, one after the other."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]):
        for step in transforms:
            if not callable(step):
                raise TypeError(f"Compose: expected functions, got {type(step).__name__}")
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for step in self.transforms:
            img = step(img)
        return img

    def batch(self, x: np.ndarray) -> np.ndarray:
        for step in self.transforms:
            x = step.batch(x) if isinstance(step, Transform) else step(x)
        return x

    def __repr__(self) -> str:
        return "\n    ".join(["Compose(", *(repr(step) for step in self.transforms)]) + "\n)"


class Lambda(Transform):
    """Apply a function to single pictures."""

    batched = False

    def __init__(self, lambd: Callable[[Any], Any]):
        if not callable(lambd):
            raise TypeError(f"Lambda: argument lambd should be callable, got {type(lambd).__name__}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)


class RandomApply(Transform):
    """Apply all of `transforms` with probability `p`, or none."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: float = 0.5):
        self.transforms = transforms
        self.p = p

    @property
    def batched(self) -> bool:  # type: ignore[override]
        return all(_speaks(step) for step in self.transforms)

    @property
    def takes_pillow(self) -> bool:  # type: ignore[override]
        return all(getattr(step, "takes_pillow", True) for step in self.transforms)

    def __call__(self, img: Any) -> Any:
        return Compose(self.transforms)(img) if draws().random() < self.p else img

    def batch(self, x: np.ndarray) -> np.ndarray:
        chosen = draws().random(len(x)) < self.p
        if chosen.any():
            x = x.copy()
            x[chosen] = Compose(self.transforms).batch(x[chosen])
        return x


def steps_of(transform: Any) -> list[Any]:
    """The steps of a transform, those of composed ones in a row."""
    if type(transform) is not Compose:
        return [transform]
    return [inner for step in transform.transforms for inner in steps_of(step)]


def batch_form(transform: Any, into_tensors: tuple[type, ...]) -> Callable[[np.ndarray], Any] | None:
    """How to do to a batch of bytes (N, C, H, W) what `transform` does to single PIL pictures.

    None if that takes PIL pictures: when some other function comes before the step, one of `into_tensors`,
    that makes them Tensors, or when there is no such step. Other functions after it get Tensors (C, H, W)
    one by one.
    """
    steps = steps_of(transform)
    first = next((place for place, step in enumerate(steps) if type(step) in into_tensors), None)
    if first is None or any(type(step) in into_tensors for step in steps[first + 1 :]):
        return None
    if not all(_speaks(step) and step.takes_pillow for step in steps[:first]):
        return None

    def run(x: np.ndarray) -> Any:
        for place, step in enumerate(steps):
            if _speaks(step):
                x = step.batch(x)
                continue
            samples = [step(Tensor(picture)) for picture in x]
            alike = all(
                isinstance(s, Tensor) and s.ndim == 3 and s.shape == samples[0].shape for s in samples
            )
            if not alike:
                rest = Compose(steps[place + 1 :])
                return default_collate([rest(sample) for sample in samples])
            x = np.stack([sample.array for sample in samples])
        return x

    return run
