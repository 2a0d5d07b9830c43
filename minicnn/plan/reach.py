"""What a function can reach from an object: its attributes, its class, the names in its code.

Where something might change unseen, or do what a replay would leave out, there is no plan.
"""

import dis
import logging
import os
import random
import re
import sys
import types
import typing
import weakref
from collections import deque
from collections.abc import Iterator, Set
from functools import cached_property, lru_cache, partial
from pathlib import PurePath
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from minicnn.nn.hooks import Hooks
from minicnn.nn.tree import Tree

MOVING = (np.random.Generator, np.random.RandomState, random.Random, Iterator)  # another value at each use
LOGGERS = (logging.Logger, logging.LoggerAdapter)
TELLING = {"print", "breakpoint", "input", "open"}  # what a replay would leave out
ANYTHING = {"eval", "exec", "globals", "locals"}  # what finds more than is named
SYSTEM = {"environ", "getenv", "stdout", "stderr"}  # of os and sys
STATELESS = (
    *(ModuleType, CodeType, re.Pattern, PurePath, typing.TypeVar, types.GenericAlias, types.UnionType),
    *(types.EllipsisType, types.NotImplementedType, types.MethodWrapperType),
)
MOST = 1024  # bytes of an array whose values are compared at each call


class EagerMeant(Exception):
    """There can be no plan, and nothing is wrong with that: hooks, prints, dice, lazy layers, a GPU ..."""


class Names:
    """The values of some names of a namespace."""

    def __init__(self, space: Any, names: set[str] | frozenset[str]) -> None:
        self.space, self.names = space, sorted(names & space.keys())

    def __iter__(self) -> Iterator[Any]:
        return (self.space.get(name) for name in self.names)

    def __len__(self) -> int:
        return len(self.names)


class Cells:
    """The values of a function's closure."""

    def __init__(self, function: FunctionType) -> None:
        both = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        self.cells = [cell for name, cell in both if name != "__class__"]  # which is super()'s

    def __iter__(self) -> Iterator[Any]:
        for cell in self.cells:
            try:
                yield cell.cell_contents
            except ValueError:  # the name stands for nothing yet
                yield None

    def __len__(self) -> int:
        return len(self.cells)


class Slots:
    """The values of attributes that are in no `__dict__`."""

    def __init__(self, x: Any, names: list[str]) -> None:
        self.x, self.names = x, names

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self.x, name, None) for name in self.names)

    def __len__(self) -> int:
        return len(self.names)


class Bytes:
    """The values of a NumPy array, byte by byte: small ints, of which each is always the same object."""

    def __init__(self, array: np.ndarray) -> None:
        if array.nbytes > MOST or array.dtype.hasobject:
            raise EagerMeant
        self.array = array

    def __iter__(self) -> Iterator[Any]:
        return iter(self.array.tobytes())

    def __len__(self) -> int:
        return self.array.nbytes


def inside(x: Any) -> Iterator[Any]:
    """What belongs to an object: collections, which are seen to change."""
    if isinstance(x, MOVING + LOGGERS) or hasattr(x, "cache_clear"):
        raise EagerMeant
    if isinstance(x, Hooks):
        yield from (x.before, x.after, x.backward)
        if x.before or x.after or x.backward:
            raise EagerMeant
    elif isinstance(x, FunctionType):
        if not library(x):
            yield from named_in(x)
    elif isinstance(x, type):
        if not library(x):
            yield from in_class(x, {"__init__"})
    elif isinstance(x, MethodType):
        yield x.__self__, x.__func__
    elif isinstance(x, types.BuiltinMethodType):
        yield (x.__self__,)
    elif isinstance(x, partial):
        yield x.func, x.args, x.keywords
    elif isinstance(x, staticmethod | classmethod | property | cached_property):
        yield tuple(functions_of(x))
    elif isinstance(x, weakref.ref):
        yield (x(),)
    elif isinstance(x, np.ndarray):
        yield Bytes(x)
    elif hasattr(x, "__wrapped__") and of_arrays(type(x)):  # a function that is compiled on its own, too
        yield (x.__wrapped__,)
    elif not isinstance(x, STATELESS):
        yield from in_object(x)


def in_object(x: Any) -> Iterator[Any]:
    """What a collection has, and any object's attributes; those of its class, too, if a user wrote it."""
    kind = type(x)
    if isinstance(x, tuple | list | set | frozenset | deque):
        yield x
    elif isinstance(x, dict | types.MappingProxyType):
        yield from (x.keys(), x.values()) if x else (x.keys(),)
    elif not isinstance(x, Tree) and of_arrays(kind):
        return
    elif not hasattr(x, "__dict__") and (not hasattr(kind, "__get__") if library(kind) else not slots_of(x)):
        raise EagerMeant
    if hasattr(x, "__dict__"):
        yield vars(x).values()
    if not library(kind):
        yield Slots(x, slots_of(x))
        yield from in_class(kind)


def slots_of(x: Any) -> list[str]:
    """The names of an object's attributes that are in no `__dict__`."""
    spaces = [vars(base).items() for base in type(x).__mro__]
    return [
        name for space in spaces for name, value in space if isinstance(value, types.MemberDescriptorType)
    ]


def in_class(kind: type, also: Set[str] = frozenset()) -> Iterator[Any]:
    """The attributes of a class and its bases: of a module those that `forward` names, and what those name.

    Of another class any method may be called, also those whose names are given.
    """
    spaces: list[Any] = [vars(base) for base in kind.__mro__ if not library(base)]
    every = {name for space in spaces for name in space if counts(name, space[name])}
    methods = {name for space in spaces for name in space if functions_of(space[name])}
    if issubclass(kind, Tree):
        names, waiting = every - methods, methods & {"forward", "__call__"}
    else:
        names, waiting = every - methods, methods - ({"__init__"} - also)
    while waiting:
        names.add(name := waiting.pop())
        for function in [f for space in spaces for f in functions_of(space.get(name))]:
            read = names_in(function.__code__)
            waiting |= methods if "getattr" in read.globals else methods & read.all
        waiting -= names
    for space in spaces:
        yield Names(space, names)


def counts(name: str, value: Any) -> bool:
    """Whether an attribute of a class is the user's, and not one that each class has."""
    return name != "_abc_impl" and (not name.startswith("__") or bool(functions_of(value)))


def functions_of(x: Any) -> list[FunctionType]:
    """A function itself, or what a property, a static or a class method is made of."""
    parts = (x, *(getattr(x, name, None) for name in ("__func__", "fget", "fset", "func")))
    return [part for part in parts if isinstance(part, FunctionType)]


def named_in(function: FunctionType) -> Iterator[Any]:
    """The values of the names in a function: of its file, of other files, of its closure, of its defaults."""
    read = names_in(function.__code__)
    found = Names(function.__globals__, read.globals)
    if (TELLING | ANYTHING) & (read.globals - function.__globals__.keys()) or "array" in read.all:
        raise EagerMeant  # `x.array` are numbers that nobody hears it read
    yield found
    modules = [x for x in found if isinstance(x, ModuleType)]
    modules += [sys.modules[name] for name in read.imports if name in sys.modules]
    met: list[ModuleType] = []
    for module in modules:  # which grows
        if module is logging or (module in (os, sys) and SYSTEM & read.all):
            raise EagerMeant
        if module not in met and not library(module):
            met.append(module)
            space = Names(vars(module), read.all)
            yield space
            modules += [x for x in space if isinstance(x, ModuleType)]
    yield Cells(function)
    yield function.__defaults__, function.__kwdefaults__
    yield vars(function).values()


class Read(NamedTuple):
    """The names in a function's code: those it looks up globally, modules it imports, and all."""

    globals: frozenset[str]
    imports: frozenset[str]
    all: frozenset[str]


@lru_cache(maxsize=1000)
def names_in(code: CodeType) -> Read:
    """The names that code looks up, also in the functions inside it."""
    inner = [names_in(part) for part in code.co_consts if isinstance(part, CodeType)]
    found: dict[str, set[str]] = {"GLOBAL": set(), "IMPORT": set()}
    for step in dis.get_instructions(code):
        if step.opname.endswith(("_GLOBAL", "LOAD_NAME", "STORE_NAME", "_OR_GLOBALS")):
            found["GLOBAL"].add(step.argval)
        elif step.opname == "IMPORT_NAME":
            found["IMPORT"].add(step.argval)
    own = Read(frozenset(found["GLOBAL"]), frozenset(found["IMPORT"]), frozenset(code.co_names))
    return Read(*(frozenset().union(*parts) for parts in zip(own, *inner, strict=True)))


def library(x: Any) -> bool:
    """Whether a function, class or module is minicnn's, NumPy's or Python's, where no state matters."""
    return in_library(x.__name__ if isinstance(x, ModuleType) else x.__module__ or "builtins")


def of_arrays(kind: type) -> bool:
    """Whether a class is minicnn's or NumPy's."""
    return (kind.__module__ or "").partition(".")[0] in ("minicnn", "numpy")


def in_library(module: str) -> bool:
    """Whether a module of that name is minicnn's, NumPy's or Python's."""
    package = module.partition(".")[0]
    return package in ("minicnn", "numpy") or package in sys.stdlib_module_names
