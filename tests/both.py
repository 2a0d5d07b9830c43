"""One function, run with minicnn and with PyTorch: the same results, gradients and kinds of errors."""

import math
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import minicnn as mc
from minicnn.testing import gradcheck

BOTH = pytest.mark.parametrize("m", [mc, torch], ids=["minicnn", "torch"])
TOLERANCE = {"float32": {"rtol": 2e-6, "atol": 1e-6}, "float64": {"rtol": 1e-12, "atol": 1e-13}}


def draw(shape: Sequence[int], kind: str = "any") -> np.ndarray:
    """Values well apart from each other, and from 0 and 1, so that a small step crosses no kink."""
    rng = np.random.default_rng(math.prod(shape) + 7 * len(shape) + 1)
    values = rng.permutation(np.arange(math.prod(shape))).reshape(shape) * 0.11 + 0.34
    return values if kind == "positive" else values * rng.choice([-1, 1], shape)


def run(
    module: ModuleType, function: Callable, arrays: Sequence[np.ndarray], dtype: str, constant: int = -1
) -> tuple[list, list]:
    """The results, and the gradients when each result gets one of its own; one input may be constant."""
    kind = getattr(module, dtype)
    inputs = [module.tensor(x, dtype=kind, requires_grad=i != constant) for i, x in enumerate(arrays)]
    results = function(module, *inputs)
    results = list(results) if isinstance(results, tuple | list) else [results]
    total: Any = 0
    for i, y in enumerate(results):
        if y.requires_grad:
            weights = np.cos(np.arange(y.numel()) + i).reshape(tuple(y.shape))
            total = total + (y * module.tensor(weights, dtype=y.dtype)).sum()
    total.backward()
    return [y.detach().numpy() for y in results], [None if x.grad is None else x.grad.numpy() for x in inputs]


def same(got: np.ndarray | None, expected: np.ndarray | None, dtype: str = "float64") -> None:
    """Two arrays of one shape and dtype, equal up to rounding, or both None."""
    assert (got is None) == (expected is None)
    if got is not None and expected is not None:
        assert got.shape == expected.shape
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, **TOLERANCE[dtype])


def compare(function: Callable, *arrays: np.ndarray, dtype: str = "float64", constant: int = -1) -> None:
    """Results and gradients, with their dtypes, as PyTorch has them."""
    got, expected = (run(module, function, arrays, dtype, constant) for module in (mc, torch))
    for ours, theirs in zip(got[0] + got[1], expected[0] + expected[1], strict=True):
        same(ours, theirs, dtype)


def check(function: Callable, *arrays: np.ndarray) -> None:
    """`compare` in float32 and float64; and the gradients by differences."""
    for dtype in ("float32", "float64"):
        compare(function, *arrays, dtype=dtype)
    assert gradcheck(lambda *xs: function(mc, *xs), [mc.tensor(x, requires_grad=True) for x in arrays])


def alike(ours: mc.Tensor, theirs: torch.Tensor) -> None:
    """Two Tensors of one dtype, shape and values, which both require grad or do not."""
    assert isinstance(ours, mc.Tensor), f"{ours!r} instead of {theirs!r}"
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
    assert ours.requires_grad == theirs.requires_grad
    assert ours.shape == tuple(theirs.shape)
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-6)


def agree(function: Callable[[ModuleType], Any]) -> None:
    """The same Tensor, or the same kind of error."""
    ours, theirs = (outcome(function, module) for module in (mc, torch))
    if isinstance(theirs, type):
        assert isinstance(ours, type), f"{ours!r} but PyTorch raises {theirs}"
        assert issubclass(theirs, ours)  # PyTorch has NotImplementedError where we have RuntimeError
    else:
        alike(ours, theirs)


def refuse(function: Callable[[ModuleType], Any]) -> None:
    """The same kind of error."""
    assert isinstance(outcome(function, torch), type), "PyTorch raises nothing"
    agree(function)


def outcome(function: Callable[[ModuleType], Any], module: ModuleType) -> Any:
    """What the function returns, or the kind of error it raises."""
    try:
        return function(module)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        return type(error)


def leaf(m: ModuleType, *numbers: float, dtype: str = "float64") -> Any:
    """A vector that requires grad."""
    return m.tensor(list(numbers), dtype=getattr(m, dtype), requires_grad=True)


def values(x: Any) -> Any:
    """The elements as lists, or None."""
    return None if x is None else x.tolist()
