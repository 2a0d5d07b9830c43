"""What a call depends on beside its arguments: modules and their settings, parameters, what functions name.

A plan holds for one state of all that. Before each replay every namespace is compared with how it was seen
last, object by object, which takes well under a microsecond a layer; only where something is another object,
as after ``model.eval()``, all is looked through again.
"""

import random
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from operator import is_
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from minicnn.device import device
from minicnn.nn.hooks import Hooks
from minicnn.nn.parameter import is_lazy
from minicnn.nn.tree import Tree
from minicnn.tensor import Tensor

PLAIN = (str, int, float, complex, bytes, type(None), np.dtype, np.generic, device, slice, range, type)
MOVING = (np.random.Generator, np.random.RandomState, random.Random, Iterator)  # another value at each use
TELLING = {"print", "breakpoint"}  # what a replay would leave out
MANY = 20_000  # objects; no model has so many


class EagerMeant(Exception):
    """There can be no plan, and nothing is wrong with that: hooks, prints, dice, lazy layers, a GPU ..."""


class Names:
    """The values of some names of a module's namespace."""

    def __init__(self, space: dict[str, Any], names: set[str]) -> None:
        self.space, self.names = space, sorted(names & space.keys())

    def __iter__(self) -> Iterator[Any]:
        return (self.space.get(name) for name in self.names)

    def __len__(self) -> int:
        return len(self.names)


class Cells:
    """The values of a function's closure."""

    def __init__(self, cells: tuple) -> None:
        self.cells = cells

    def __iter__(self) -> Iterator[Any]:
        for cell in self.cells:
            try:
                yield cell.cell_contents
            except ValueError:  # the name stands for nothing yet
                yield None

    def __len__(self) -> int:
        return len(self.cells)


class Sight:
    """All that a function could reach when it was looked at."""

    def __init__(self) -> None:
        self.state: int | None = None
        self.lasting = True  # whether it can be seen that something has changed since
        self.tensors: list[Tensor] = []
        self.arrays: list[tuple[Any, bool]] = []  # of each Tensor its array, and whether it was tracked
        self.spaces: list[tuple[Any, tuple]] = []  # namespaces, and what was in them

    def holds(self) -> bool:
        """Whether each name still stands for the same object, and each Tensor has the same memory."""
        for space, before in self.spaces:
            if len(space) != len(before) or not all(map(is_, space, before)):
                return False
        for tensor, (array, tracked) in zip(self.tensors, self.arrays, strict=True):
            if tensor.array is not array or tensor.tracked is not tracked:
                return False
        return self.lasting


class Surroundings:
    """All that a function can reach.

    Parameters
    ----------
    root : callable
        A module or a function.

    Attributes
    ----------
    sight : Sight
        How it looked last; its `tensors` are the parameters, buffers, and what else there is.
    """

    def __init__(self, root: Any) -> None:
        self.root = root
        self.states: dict[tuple, int] = {}
        self.alive: list[Any] = []  # whatever has an id in the states
        self.sight = Sight()
        self.sight.lasting = False

    def look(self) -> int | None:
        """A number for the state of now, the same whenever all is as now; None where no plan can be."""
        sight = self.sight
        if not sight.holds():
            sight = Sight()
            with suppress(EagerMeant):
                facts = tuple(self.explore(sight))
                sight.state = self.states.setdefault(facts, len(self.states))
            self.sight = sight  # at once, for other threads may be looking
        return sight.state

    def explore(self, sight: Sight) -> Iterator[Any]:
        """Look through everything: the facts that make a state."""
        met: set[int] = set()
        waiting = deque([self.root])
        while waiting:
            x = waiting.popleft()
            if isinstance(x, PLAIN):
                yield x if isinstance(x, type) else (type(x), repr(x))
                continue
            yield id(x)
            if id(x) in met:
                continue
            met.add(id(x))
            self.alive.append(x)
            if len(met) > MANY or isinstance(x, MOVING):
                raise EagerMeant
            if isinstance(x, Tensor):
                yield fact(sight, x)
                continue
            for space in inside(x):
                before = tuple(space)
                if type(space) is not tuple:  # which does not change
                    sight.spaces.append((space, before))
                yield len(before)
                waiting.extend(before)


def fact(sight: Sight, x: Tensor) -> tuple:
    """What a plan relies on of a Tensor, whose values may change."""
    if is_lazy(x):
        sight.lasting = False  # look again at the next call
        raise EagerMeant
    sight.tensors.append(x)
    sight.arrays.append((x.array, x.tracked))
    if type(x.array) is not np.ndarray:
        raise EagerMeant
    return x.tracked, x.array.shape, x.array.dtype, x.array.strides


def inside(x: Any) -> Iterator[Any]:
    """What belongs to an object: collections, which are seen to change."""
    if isinstance(x, Hooks):
        yield from (x.before, x.after, x.backward)
        if x.before or x.after or x.backward:
            raise EagerMeant
    elif isinstance(x, tuple | list | set | frozenset):
        yield x
    elif isinstance(x, dict):
        yield from (x.keys(), x.values())
    elif isinstance(x, MethodType):
        yield x.__self__, x.__func__
    elif isinstance(x, partial):
        yield x.func, x.args, x.keywords
    elif isinstance(x, FunctionType):
        if not library(x):
            yield from named_in(x)
    elif isinstance(x, Tree) or (
        hasattr(x, "__dict__") and not isinstance(x, ModuleType) and not library(type(x))
    ):
        yield vars(x).values()
        yield from in_class(type(x))


def in_class(kind: type) -> Iterator[Any]:
    """What `forward` names of a module's class: other methods, attributes; and what those name.

    Of another object any method may be called.
    """
    spaces: list[Any] = [vars(base) for base in kind.__mro__ if not library(base)]
    names: set[str] = set()
    waiting = {"forward", "__call__"} if issubclass(kind, Tree) else set().union(*spaces) - {"__init__"}
    while waiting:
        names.add(name := waiting.pop())
        for space in spaces:
            if isinstance(space.get(name), FunctionType):
                waiting.update(names_of(space[name].__code__))
        waiting -= names
    for space in spaces:
        yield Names(space, names)


def named_in(function: FunctionType) -> Iterator[Any]:
    """The values of the names in a function: of its file, of other files, of its closure, of its defaults."""
    names = set(names_of(function.__code__))
    if TELLING & names - function.__globals__.keys():
        raise EagerMeant
    found = Names(function.__globals__, names)
    yield found
    for module in found:
        if isinstance(module, ModuleType) and not library(module):
            yield Names(vars(module), names)
    yield Cells(function.__closure__ or ())
    yield function.__defaults__, function.__kwdefaults__


def names_of(code: CodeType) -> Iterator[str]:
    """The names that code looks up, also in the functions inside it."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from names_of(inner)


def library(x: Any) -> bool:
    """Whether a function, class or module is minicnn's, NumPy's or Python's, where no state matters."""
    return in_library(x.__name__ if isinstance(x, ModuleType) else x.__module__ or "builtins")


def in_library(module: str) -> bool:
    """Whether a module of that name is minicnn's, NumPy's or Python's."""
    package = module.partition(".")[0]
    return package in ("minicnn", "numpy") or package in sys.stdlib_module_names
