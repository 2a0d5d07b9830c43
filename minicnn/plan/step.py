"""A plan's lines: one operation each, with numbered values in the place of Tensors."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minicnn.autograd import Function, enable_grad, note_write
from minicnn.autograd.custom import computed
from minicnn.tensor import Tensor


class Slot(int):
    """The number of a value: an argument, a parameter or buffer, the result of a step."""

    def __repr__(self) -> str:
        return f"%{int(self)}"


class Same(Slot):
    """An output that is an argument or a parameter itself, and not only has its values."""


class Apart(Slot):
    """An output that no gradient passes, whatever else its value is used for: it was detached."""


@dataclass
class Step:
    """One operation of a plan.

    Attributes
    ----------
    function : subclass of Function
        What is done; a new one at each replay, since it keeps what its derivative needs.
    args, settings : tuple, dict
        What `forward` gets: Slots (also inside tuples, lists and dicts), and whatever else as it is.
    needs : tuple
        For each input where its gradient goes, a Slot, or None if nobody wants it.
    out : Slot
        The result.
    tracked : bool
        Whether gradients pass.
    shape : tuple of int
        Of the result.
    notes : list of str
        What was fused, for the table.
    """

    function: type[Function]
    args: tuple[Any, ...]
    settings: dict[str, Any]
    needs: tuple[Slot | None, ...]
    out: Slot
    tracked: bool
    shape: tuple[int, ...]
    notes: list[str] = field(default_factory=list)

    def reads(self) -> list[Slot]:
        """The values it works on, each as often as it is named."""
        return list(slots_in((self.args, self.settings)))

    def signature(self) -> tuple:
        """What two recordings of the same program have in common."""
        return self.function, mark(self.args), mark(self.settings), self.needs, self.out, self.shape


class Custom(Function):
    """A function that the user has written on Tensors; it runs as it is, at each replay."""

    def forward(self, kind: type[Function], inputs: list[Any]) -> Any:
        tensors = [Tensor.wrap(x) if isinstance(x, np.ndarray) else x for x in inputs]
        for x, need in zip(tensors, self.needs, strict=False):
            if need:
                x.tracked = True
        with enable_grad():
            out = computed(kind, tuple(tensors))
        self.node = out.node
        return out.array

    def backward(self, grad: Any) -> Any:
        return self.node.backward(grad)


class Write(Function):
    """Values written into the memory of another value; without a gradient."""

    def forward(self, memory: Any, values: Any) -> Any:
        memory[...] = values
        note_write(memory)
        return memory


def slots_in(value: Any) -> Any:
    """The Slots inside tuples, lists and dicts."""
    if isinstance(value, Slot):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from slots_in(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from slots_in(part)


def filled(value: Any, find: Callable[[Slot], Any]) -> Any:
    """The same tuples, lists and dicts with what `find` gives for each Slot."""
    if isinstance(value, Slot):
        return find(value)
    if isinstance(value, dict):
        return type(value)((key, filled(part, find)) for key, part in value.items())
    if isinstance(value, tuple | list):
        return rebuilt(value, [filled(part, find) for part in value])
    return value


def rebuilt(like: Any, parts: list) -> Any:
    """A list or tuple, also one with named fields, of other parts."""
    return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)


def mark(value: Any) -> Any:
    """What is to be compared of a setting; of objects that have no plain value, the kind."""
    if value is None or isinstance(value, str | int | float | slice | np.dtype | np.generic):
        return type(value), repr(value)
    if isinstance(value, tuple | list):
        return type(value), *map(mark, value)
    if isinstance(value, dict):
        return tuple((key, mark(part)) for key, part in value.items())
    if isinstance(value, type):
        return value
    if isinstance(value, functools.partial):
        return mark((value.func.__qualname__, value.args, value.keywords))
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype
    return type(value)
