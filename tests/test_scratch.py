"""Arrays that kernels make for themselves, and other shapes of arrays, against NumPy's."""

import sys

import numba
import numpy as np
import pytest

from kernel_cases import for_python
from minicnn.kernels.cpu.jit import inner
from minicnn.kernels.cpu.scratch import reshape, scratch, zeros
from minicnn.kernels.cpu.simd import BYTES


@inner
def made(n, a):
    """One of each; what lay in memory before is written over by numbers other than 0 first."""
    for _ in range(3):
        scratch((n, 3), a.dtype)[:] = 7
    return zeros((n, 3), a.dtype), zeros(n, np.float32), scratch((n, 2, 5), a.dtype), scratch(n + 1, np.int64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.bool_])
@pytest.mark.parametrize("n", [0, 1, 1000])
def test_arrays_are_as_numpys_and_begin_where_a_vector_does(dtype, n):
    got = for_python(made)(n, np.ones(1, dtype))
    expected = made.py_func(n, np.ones(1, dtype))
    assert [(a.shape, a.dtype) for a in got] == [(a.shape, a.dtype) for a in expected]
    assert all(a.ctypes.data % BYTES == 0 and a.flags.carray for a in got)
    assert not got[0].any()
    assert not got[1].any()
    got[2][:], got[3][:] = 1, 2  # and all of it can be written
    assert got[2].sum() == 10 * n
    assert got[3].sum() == 2 * (n + 1)


@inner
def shaped(a, n):
    return reshape(a, (2, n)), reshape(a[0], n), reshape(a[1:], (1, 2, a[1].size // 2)), reshape(a, a.size)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_other_shapes_are_the_same_numbers(dtype):
    a = np.arange(48).reshape(2, 6, 4).astype(dtype)
    before = sys.getrefcount(a)
    for got, expected in zip(for_python(shaped)(a, 24), shaped.py_func(a, 24), strict=True):
        assert got.base is not None
        assert np.shares_memory(got, a)
        np.testing.assert_array_equal(got, expected, strict=True)
    got = expected = None
    assert sys.getrefcount(a) == before
    for wrong in (0, -24, 23, 25):
        with pytest.raises(ValueError, match="the other shape has not as many numbers"):
            for_python(shaped)(a, wrong)
    with pytest.raises(numba.TypingError):  # what does not lie row after row would need a copy
        for_python(shaped)(np.asfortranarray(a), 24)


@pytest.mark.parametrize("n", [-1, 1 << 61])
def test_sizes_that_cannot_be_are_an_error(n):
    with pytest.raises(ValueError, match="a size is negative, or there are too many numbers"):
        for_python(made)(n, np.ones(1, np.float32))


def test_more_memory_than_there_is_is_an_error():
    with pytest.raises(MemoryError):
        for_python(made)(1 << 55, np.ones(1, np.float32))
