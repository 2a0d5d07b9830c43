"""Keep freed memory in the process, for the next step's arrays of the same sizes.

A training step makes and drops the same megabytes again and again. The C library would return them to the
system each time, and get them back page by page: a fifth of LeNet-5's step went into that.
"""

import ctypes
import sys

# of glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Let malloc keep up to 256 MB of freed memory, where the C library is glibc."""
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(M_MMAP_THRESHOLD, 32 << 20)
        library.mallopt(M_TRIM_THRESHOLD, 256 << 20)


keep_freed_memory()
