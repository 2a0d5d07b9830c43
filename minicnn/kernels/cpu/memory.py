"""Arrays that begin where a vector does; and freed memory kept in the process, for the next step's arrays.

A training step makes and drops the same megabytes again and again. The C library would return them to the
system each time, and get them back page by page: a fifth of LeNet-5's step went into that. The setting is
the whole process's; with MINICNN_KEEP_MEMORY=0 in the environment it stays as it was.
"""

import ctypes
import math
import os
import sys
import threading
import weakref
from typing import Any

import numpy as np

from minicnn.kernels.cpu.simd import BYTES

# of glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Let malloc keep up to 1 GB of freed memory, and large arrays, too, where the C library is glibc."""
    if not sys.platform.startswith("linux") or os.environ.get("MINICNN_KEEP_MEMORY") == "0":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(M_MMAP_MAX, 0)  # else arrays of 32 MB and more are the system's, and new each time
        library.mallopt(M_TRIM_THRESHOLD, 1 << 30)


keep_freed_memory()


class Blocks:
    """Memory for the arrays of a step that is recorded (graph.py), which its repetitions find there again.

    An array that nobody has any more leaves its block to later ones. So a repetition, which makes its arrays
    in the same order, may write where they lay: nothing that is still to be read lies there.

    Attributes
    ----------
    free : list
        Blocks whose arrays are gone: memory that is no array.
    nbytes : int
        Of all blocks.
    """

    def __init__(self) -> None:
        self.free: list[Any] = []
        self.blocks: set[int] = set()  # their ids
        self.nbytes = 0

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """An array in a block that is free and not twice as large as need be, or in a new one."""
        nbytes = max(math.prod(shape) * np.dtype(dtype).itemsize, 1)
        fitting = [(len(block), i) for i, block in enumerate(self.free) if nbytes <= len(block) <= 2 * nbytes]
        if fitting:
            block = self.free.pop(min(fitting)[1])
        else:
            block = aligned(nbytes)
            self.blocks.add(id(block))
            self.nbytes += nbytes
        array = np.ndarray(shape, dtype, block)  # which its views refer to: the block is no array
        weakref.finalize(array, self.free.append, block).atexit = False
        return array

    def has(self, array: np.ndarray) -> bool:
        """Whether an array lies in a block."""
        whole = array.base if isinstance(array.base, np.ndarray) else array
        return id(whole.base) in self.blocks


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
