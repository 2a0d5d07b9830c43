"""Launches whose numbers change from step to step, in a CUDA graph: learning rates, the corrections of Adam.

A graph repeats its launches with the arguments that they had. So such numbers lie in the GPU's memory, where
a launch finds them; and before each replay the CPU goes through what it would have launched, and only puts
the numbers there that are other ones by now.
"""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from operator import is_
from typing import Any

import numpy as np

from minicnn.kernels.cuda.launch import by_value, cupy, launch

Array = Any  # of CuPy
NUMBERS = 10  # of a launch, as the kernel `put` in optim.cu takes them


@dataclass
class Launch:
    """One of a graph: what tells it from others, where its numbers are, which come there, which are there."""

    what: Hashable
    arrays: Sequence[Array]
    numbers: Array
    wanted: tuple[float, ...]
    there: tuple[float, ...] | None = None

    def is_of(self, what: Hashable, arrays: Sequence[Array]) -> bool:
        """Whether it works on the very same arrays."""
        alike = self.what == what and len(self.arrays) == len(arrays)
        return alike and all(map(is_, self.arrays, arrays))


class Changing:
    """The launches of one graph whose numbers change.

    Attributes
    ----------
    same : bool
        Whether all that was launched before the last replay are launches of the graph, one by one.
    """

    def __init__(self) -> None:
        self.launches: list[Launch] = []
        self.place: int | None = None  # of the launch that comes next before a replay
        self.same = True

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Let launches inside a ``with`` block, which are captured, be known from then on."""
        token = _graph.set(self)
        try:
            yield
        finally:
            _graph.reset(token)

    @contextmanager
    def comparing(self) -> Iterator[None]:
        """Let launches inside a ``with`` block tell their numbers, and no more."""
        self.place, self.same = 0, True
        with self.noting():
            yield
        self.same = self.same and self.place == len(self.launches)

    def meet(
        self, what: Hashable, arrays: Sequence[Array], values: tuple[float, ...], dtype: np.dtype
    ) -> Array | None:
        """A launch comes: where it finds its numbers, or None if a replay does it."""
        if self.place is None:
            xp = cupy()  # not from the graph's memory, where a replay may write to the same place before
            with xp.cuda.using_allocator(xp.get_default_memory_pool().malloc):
                numbers = xp.empty(NUMBERS, dtype)
            self.launches.append(Launch(what, arrays, numbers, values))
            return numbers
        known = self.launches[self.place : self.place + 1]  # or nothing, if there are no more
        self.place += 1
        self.same = self.same and any(one.is_of(what, arrays) for one in known)
        if self.same:
            known[0].wanted = values
        return None

    def put(self) -> None:
        """Bring the numbers where their launches find them."""
        for one in self.launches:
            if one.there != one.wanted:
                put(one.numbers, one.wanted)
                one.there = one.wanted


_graph: ContextVar[Changing | None] = ContextVar("graph", default=None)


def numbers_for(
    what: Hashable, arrays: Sequence[Array], values: tuple[float, ...], dtype: np.dtype
) -> Array | None:
    """Where a launch finds its numbers; None if it is not to be done now, because a replay does it.

    Parameters
    ----------
    what : hashable
        The kernel.
    arrays : sequence of cupy.ndarray
        All that it works on.
    values : tuple of float
        Ten at the most.
    dtype : numpy.dtype
        Of the kernel's numbers.
    """
    graph = _graph.get()
    if graph is not None:
        return graph.meet(what, arrays, values, dtype)
    numbers = cupy().empty(NUMBERS, dtype)
    put(numbers, values)
    return numbers


def put(numbers: Array, values: tuple[float, ...]) -> None:
    """Bring numbers to the GPU as a kernel's arguments, which nothing waits for."""
    table = np.zeros(NUMBERS, numbers.dtype)
    table[: len(values)] = values
    launch("optim", "put", numbers.dtype, (1,), (1,), [numbers, by_value(table)])
