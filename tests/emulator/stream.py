"""Streams, pools of memory and CUDA graphs of the emulated GPU.

While a stream captures, work is noted and not done: what it would have computed are NaNs until the graph is
launched, and nothing can be read. A graph does its work again with the same memory; so it fails here, where a
GPU would compute with what others have written, if that memory has been given back and may be in other hands.
"""

import itertools
import time
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

TOTAL = 1 << 30
SYNCHRONOUS = "the current stream is capturing, so synchronous API calls are disallowed"


class OutOfMemoryError(MemoryError):
    """CuPy's."""


class MemoryHook:
    """What is told, inside its ``with`` block, of memory that comes from pools and goes back."""

    name = "MemoryHook"
    installed: ClassVar[dict[str, "MemoryHook"]] = {}

    def __enter__(self) -> "MemoryHook":
        assert self.name not in self.installed
        self.installed[self.name] = self
        return self

    def __exit__(self, *error: object) -> None:
        del self.installed[self.name]

    def alloc_postprocess(self, **about: int) -> None:
        """A pool has taken memory from the GPU."""

    def malloc_postprocess(self, **about: int) -> None:
        """Somebody has taken memory from a pool."""

    def free_postprocess(self, **about: int) -> None:
        """It is back in the pool."""


class Memory:
    """Bytes of a pool, which get back there with the array that has them."""

    def __init__(self, pool: "MemoryPool", size: int) -> None:
        self.pool, self.size = weakref.ref(pool), size
        self.tell("alloc_postprocess", mem_ptr=id(self))
        self.tell("malloc_postprocess", size=size, mem_ptr=id(self), pmem_id=id(self))

    def tell(self, event: str, **about: int) -> None:
        """Tell all hooks of it."""
        for hook in [*MemoryHook.installed.values()]:
            getattr(hook, event)(device_id=0, mem_size=self.size, **about)

    def __del__(self) -> None:
        pool = self.pool()
        if pool is not None:
            pool.used -= self.size
            self.tell("free_postprocess", mem_ptr=id(self), pmem_id=id(self))


class MemoryPool:
    """Counts the bytes of arrays."""

    def __init__(self) -> None:
        self.used = self.taken = 0  # bytes, and how often some were wanted
        self.default = False  # whether it is the one that arrays come from unless something else is said

    def malloc(self, size: int) -> Memory:
        """Take so many bytes."""
        if self.used + size > TOTAL:
            raise OutOfMemoryError(
                f"Out of memory allocating {size:,} bytes (allocated so far: {self.used:,} bytes)"
            )
        self.used += size
        self.taken += 1
        return Memory(self, size)

    def used_bytes(self) -> int:
        """Of arrays."""
        return self.used

    def total_bytes(self) -> int:
        """Of arrays, and what is kept for the next ones."""
        return self.used

    def free_all_blocks(self) -> None:
        """Give back what is kept."""


class Graph:
    """Work that a stream has noted."""

    def __init__(self) -> None:
        self.work: list[Callable[[], Any]] = []
        self.kept: list[Any] = []  # NumPy's memory, so that a test fails by a message
        self.own: list[np.ndarray] = []  # that of arrays from a pool of the graph's, in the order of coming
        self.arrays: list[tuple[Any, Any]] = []  # those that had memory, and their memory's pool
        self.taken: dict[Any, int] = {}

    def uses(self, array: Any) -> None:
        """Remember whose memory an array has."""
        owner = array if array.base is None else array.base
        self.kept.append(array.host)
        if owner.memory is not None:
            self.arrays.append((weakref.ref(owner), owner.memory.pool))

    def close(self) -> "Graph":
        """Nothing more comes."""
        pools = {pool for _, pool in self.arrays}
        self.taken = {pool: pool().taken for pool in pools if pool() is not None}
        return self

    def launch(self, stream: Any = None) -> None:
        """Do the work."""
        if stack[-1].is_capturing():
            raise RuntimeError("a graph in a graph is not emulated")
        for array, pool in self.arrays:
            owner = pool()
            if array() is None and (owner is None or owner.taken != self.taken[pool]):
                raise RuntimeError("cudaErrorIllegalAddress: the graph's memory is in other hands")
        for host in self.own:  # in a real pool they share memory with those that came and went before them
            garble(host)
        with np.errstate(all="ignore"):
            for job in self.work:
                job()

    def upload(self, stream: Any = None) -> None:
        """Take it to the GPU before its first launch."""


class Stream:
    """A row of work."""

    numbers = itertools.count()

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        self.ptr = next(self.numbers)
        self.graph: Graph | None = None

    def __enter__(self) -> "Stream":
        stack.append(self)
        return self

    def __exit__(self, *error: object) -> None:
        assert stack.pop() is self

    def begin_capture(self, mode: int | None = None) -> None:
        """Note the work from now on."""
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if self.graph is not None:
            raise RuntimeError("cudaErrorIllegalState: the stream is capturing already")
        self.graph = Graph()

    def end_capture(self) -> Graph:
        """What has been noted."""
        if self.graph is None:
            raise RuntimeError("cudaErrorIllegalState: the stream is not capturing")
        graph, self.graph = self.graph, None
        return graph.close()

    def is_capturing(self) -> bool:
        """Whether a graph takes it down."""
        return self.graph is not None

    def synchronize(self) -> None:
        """Wait for its work, which is done at once."""
        synchronous()


class Event:
    """A moment; emulated work is done at once."""

    time = None

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self.timing = not disable_timing

    def record(self, stream: Any = None) -> None:
        """It is now."""
        self.time = time.perf_counter()

    def synchronize(self) -> None:
        """Wait for it."""
        synchronous()


stack = [Stream(null=True)]


def capturing() -> Graph | None:
    """The graph that is being captured."""
    return stack[-1].graph


def synchronous() -> None:
    """RuntimeError while a graph is captured: nothing has been done that could be waited for."""
    if capturing() is not None:
        raise RuntimeError(SYNCHRONOUS)


def instead(job: Callable[[], Any], *arrays: Any) -> bool:
    """Note a job that changes arrays, if a graph is captured; whether it is."""
    graph = capturing()
    if graph is None:
        return False
    for array in arrays:
        graph.uses(array)
    graph.work.append(job)
    return True


def noted(out: Any, job: Callable[[], Any], sources: list[Any], is_work: bool = True) -> Any:
    """What a job has given: if a graph is captured, that does it again for the arrays that are new."""
    graph = capturing()
    results = out if isinstance(out, list | tuple) else [out]
    fresh = [
        (place, array.host)
        for place, array in enumerate(results)
        if hasattr(array, "host") and array.base is None and not any(array is s for s in sources)
    ]
    if graph is None or not fresh:
        return out
    for array in (*sources, *(results[place] for place, _ in fresh)):
        graph.uses(array)

    def repeat() -> None:
        given = job()
        for place, host in fresh:
            host[...] = given[place] if out is results else given

    if is_work:
        graph.work.append(repeat)
    graph.own += [host for place, host in fresh if not results[place].memory.pool().default]
    for _, host in fresh:
        garble(host)
    return out


def garble(host: np.ndarray) -> None:
    """Fill memory with what nobody takes for a result."""
    host.fill(np.nan if host.dtype.kind in "fc" else 0)
