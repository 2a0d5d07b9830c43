"""What `cupy.cuda` says of the emulated GPU, which has 1 GiB: one device, one stream, a pool of memory."""

from types import SimpleNamespace
from typing import Any

TOTAL = 1 << 30


class OutOfMemoryError(MemoryError):
    """CuPy's."""


class MemoryPool:
    """Counts the bytes of arrays."""

    used = 0

    def malloc(self, size: int) -> None:
        """Take so many bytes."""
        if self.used + size > TOTAL:
            raise OutOfMemoryError(
                f"Out of memory allocating {size:,} bytes (allocated so far: {self.used:,} bytes)"
            )
        self.used += size

    def used_bytes(self) -> int:
        """Of arrays."""
        return self.used

    def total_bytes(self) -> int:
        """Of arrays, and what is kept for the next ones."""
        return self.used

    def free_all_blocks(self) -> None:
        """Give back what is kept."""


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


class Stream:
    """A row of work."""

    def is_capturing(self) -> bool:
        """Whether a graph takes it down."""
        return False


pool = MemoryPool()
allocator: Any = pool.malloc
memory = SimpleNamespace(OutOfMemoryError=OutOfMemoryError)
stream = Stream()
runtime = SimpleNamespace(
    getDeviceCount=lambda: 1,
    getDevice=lambda: 0,
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


def get_current_stream() -> Stream:
    """Where work goes."""
    return stream
