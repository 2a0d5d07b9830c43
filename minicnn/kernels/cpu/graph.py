"""Kernel calls, recorded once and done again in one go: what a CUDA graph is on a GPU.

Many kernels of a small network take some ten microseconds, and Python between them as long. All that changes
from one step to the next are the numbers in the arrays. So the calls are noted while a step runs, each as two
addresses: that of a function, and that of its arguments in a table. To do the step again is one loop over
this table (`replay`), without Python:

    with Graph() as graph:
        ...                              # kernels run, and are recorded
    x[...] = other                       # numbers
    graph.replay()                       # the same; results lie where they lay before

Only kernels are repeated. What else is computed from the arrays' numbers must be known to the graph:
conditions (`all_set`), and whatever it cannot repeat (`leave`).
"""

import threading
from typing import Any, NamedTuple

import numpy as np
from numba.core import config, types
from numba.core.typing import signature
from numba.extending import intrinsic

from minicnn.kernels import threads
from minicnn.kernels.cpu import runner
from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.runner import LOCK, POOL, ROOM, address_of_share, call_numba, call_part, launch

WORDS = ROOM // 8
ONE_AT_A_TIME = threading.Lock()


class Places(NamedTuple):
    """Where in a graph's table an array's memory stands, and how far from its beginning each time."""

    words: np.ndarray
    offsets: np.ndarray


class Graph:
    """Calls of kernels, as a context that records what this thread runs.

    Attributes
    ----------
    repeatable : bool
        Whether `replay` would do the same: all that happened were kernels.
    nbytes : int
        Of the arrays that the kernels worked on, which the graph keeps.
    """

    def __init__(self) -> None:
        self.calls: list[tuple] = []
        self.flags: list[np.ndarray] = []  # all of them were set
        self.repeatable = not config.DISABLE_JIT
        self.thread = threading.get_ident()
        self.shared: tuple[int, bool] | None = None  # for what `table` was made

    def __enter__(self) -> "Graph":
        self.alone = ONE_AT_A_TIME.acquire(blocking=False)
        if self.alone:
            runner.recorder = self.note
        return self

    def __exit__(self, *error: object) -> None:
        if self.alone:
            runner.recorder = None
            ONE_AT_A_TIME.release()
        self.repeatable &= self.alone and error[0] is None
        arrays = [a for call in self.calls for a in call[3] if isinstance(a, np.ndarray)]
        self.nbytes = sum({address(a): a.nbytes for a in arrays}.values())

    def note(self, kernel: Any, jobs: int, numbers: int, arguments: tuple) -> None:
        """A call that is about to happen."""
        if threading.get_ident() == self.thread:
            self.calls.append((kernel, jobs, numbers, arguments))

    def finish(self) -> None:
        """Write the table: a row of words for each call's arguments."""
        self.words = np.zeros((len(self.calls), WORDS), np.int64)
        self.table = np.zeros((len(self.calls), 4), np.int64)
        for i, (kernel, jobs, _, arguments) in enumerate(self.calls):
            row = address(self.words[i])
            self.table[i] = launch(kernel, row, jobs, 1, arguments), row, jobs, 1

    def places(self, array: np.ndarray) -> Places:
        """All words that point into an array's memory. (No number but an address is as large as one.)"""
        begin, words = address(array), self.words.reshape(-1)
        found = np.flatnonzero((words >= begin) & (words < begin + array.nbytes))
        return Places(found, words[found] - begin)

    def move(self, places: Places, array: np.ndarray) -> None:
        """Let an array stand in these places, of the shape, dtype and strides of the one before."""
        self.words.reshape(-1)[places.words] = places.offsets + address(array)

    def share(self) -> None:
        """How many threads each call has, now."""
        if self.shared != (threads.count, runner.forked):
            self.shared = threads.count, runner.forked
            most = 1 if runner.forked else min(threads.count, POOL)
            for row, (_, jobs, numbers, _) in zip(self.table, self.calls, strict=True):
                row[3] = min(most, jobs) if numbers >= runner.SHARE else 1

    def replay(self) -> bool:
        """Do all calls again; whether none failed, and all conditions held."""
        self.share()
        together = bool((self.table[:, 3] > 1).any()) and LOCK.acquire(blocking=False)
        try:  # alone, too, if other threads of the program have the cores
            replay(address_of_share() if together else 0, self.table, together)
        finally:
            if together:
                LOCK.release()
        failed = self.words[:, 0].any()  # the code of an error comes first
        if failed:
            self.words[:, :2] = 0
        return not failed and all(flags.all() for flags in self.flags)


def address(array: np.ndarray) -> int:
    """Where an array's numbers begin."""
    return array.__array_interface__["data"][0]


def recording() -> Graph | None:
    """The graph that records this thread."""
    graph = getattr(runner.recorder, "__self__", None)
    return graph if graph is not None and graph.thread == threading.get_ident() else None


def all_set(flags: np.ndarray) -> bool:
    """Whether all flags are set, which decides what is done next; a graph looks at them at each replay."""
    together, graph = bool(flags.all()), recording()
    if graph is not None:
        graph.flags.append(flags)
        graph.repeatable &= together
    return together


def leave() -> None:
    """Say that what follows is no kernel's work, and that a graph cannot repeat it."""
    graph = recording()
    if graph is not None:
        graph.repeatable = False


@intrinsic
def call_share(typing, share, part, arguments, jobs, count):
    """share(part, arguments, jobs, count), for its address."""

    def emit(context, builder, sig, values):
        call_numba(context, builder, values[0], (types.int64,) * 4, values[1:])
        return context.get_dummy_value()

    return signature(types.none, share, part, arguments, jobs, count), emit


@jit
def replay(share, table, together):
    """Each row's function on its arguments, jobs and threads; without threads unless `together`."""
    for i in range(len(table)):
        part, arguments, jobs, count = table[i]
        if together and count > 1:
            call_share(share, part, arguments, jobs, count)
        else:
            call_part(part, arguments, 0, jobs)
