"""Arrays that begin where a vector does; and freed memory kept in the process, for the next step's arrays.

A training step makes and drops the same megabytes again and again. The C library would return them to the
system each time, and get them back page by page: a fifth of LeNet-5's step went into that. The setting is
the whole process's; with MINICNN_KEEP_MEMORY=0 in the environment it stays as it was.
"""

import bisect
import ctypes
import math
import os
import sys
import threading
import weakref
from typing import Any, ClassVar

import numpy as np

from minicnn.kernels.cpu.simd import BYTES

# of glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def c_library() -> Any:
    """glibc; None where the C library is another."""
    library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    return library if hasattr(library, "gnu_get_libc_version") else None


def keep_freed_memory() -> None:
    """Let malloc keep up to 1 GB of freed memory, and large arrays, too, where the C library is glibc."""
    library = c_library()
    if library is not None and os.environ.get("MINICNN_KEEP_MEMORY") != "0":
        library.mallopt(M_MMAP_MAX, 0)  # else arrays of 32 MB and more are the system's, and new each time
        library.mallopt(M_TRIM_THRESHOLD, 1 << 30)


keep_freed_memory()


def return_freed_memory() -> None:
    """Let malloc return to the system what it keeps: other memory is planned from now on."""
    library = c_library()
    if library is not None:
        library.malloc_trim(0)


class Blocks:
    """Memory for the arrays of a step that is recorded (graph.py), which its repetitions find there again.

    An array that nobody has any more leaves its place to later ones. So a repetition, which makes its arrays
    in the same order, may write where they lay: nothing that is still to be read lies there.

    Attributes
    ----------
    blocks : dict
        Pieces of memory by their ids, which are no arrays.
    free : list of (int, int)
        Where in them there is room: addresses, in order.
    nbytes : int
        How many of their bytes were ever in use.
    living : set
        All of them that there are.
    """

    living: ClassVar[weakref.WeakSet] = weakref.WeakSet()

    def __init__(self) -> None:
        self.living.add(self)
        self.blocks: dict[int, Any] = {}
        self.free: list[tuple[int, int]] = []
        self.gone: list[tuple[int, int]] = []  # where arrays were, which may go at any time
        self.used: dict[int, int] = {}  # bytes of each block

    @property
    def nbytes(self) -> int:
        return sum(self.used.values())

    @classmethod
    def planned(cls) -> int:
        """Bytes in use for all recorded steps."""
        return sum(one.nbytes for one in list(cls.living))

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """An array in the smallest room that there is for it."""
        while self.gone:
            self.merge(self.gone.pop())
        size = (math.prod(shape) * np.dtype(dtype).itemsize // BYTES + 2) * BYTES  # some lines lie between
        if all(end - begin < size for begin, end in self.free):
            block = aligned(max(size, self.nbytes))
            self.blocks[id(block)] = block
            begin = ctypes.addressof(block)
            self.merge((begin, begin + len(block)))
        _, begin, end = min((end - begin, begin, end) for begin, end in self.free if end - begin >= size)
        self.free.remove((begin, end))
        self.merge((begin + size, end))
        key, block = next(
            item for item in self.blocks.items() if 0 <= begin - ctypes.addressof(item[1]) < len(item[1])
        )
        first = begin - ctypes.addressof(block)
        self.used[key] = max(self.used.get(key, 0), first + size)
        array = np.ndarray(shape, dtype, block, first)  # which its views refer to: the block is no array
        weakref.finalize(array, self.gone.append, (begin, begin + size)).atexit = False
        return array

    def merge(self, room: tuple[int, int]) -> None:
        """Add room, as one with what is free beside it."""
        begin, end = room
        i = bisect.bisect(self.free, room)
        if i < len(self.free) and self.free[i][0] == end:
            end = self.free.pop(i)[1]
        if i > 0 and self.free[i - 1][1] == begin:
            i, begin = i - 1, self.free.pop(i - 1)[0]
        if begin < end:
            self.free.insert(i, (begin, end))

    def has(self, array: np.ndarray) -> bool:
        """Whether an array lies in a block."""
        return id(owner(array).base) in self.blocks

    def lent(self, array: np.ndarray) -> np.ndarray:
        """The same array, but if it lies in a block, as one that does not keep its place there."""
        block: Any = owner(array).base
        if not self.has(array) or not array.size:
            return array
        first = array.__array_interface__["data"][0] - ctypes.addressof(block)
        return np.ndarray(array.shape, array.dtype, block, first, array.strides)


def owner(array: np.ndarray) -> np.ndarray:
    """The array of which this one is a view, or itself."""
    return array.base if isinstance(array.base, np.ndarray) else array


class Planning(threading.local):
    """Where this thread's arrays lie while a step is recorded."""

    blocks: Blocks | None = None


planning = Planning()


def aligned(nbytes: int) -> Any:
    """So many bytes that begin where a vector does."""
    room = np.empty(nbytes + BYTES, np.uint8)
    first = -ctypes.addressof(ctypes.c_char.from_buffer(room.data)) % BYTES
    return (ctypes.c_char * nbytes).from_buffer(room.data, first)


def empty(shape: tuple[int, ...]) -> np.ndarray:
    """An array of float32 that begins where a vector does, so that no load crosses two lines of the cache."""
    if planning.blocks is not None:
        return planning.blocks.empty(shape, np.float32)
    return np.ndarray(shape, np.float32, aligned(math.prod(shape) * 4))


def result(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array that a kernel will fill: `numpy.empty`, or in a recorded step's memory."""
    return np.empty(shape, dtype) if planning.blocks is None else planning.blocks.empty(shape, dtype)
