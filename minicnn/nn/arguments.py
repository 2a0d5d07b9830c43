"""Checks of hyper-parameters, shared by functions and layers; errors name the operation and the argument."""

import functools
import warnings
from collections.abc import Callable
from types import FunctionType, NoneType
from typing import Any

import numpy as np

from minicnn.tensor import Tensor

Size = int | tuple[int, ...]  # one number for all dimensions, or one for each
SIMPLE = {int, bool, float, str, NoneType, type}
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
    if type(value) is int and value >= least:
        return value, value
    first, second = row(name, role, value, 2, least, error)
    return first, second


def row(
    name: str, role: str, value: Any, count: int, least: int, error: type[Exception] = RuntimeError
) -> tuple[int, ...]:
    """As `pair`, `count` ints: one or two."""
    numbers = tuple(value) if isinstance(value, tuple | list) else (value,)
    if len(numbers) not in (1, count):
        wanted = "one number" if count == 1 else "one number or two"
        raise error(f"{name}: expected {role} as {wanted}, got {value!r}")
    for n in numbers:
        if type(n) is not int and (isinstance(n, bool) or not isinstance(n, int | np.integer)):
            raise TypeError(f"{name}: expected {role} as ints, got {value!r}")
        if n < least:
            raise error(f"{name}: {role} must be at least {least}, got {value!r}")
    return tuple(map(int, numbers)) * (count // len(numbers))


def remembered(function: Any, *arguments: Any) -> Any:
    """The result of an `lru_cache`d function; only simple arguments are looked up, others may have no hash.

    Nor is a tuple looked up: (2.0, 2), which is an error, equals (2, 2).
    """
    if SIMPLE.issuperset(map(type, arguments)):
        return function(*arguments)
    return function.__wrapped__(*arguments)


def probability(name: str, p: Any) -> Any:
    """A number from 0 to 1; else TypeError or ValueError."""
    check_number(name, "the probability", p)
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: the probability must be between 0 and 1, got {p}")
    return p


def check_number(name: str, role: str, value: Any) -> None:
    """Raise TypeError unless it is a number."""
    if not isinstance(value, int | float | np.number):
        raise TypeError(f"{name}: expected {role} as a number, got {value!r}")


def check_reduction(name: str, reduction: str, known: tuple[str, ...] = REDUCTIONS) -> None:
    """Raise ValueError unless it is the name of a reduction."""
    if reduction not in known:
        raise ValueError(f"{name}: expected reduction as one of {known}, got {reduction!r}")


def old_reduction(size_average: Any, reduce: Any, reduction: str) -> str:
    """The reduction, which in old programs two truth values say; with a warning, as in PyTorch."""
    if size_average is None and reduce is None:
        return reduction
    mean = size_average is None or size_average
    reduction = "none" if not (reduce is None or reduce) else "mean" if mean else "sum"
    message = f"size_average and reduce are deprecated, please use reduction={reduction!r} instead"
    warnings.warn(message, UserWarning, stacklevel=4)
    return reduction


def check_smoothing(name: str, label_smoothing: float, error: type[Exception] = RuntimeError) -> None:
    """Raise unless it is a number from 0 to 1."""
    check_number(name, "label_smoothing", label_smoothing)
    if not 0 <= label_smoothing <= 1:
        raise error(f"{name}: label_smoothing must be between 0 and 1, got {label_smoothing}")


def batched(function: Callable[[Tensor], Tensor], input: Tensor) -> Tensor:
    """Apply a function of (N, C, H, W) also to a single picture (C, H, W)."""
    return function(input.unsqueeze(0)).squeeze(0) if input.ndim == 3 else function(input)


def own_inits(public: list[Any]) -> None:
    """Give layers the ``__init__`` of a base that is not public as their own.

    Python's errors about arguments name the class that defines it: now the one that was called.
    """
    layers = {layer.__name__: layer for layer in public if isinstance(layer, type)}
    for name, layer in layers.items():
        base: Any = layer.__init__  # type: ignore[misc]
        if base.__qualname__.partition(".")[0] not in layers:
            init = FunctionType(base.__code__, base.__globals__, "__init__", None, base.__closure__)
            functools.update_wrapper(init, base)
            init.__defaults__, init.__kwdefaults__ = base.__defaults__, base.__kwdefaults__
            init.__qualname__ = f"{name}.__init__"
            layer.__init__ = init  # type: ignore[misc]
