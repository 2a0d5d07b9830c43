"""Transforms made of others, and what they do to whole batches."""

from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import numpy as np

from minicnn import random
from minicnn.data.collate import default_collate
from minicnn.data.transforms.base import Transform, probability
from minicnn.tensor import Tensor


def batched(step: Any) -> TypeGuard[Transform]:
    """Whether a function is a transform whose `batch` may be used."""
    return isinstance(step, Transform) and step.batched


def apply_to_batch(step: Any, x: np.ndarray) -> Any:
    """What a transform, or any other function of batches, makes of one."""
    return step.batch(x) if batched(step) else step(x)


class Several(Transform):
    """Base class of transforms made of `transforms`, which are Transforms or any other functions."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]):
        name = type(self).__name__
        if not isinstance(transforms, Sequence):
            raise TypeError(f"{name}: expected a list of functions, got {type(transforms).__name__}")
        for step in transforms:
            if not callable(step):
                raise TypeError(f"{name}: expected functions, got {type(step).__name__}")
        self.transforms = transforms

    @property
    def batched(self) -> bool:
        return super().batched and all(batched(step) for step in self.transforms)

    @property
    def takes_pillow(self) -> bool:  # type: ignore[override]
        return all(getattr(step, "takes_pillow", True) for step in self.transforms)


class Compose(Several):
    """Apply `transforms` one after the other."""

    def __call__(self, img: Any) -> Any:
        for step in self.transforms:
            img = step(img)
        return img

    def batch(self, x: np.ndarray) -> np.ndarray:
        for step in self.transforms:
            x = apply_to_batch(step, x)
        return x

    def __repr__(self) -> str:
        return "\n    ".join(["Compose(", *(repr(step) for step in self.transforms)]) + "\n)"


class Lambda(Transform):
    """Apply a function to single pictures."""

    def __init__(self, lambd: Callable[[Any], Any]):
        if not callable(lambd):
            raise TypeError(f"Lambda: argument lambd should be callable, got {type(lambd).__name__}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)


class RandomApply(Several):
    """Apply all of `transforms` with probability `p`, or none."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: float = 0.5):
        super().__init__(transforms)
        self.p = probability("RandomApply", p)

    def __call__(self, img: Any) -> Any:
        return Compose(self.transforms)(img) if random.generator().random() < self.p else img

    def batch(self, x: np.ndarray) -> np.ndarray:
        chosen = random.generator().random(len(x)) < self.p
        if chosen.any():
            x = x.copy()
            x[chosen] = Compose(self.transforms).batch(x[chosen])
        return x


class RandomChoice(Several):
    """Apply one of `transforms`, drawn with probabilities in proportion to `p`, or all alike."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: Sequence[float] | None = None):
        super().__init__(transforms)
        if p is not None and (not isinstance(p, Sequence) or len(p) != len(transforms)):
            raise TypeError(f"RandomChoice: p must be {len(transforms)} numbers, got {p!r}")
        self.p = p

    def __call__(self, img: Any) -> Any:
        parts = None if self.p is None else np.asarray(self.p, np.float64) / sum(self.p)
        return self.transforms[random.generator().choice(len(self.transforms), p=parts)](img)


class RandomOrder(Several):
    """Apply all of `transforms` in a random order."""

    def __call__(self, img: Any) -> Any:
        for place in random.generator().permutation(len(self.transforms)):
            img = self.transforms[place](img)
        return img


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
    if not all(batched(step) and step.takes_pillow for step in steps[:first]):
        return None

    def run(x: np.ndarray) -> Any:
        for place, step in enumerate(steps):
            if batched(step):
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
