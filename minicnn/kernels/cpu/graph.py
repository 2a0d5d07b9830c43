"""Kernel calls, recorded once and done again in one go: what a CUDA graph is on a GPU.

Many kernels of a small network take some ten microseconds, and Python between them as long. All that changes
from one step to the next are the numbers in the arrays. So the calls are noted while a step runs, each as two
addresses: that of a function, and that of its arguments in a table. To do the step again is one loop over
this table (`replay`), without Python:

    with Graph() as graph:
        ...                              # kernels run, and are recorded
    x[...] = other                       # numbers
    graph.replay()                       # the same; results lie where they lay before

What else is computed from the arrays' numbers must be known to the graph: what NumPy does (`again`), between
which the loop stops, and conditions (`all_set`). Kernels' results that come from `memory.result` lie in few
blocks, as they would in a step that frees them; the graph keeps others.
"""

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba.core import config, types
from numba.core.typing import signature
from numba.extending import intrinsic

from minicnn.kernels import threads
from minicnn.kernels.cpu import runner
from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.memory import Blocks, owner, planning
from minicnn.kernels.cpu.runner import LOCK, POOL, ROOM, address_of_share, call_part, call_share, launcher

WORDS = ROOM // 8
SHARE_IN_REPLAY = 1 << 14  # as runner.SHARE; a replay wakes other threads sooner than `run` does
ONE_AT_A_TIME = threading.Lock()


class Places(NamedTuple):
    """Where in a graph's table an array's memory stands, and how far from its beginning each time."""

    words: np.ndarray
    offsets: np.ndarray
    again: list[tuple[int, int]]  # which calls of NumPy's fill it, and as which result


class Again:
    """What NumPy does at each replay, and the arrays that its results are put into, or None."""

    def __init__(self, function: Callable, arguments: tuple, outs: list[np.ndarray | None]) -> None:
        self.function, self.arguments, self.outs = function, arguments, outs

    def __call__(self) -> None:
        found = self.function(*self.arguments)
        for out, x in zip(self.outs, found if type(found) is tuple else (found,), strict=True):
            if out is not None:
                out[...] = x


class Graph:
    """Calls of kernels, as a context that records what this thread runs.

    Parameters
    ----------
    blocks : Blocks, optional
        Where their results lie; several graphs that follow each other may share them.

    Attributes
    ----------
    repeatable : bool
        Whether `replay` would do the same.
    kept : dict
        The arrays outside the blocks that the calls work on.
    """

    def __init__(self, blocks: Blocks | None = None) -> None:
        self.calls: list[Any] = []  # a kernel's call in words, or Again
        self.blocks = Blocks() if blocks is None else blocks
        self.kept: dict[int, np.ndarray] = {}  # by their ids
        self.resting = False
        self.flags: list[np.ndarray] = []  # all of them were set
        self.repeatable = not config.DISABLE_JIT
        self.thread = threading.get_ident()
        self.shared: tuple[int, bool] | None = None  # for what `table` was made
        self.together = False  # whether any call has several threads

    def __enter__(self) -> "Graph":
        self.alone = ONE_AT_A_TIME.acquire(blocking=False)
        self.repeatable &= self.alone
        if self.repeatable:
            runner.recorder, planning.blocks = self.note, self.blocks
        return self

    def __exit__(self, *error: object) -> None:
        if self.alone:
            runner.recorder = planning.blocks = None
            ONE_AT_A_TIME.release()
        self.repeatable &= error[0] is None

    def note(self, kernel: Any, jobs: int, numbers: int, arguments: tuple) -> None:
        """A call that is about to happen."""
        if threading.get_ident() != self.thread or self.resting or not self.repeatable:
            return
        words = np.zeros(WORDS, np.int64)
        part = launcher(kernel)(address(words), 0, jobs, 1, *arguments)
        self.calls.append((part, words, jobs, numbers))
        self.keep(arguments)

    def keep(self, arguments: tuple) -> None:
        """Have arrays stay that are not in the blocks, which stay anyway."""
        for x in arguments:
            if isinstance(x, tuple):
                self.keep(x)
            elif isinstance(x, np.ndarray) and not self.blocks.has(x):
                self.kept[id(owner(x))] = owner(x)

    def rest(self, function: Callable, arguments: tuple) -> Any:
        """function(*arguments), of which nothing is recorded."""
        self.resting, planning.blocks = True, None
        try:
            return function(*arguments)
        finally:
            self.resting, planning.blocks = False, self.blocks

    def finish(self) -> None:
        """Write the table, a row of words for each call's arguments, and cut it where NumPy's work stands."""
        rows = [call for call in self.calls if type(call) is tuple]
        self.words = np.array([words for _, words, _, _ in rows]).reshape(-1, WORDS)
        self.flat = self.words.reshape(-1)
        self.table = np.zeros((len(rows), 4), np.int64)
        for row, words, (part, _, jobs, _) in zip(self.table, self.words, rows, strict=True):
            row[:] = part, address(words), jobs, 1
        self.work = [(jobs, numbers) for _, _, jobs, numbers in rows]
        self.parts: list[Any] = []
        begin = end = 0
        for call in [*self.calls, None]:
            if type(call) is tuple:
                end += 1
                continue
            if begin < end:
                self.parts.append((self.table[begin:end], self.words[begin:end]))
            if call is not None:
                self.parts.append(call)
            begin = end
        self.calls.clear()

    def forget(self, arrays: list[np.ndarray]) -> None:
        """Do not keep these: somebody else does, until they are moved."""
        ids = {id(x) for x in arrays}
        self.kept = {key: x for key, x in self.kept.items() if key not in ids}

    def places(self, array: np.ndarray) -> Places:
        """All words that point into an array's memory. (No number but an address is as large as one.)"""
        begin, words = address(array), self.flat
        found = np.flatnonzero((words >= begin) & (words < begin + array.nbytes))
        calls = [(i, call) for i, call in enumerate(self.parts) if type(call) is Again]
        again = [(i, k) for i, call in calls for k, out in enumerate(call.outs) if out is array]
        return Places(found, words[found] - begin, again)

    def move(self, places: Places, array: np.ndarray) -> None:
        """Let an array stand in these places, of the shape, dtype and strides of the one before."""
        self.flat[places.words] = places.offsets + address(array)
        for i, k in places.again:
            self.parts[i].outs[k] = array

    def share(self) -> None:
        """How many threads each call has, now."""
        if self.shared != (threads.count, runner.forked):
            self.shared = threads.count, runner.forked
            most = 1 if runner.forked else min(threads.count, POOL)
            for row, (jobs, numbers) in zip(self.table, self.work, strict=True):
                row[3] = min(most, jobs) if numbers >= SHARE_IN_REPLAY else 1
            self.together = bool((self.table[:, 3] > 1).any())

    def replay(self) -> bool:
        """Do all calls again; whether none failed, and all conditions held."""
        self.share()
        together = self.together and LOCK.acquire(blocking=False)
        failed = False
        try:  # alone, too, if other threads of the program have the cores
            share = address_of_share() if together else 0
            for part in self.parts:
                if type(part) is tuple:
                    failed |= replay(share, *part, together)
                else:
                    part()
        finally:
            if together:
                LOCK.release()
        if failed:
            self.words[:, :2] = 0
        return not failed and all(flags.all() for flags in self.flags)


def address(array: np.ndarray) -> int:
    """Where an array's numbers begin."""
    return array.__array_interface__["data"][0]


def recording() -> Graph | None:
    """The graph that records this thread."""
    if runner.recorder is None:
        return None
    graph = getattr(runner.recorder, "__self__", None)
    known = graph is not None and graph.thread == threading.get_ident() and not graph.resting
    return graph if known else None


def all_set(flags: np.ndarray) -> bool:
    """Whether all flags are set, which decides what is done next; a graph looks at them at each replay."""
    together = flags.item() if flags.size == 1 else bool(flags.all())
    graph = recording()
    if graph is not None:
        graph.flags.append(flags)
        graph.repeatable &= together
    return together


def again(function: Callable, *arguments: Any) -> Any:
    """function(*arguments), which NumPy computes; a graph does it again and fills the same result.

    The function may also change its arguments and give None. Kernels that it runs are not recorded.
    """
    graph = recording()
    if graph is None:
        return function(*arguments)
    found = graph.rest(function, arguments)
    several = type(found) is tuple
    results = [x if x is None else np.asarray(x) for x in (found if several else (found,))]
    outs: list[np.ndarray | None] = [None] * len(results)
    for i, x in enumerate(results):
        if x is not None and not any(type(a) is np.ndarray and np.may_share_memory(x, a) for a in arguments):
            outs[i] = results[i] = x if x.base is None and x.flags.carray else np.array(x, order="C")
            graph.keep((results[i],))
    if found is None or any(out is not None for out in outs):  # and not only views
        lent = [graph.blocks.lent(a) if type(a) is np.ndarray else a for a in arguments]
        graph.calls.append(Again(function, tuple(lent), outs))
    return tuple(results) if several else results[0]


@intrinsic
def share_parts(typing, share, part, arguments, jobs, count):
    """share(part, arguments, jobs, count), for its address."""

    def emit(context, builder, sig, values):
        call_share(context, builder, values[0], values[1:])
        return context.get_dummy_value()

    return signature(types.none, share, part, arguments, jobs, count), emit


@jit
def replay(share, table, words, together):
    """Each row's function on its arguments, jobs and threads; without threads unless `together`.

    The result is whether one has failed: then the words of its arguments begin with the code of an error.
    """
    failed = False
    for i in range(len(table)):
        part, arguments, jobs, count = table[i]
        if together and count > 1:
            share_parts(share, part, arguments, jobs, count)
        else:
            call_part(part, arguments, 0, jobs)
        failed |= words[i, 0] != 0
    return failed
