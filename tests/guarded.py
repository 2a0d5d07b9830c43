"""Run every CPU kernel on arrays between pages that nobody may touch: one step outside kills the process.

``python guarded.py end`` puts each array, results too, right before such a page, ``start`` right after one.
Only on systems with mprotect. Started by test_kernel_safety.py.
"""

import ctypes
import math
import mmap
import sys
from unittest import mock

import numpy as np

from kernel_cases import DTYPES, every_kernel
from minicnn.kernels import cpu

libc = ctypes.CDLL(None, use_errno=True)


def guarded(shape, dtype=float, at="end"):
    """An uninitialised array that ends at a forbidden page, or starts after one."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    dtype, count = np.dtype(dtype), math.prod(shape)
    size = count * dtype.itemsize
    inside = max(-(-size // mmap.PAGESIZE), 1) * mmap.PAGESIZE
    region = mmap.mmap(-1, inside + 2 * mmap.PAGESIZE)
    first = ctypes.addressof(ctypes.c_char.from_buffer(region))
    for page in (first, first + mmap.PAGESIZE + inside):
        if libc.mprotect(ctypes.c_void_p(page), mmap.PAGESIZE, 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    offset = mmap.PAGESIZE + (inside - size if at == "end" else 0)
    return np.frombuffer(region, dtype, count, offset).reshape(shape)


def main(at, trip):
    def copy(a, *_):
        out = guarded(np.shape(a), np.asarray(a).dtype, at)
        out[...] = a
        return out

    def full(value):
        return lambda shape, dtype=float: copy(np.broadcast_to(np.asarray(value, dtype), shape))

    def contiguous(a, dtype=None):
        return a if a.flags.c_contiguous and dtype in (None, a.dtype) else copy(a.astype(dtype or a.dtype))

    if trip:  # does the fence stand?
        a = guarded(5, np.float32, at)
        ctypes.string_at(a.ctypes.data + a.nbytes if at == "end" else a.ctypes.data - 1, 1)
    expected = [case for dtype in DTYPES for case in every_kernel(cpu, dtype)]  # and all is compiled
    with mock.patch.multiple(
        np,
        empty=lambda shape, dtype=float: guarded(shape, dtype, at),
        empty_like=lambda a: guarded(a.shape, a.dtype, at),
        zeros=full(0),
        ones=full(1),
        ascontiguousarray=contiguous,
    ):
        got = [case for dtype in DTYPES for case in every_kernel(cpu, dtype, copy)]
    for (name, a), (_, b) in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)
    print(len(got), "results")


main(sys.argv[1], sys.argv[2:])
