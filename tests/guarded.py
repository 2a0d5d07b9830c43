"""Run every kernel on arrays between pages that nobody may touch: one step outside kills the process.

``python guarded.py cpu end`` puts each array, results too, right before such a page, ``start`` right after
one; ``cuda`` runs the GPU's kernels, emulated. Only on systems with mprotect. Started by
test_kernel_safety.py.
"""

import ctypes
import importlib
import math
import mmap
import sys
from unittest import mock

import numpy as np

from emulator import cupy
from kernel_cases import DTYPES, every_kernel

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


def main(telling, at, trip):
    cupy.install()
    kernels = importlib.import_module(f"minicnn.kernels.{telling}")

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
    place = copy if telling == "cpu" else lambda a: cupy.ndarray(copy(cupy.asnumpy(a)))
    expected = [
        case for dtype in DTYPES for case in every_kernel(kernels, dtype, place)
    ]  # and all is compiled
    with mock.patch.multiple(
        np,
        empty=lambda shape, dtype=float: guarded(shape, dtype, at),
        empty_like=lambda a: guarded(a.shape, a.dtype, at),
        zeros=full(0),
        ones=full(1),
        ascontiguousarray=contiguous,
    ):
        got = [case for dtype in DTYPES for case in every_kernel(kernels, dtype, place)]
    for (name, a), (_, b) in zip(got, expected, strict=True):
        np.testing.assert_array_equal(cupy.asnumpy(a), cupy.asnumpy(b), err_msg=name)
    print(len(got), "results")


main(*sys.argv[1:3], sys.argv[3:])
