"""Names of functions and of arguments: ``mc.sum(input=x, axis=0)`` is ``x.sum(dim=0)``."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from minicnn.autograd import is_grad_enabled
from minicnn.tensor.apply import Variable

F = TypeVar("F", bound=Callable[..., Any])
NUMPY = {"axis": "dim", "keepdims": "keepdim"}  # NumPy's names, which PyTorch takes for its own


def numpy_names(function: F) -> F:
    """Let a function with `dim` and `keepdim` take NumPy's names for them, too."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not NUMPY.keys().isdisjoint(kwargs):
            kwargs = {NUMPY.get(name, name): value for name, value in kwargs.items()}
        return function(*args, **kwargs)

    return call  # type: ignore[return-value]


def over_dims(function: F) -> F:
    """`numpy_names` for a method with ``dim=None, keepdim=False``; positions cost less than keywords."""

    @functools.wraps(function)
    def call(self: Any, dim: Any = None, keepdim: bool = False, **others: Any) -> Any:
        if not others:
            return function(self, dim, keepdim)
        if ("axis" in others and dim is not None) or ("keepdims" in others and keepdim):
            raise TypeError(f"{function.__name__}: expected dim or axis, and keepdim or keepdims, not both")
        return function(self, others.pop("axis", dim), others.pop("keepdims", keepdim), **others)

    return call  # type: ignore[return-value]


def function(method: Callable[..., Any], rest: str = "") -> Callable[..., Any]:
    """A method of Tensors as a function whose first argument, the Tensor, is called `input`.

    `rest` is the keyword under which the function takes what the method takes as ``*args``.
    """
    name = method.__name__.strip("_")

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not args and "input" in kwargs:
            args = (kwargs.pop("input"),)
        if not args or not isinstance(args[0], Variable):
            given = type(args[0]).__name__ if args else "nothing"
            raise TypeError(f"{name}: expected a Tensor as the input, got {given}")
        if rest and rest in kwargs:
            args = (*args, kwargs.pop(rest))
        if kwargs and "out" in kwargs:
            return write(name, kwargs.pop("out"), method(*args, **kwargs))
        return method(*args, **kwargs)

    return call


def write(name: str, out: Any, result: Any) -> Any:
    """Give the Tensor `out` the values of a result."""
    if out is None:
        return result
    if not isinstance(out, Variable.kind) or not isinstance(result, Variable.kind):
        raise TypeError(f"{name}: expected one Tensor as out, for a result of one Tensor")
    if out.tracked or (result.tracked and is_grad_enabled()):
        raise RuntimeError(f"{name}: out= gives no gradients; use it with Tensors that do not require grad")
    return out.assign(f"{name}: out", result, fresh=False)
