"""What a compiled function relies on beside its arguments: no change of that goes unseen."""

import functools
import logging
import os
import threading
from argparse import Namespace
from collections import deque
from dataclasses import dataclass
from functools import partial
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import minicnn as mc
from minicnn import nn

FACTOR = 2
MODULE = None


def uses_a_global(x):
    return x * FACTOR


def test_globals_and_closures_are_looked_up(monkeypatch):
    shift = 1.0

    def f(x):
        return uses_a_global(x) + shift

    compiled, results = mc.compile(f), []
    for factor in (2, 2, 2, 3, 3, 3):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        results.append(compiled(mc.ones(1)).item())
    for shift in (5.0, 5.0, 6.0):  # noqa: B007 (in the closure)
        results.append(compiled(mc.ones(1)).item())
    assert results == [3, 3, 3, 4, 4, 4, 8, 8, 9]


class Talkative(nn.Module):
    """Prints, but not when it is called."""

    factor = 2

    def __init__(self):
        super().__init__()
        print("a new one")

    def forward(self, x):
        return self.scaled(x)

    def scaled(self, x):
        return x * self.factor

    def describe(self):
        print("scales")


def test_what_forward_names_of_its_class(monkeypatch):
    model = Talkative()
    compiled, results = mc.compile(model), []
    for factor in (2, 2, 2, 5, 5, 5):
        monkeypatch.setattr(Talkative, "factor", factor)
        results.append(compiled(mc.ones(1)).item())
    monkeypatch.setattr(Talkative, "scaled", lambda self, x: x + 1)
    results += [compiled(mc.ones(1)).item() for _ in range(3)]
    assert results == [2, 2, 2, 5, 5, 5, 2, 2, 2]
    assert len(compiled._compiled.plans) == 3


class Scale:
    """A user's object, which is no module."""

    def __init__(self, factor):
        self.factor = factor

    def of(self, x):
        return x * self.factor + FACTOR


def test_objects_are_looked_into(monkeypatch):
    scale, results = Scale(3), []
    compiled = mc.compile(lambda x: scale.of(x))
    for factor in (3, 3, 3, 4, 4, 4):
        scale.factor = factor
        results.append(compiled(mc.ones(1)).item())
    monkeypatch.setitem(globals(), "FACTOR", 10)
    results.append(compiled(mc.ones(1)).item())
    assert results == [5, 5, 5, 6, 6, 6, 14]


class Named:
    """A class as a namespace."""

    factor = 2

    @staticmethod
    def of(x):
        return x * FACTOR

    @property
    def both(self):
        return self.factor * FACTOR


class Narrow:
    __slots__ = ("factor",)


@dataclass(frozen=True, slots=True)
class Frozen:
    factor: int = 2


class Asks(nn.Module):
    factor = 2
    settings = Named

    def forward(self, x):
        return x * getattr(self, "fac" + "tor") * self.settings.factor


def on(x, **attributes):
    for name, value in attributes.items():
        setattr(x, name, value)
    return x


PLACES = {  # what is looked into, a function that uses a 2 of it, and how that becomes a 3
    "class": (Named, lambda x: x * Named.factor, lambda c: setattr(c, "factor", 3)),
    "class of a module": (Named, Asks(), lambda c: setattr(c, "factor", 3)),
    "attribute found by its name": (Asks, Asks(), lambda c: setattr(c, "factor", 3)),
    "namespace": (SimpleNamespace(k=2), lambda x, s: x * s.k, lambda s: setattr(s, "k", 3)),
    "options": (Namespace(k=2), lambda x, s: x * s.k, lambda s: setattr(s, "k", 3)),
    "slots": (on(Narrow(), factor=2), lambda x, s: x * s.factor, lambda s: setattr(s, "factor", 3)),
    "array": (np.array([2.0]), lambda x, s: x * float(s[0]), lambda s: s.fill(3)),
    "deque": (deque([2]), lambda x, s: x * s[0], lambda s: s.append(s.popleft() + 1)),
    "dict of lists": ({"k": [2]}, lambda x, s: x * s["k"][0], lambda s: s["k"].insert(0, 3)),
    "method of a list": ([2, 3].pop, lambda x, s: x * s.__self__[-1], lambda s: s.__self__.append(4)),
    "module in a module": (
        on(ModuleType("outer"), inner=on(ModuleType("inner"), K=2)),
        lambda x: x * MODULE.inner.K,
        lambda m: setattr(m.inner, "K", 3),
    ),
    "environment": (os.environ, lambda x: x * float(os.environ.get("K", 2)), lambda e: e.update(K="3")),
}


@pytest.mark.parametrize("place", PLACES)
def test_no_change_goes_unseen(place, monkeypatch):
    found, function, change = PLACES[place]
    monkeypatch.setitem(globals(), "MODULE", found)
    for owner in (Named, Asks):
        monkeypatch.setattr(owner, "factor", owner.factor)
    monkeypatch.setenv("K", "2")
    if not isinstance(function, nn.Module) and "s" in function.__code__.co_varnames:
        function = partial(function, s=found)
    compiled, x = mc.compile(function), mc.tensor([1.0, 5.0])
    for _ in range(4):
        before = compiled(x).tolist()
    change(found)
    assert compiled(x).tolist() == function(x).tolist() != before


def test_what_a_class_calls_is_looked_into(monkeypatch):
    named, x = Named(), mc.ones(1)
    functions = [lambda x: Named.of(x), lambda x: x * named.both, lambda x: x * Frozen().factor]
    compiled = [mc.compile(f) for f in functions]
    for factor, expected in [(2, [2, 4, 2]), (3, [3, 6, 2])]:
        monkeypatch.setitem(globals(), "FACTOR", factor)
        for _ in range(3):
            assert [f(x).item() for f in compiled] == expected
    assert [len(f.plans) for f in compiled] == [2, 2, 1]


def test_what_a_replay_would_leave_out_happens(caplog):
    logger, written, kept = logging.getLogger("layers"), np.zeros(1), deque()
    compiled = mc.compile(lambda x: logger.warning("called") or x * 2)
    for _ in range(5):
        compiled(mc.ones(1))
    assert len(caplog.records) == 5

    def counts(x):
        written[0] += 1
        kept.append(x)
        return x * 2

    compiled = mc.compile(counts)
    with pytest.warns(UserWarning, match="changes what it relies on"):
        for _ in range(9):
            compiled(mc.ones(1))
    assert written[0] == len(kept) == 9


def test_what_cannot_be_seen_to_change_runs_as_it_is():
    large, lock = np.full(1000, 2.0), threading.Lock()

    @functools.cache
    def remembered():
        return FACTOR

    functions = [
        lambda x: x * float(large[-1]),
        lambda x: x * (2 if lock else 1),
        lambda x: x * remembered(),
        lambda x: x * globals()["FACTOR"],
        lambda x: x * (2 * float(x.array[0])),
    ]
    for function in functions:
        compiled = mc.compile(function)
        assert [compiled(mc.ones(1)).item() for _ in range(4)] == [2, 2, 2, 2]
        assert not compiled.plans


def test_names_that_stand_for_nothing_yet():
    compiled = mc.compile(lambda x, late=False: x * (later if late else 1))
    assert [compiled(mc.ones(1)).item() for _ in range(3)] == [1, 1, 1]
    later = 3
    assert [compiled(mc.ones(1), late=True).item() for _ in range(3)] == [later] * 3
