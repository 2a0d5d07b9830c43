"""Checks of hyper-parameters, shared by functions and layers; errors name the operation and the argument."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minicnn.tensor import Tensor

Size = int | tuple[int, int]
REDUCTIONS = ("none", "mean", "sum")


def check_tensors(name: str, **arguments: Any) -> None:
    """Raise TypeError unless all are Tensors."""
    for role, value in arguments.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"{name}: expected {role} to be a Tensor, got {type(value).__name__}")


def check_floats(name: str, **arguments: Any) -> None:
    """Raise TypeError unless all are Tensors, and RuntimeError unless of floating point numbers."""
    check_tensors(name, **arguments)
    for role, value in arguments.items():
        if value.array.dtype.kind != "f":
            raise RuntimeError(f"{name}: expected {role} as floating point numbers, got {value.dtype}")


def integer(name: str, role: str, value: Any, least: int, error: type[Exception] = RuntimeError) -> int:
    """An int of at least `least`; else TypeError or `error`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name}: expected {role} as an int, got {value!r}")
    if value < least:
        raise error(f"{name}: {role} must be at least {least}, got {value}")
    return int(value)


def pair(
    name: str, role: str, value: Any, least: int, error: type[Exception] = RuntimeError
) -> tuple[int, int]:
    """Two ints of at least `least`, down and across, from one or two; else TypeError or `error`."""
    numbers = tuple(value) if isinstance(value, tuple | list) else (value,)
    if not 1 <= len(numbers) <= 2:
        raise error(f"{name}: expected {role} as one number or two, got {value!r}")
    if any(isinstance(n, bool) or not isinstance(n, int | np.integer) for n in numbers):
        raise TypeError(f"{name}: expected {role} as an int or a pair of ints, got {value!r}")
    if min(numbers) < least:
        raise error(f"{name}: {role} must be at least {least}, got {value!r}")
    return int(numbers[0]), int(numbers[-1])


def probability(name: str, p: float) -> float:
    """A number from 0 to 1; else ValueError."""
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: the probability must be between 0 and 1, got {p}")
    return p


def check_reduction(name: str, reduction: str) -> None:
    """Raise ValueError unless it is the name of a reduction."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{name}: expected reduction as one of {REDUCTIONS}, got {reduction!r}")


def check_smoothing(name: str, label_smoothing: float, error: type[Exception] = RuntimeError) -> None:
    """Raise unless it is a number from 0 to 1."""
    if not 0 <= label_smoothing <= 1:
        raise error(f"{name}: label_smoothing must be between 0 and 1, got {label_smoothing}")


def batched(function: Callable[[Tensor], Tensor], input: Tensor) -> Tensor:
    """Apply a function of (N, C, H, W) also to a single picture (C, H, W)."""
    return function(input.unsqueeze(0)).squeeze(0) if input.ndim == 3 else function(input)
