"""What `cupy.cuda` says of the emulated GPU, which has 1 GiB: one device, one stream, a pool of memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from emulator import stream
from emulator.stream import TOTAL, Event, MemoryPool, OutOfMemoryError, Stream, stack, synchronous


class Device:
    """A GPU."""

    def __init__(self, device: int = 0) -> None:
        self.id = device

    def use(self) -> None:
        """Make it the one in use."""
        if self.id:
            raise RuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    def synchronize(self) -> None:
        """Wait for it: an emulated one is done at once."""
        synchronous()


pool = MemoryPool()
pool.default = True
MemoryHook = stream.MemoryHook
allocator: Any = pool.malloc
pinned: Any = lambda size: None  # noqa: E731
memory = SimpleNamespace(OutOfMemoryError=OutOfMemoryError)
runtime = SimpleNamespace(
    getDeviceCount=lambda: 1,
    getDevice=lambda: 0,
    driverGetVersion=lambda: 13000,
    runtimeGetVersion=lambda: 13000,
    memGetInfo=lambda: (TOTAL - pool.used, TOTAL),
    getDeviceProperties=lambda index: {
        "name": b"emulated",
        "major": 9,
        "minor": 0,
        "totalGlobalMem": TOTAL,
        "multiProcessorCount": 1,
    },
)


def set_allocator(function: Any) -> None:
    """Where the memory of arrays comes from."""
    global allocator
    allocator = function


@contextmanager
def using_allocator(function: Any) -> Iterator[None]:
    """Take the memory of arrays from elsewhere for a while."""
    global allocator
    before, allocator = allocator, function
    try:
        yield
    finally:
        allocator = before


def set_pinned_memory_allocator(function: Any) -> None:
    """Where memory of the CPU comes from that the GPU can read."""
    global pinned
    pinned = function


def get_current_stream() -> Stream:
    """Where work goes."""
    return stack[-1]


def get_elapsed_time(start: Event, end: Event) -> float:
    """Milliseconds from one to another; both have been recorded, and take the time."""
    if start.time is None or end.time is None or not (start.timing and end.timing):
        raise RuntimeError("cudaErrorInvalidResourceHandle: invalid resource handle")
    return 1e3 * (end.time - start.time)
