"""Arrays that begin where a vector does; and freed memory kept in the process, for the next step's arrays.

A training step makes and drops the same megabytes again and again. The C library would return them to the
system each time, and get them back page by page: a fifth of LeNet-5's step went into that. The setting is
the whole process's; with MINICNN_KEEP_MEMORY=0 in the environment it stays as it was.
"""

import ctypes
import math
import os
import sys

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


def empty(shape: tuple[int, ...]) -> np.ndarray:
    """An array of float32 that begins where a vector does, so that no load crosses two lines of the cache."""
    size = math.prod(shape)
    room = np.empty(size + BYTES // 4, np.float32)
    first = -ctypes.addressof(ctypes.c_char.from_buffer(room.data)) % BYTES // 4
    return room[first : first + size].reshape(shape)
