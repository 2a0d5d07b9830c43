"""What a call depends on beside its arguments: modules and their settings, parameters, what functions name.

A plan holds for one state of all that. Before each replay every namespace is compared with how it was seen
last, object by object, which takes well under a microsecond a layer; only where something is another object,
as after ``model.eval()``, all is looked through again.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from operator import is_
from typing import Any

import numpy as np

from minicnn.device import device
from minicnn.nn.parameter import is_lazy
from minicnn.plan.reach import EagerMeant, inside
from minicnn.tensor import Tensor

PLAIN = (str, int, float, complex, bytes, type(None), np.dtype, np.generic, device, slice, range)
MANY = 20_000  # objects; no model has so many
STATES = 64  # that are remembered


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
        self.states: dict[tuple, tuple] = {}  # facts -> their number, and whatever has an id in the facts
        self.numbers = count()
        self.sight = Sight()
        self.sight.lasting = False

    def look(self) -> int | None:
        """A number for the state of now, the same whenever all is as now; None where no plan can be."""
        sight = self.sight
        if not sight.holds():
            sight = Sight()
            with suppress(EagerMeant):
                met: dict[int, Any] = {}
                facts = tuple(self.explore(sight, met))
                if len(self.states) == STATES:  # old ones get a new number if they come back
                    self.states = {}
                sight.state, _ = self.states.setdefault(facts, (next(self.numbers), met))
            self.sight = sight  # at once, for other threads may be looking
        return sight.state

    def explore(self, sight: Sight, met: dict[int, Any]) -> Iterator[Any]:
        """Look through everything, which is put into `met`: the facts that make a state."""
        waiting = deque([self.root])
        while waiting:
            x = waiting.popleft()
            if isinstance(x, PLAIN):
                yield type(x), repr(x)
                continue
            yield id(x)
            if id(x) in met:
                continue
            met[id(x)] = x
            if len(met) > MANY:
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
