"""Comparisons of vectors and choices by them mean the same compiled and as plain Python."""

import operator

import numba
import numpy as np
import pytest

from kernel_cases import DTYPES
from minicnn.kernels.cpu import jit
from minicnn.kernels.cpu.masks import select
from minicnn.kernels.cpu.simd import lanes, load, store

SPECIAL = (-np.inf, -2, -0.0, 0, 1, np.inf, np.nan)
PAIRS = np.array([(v, w) for v in SPECIAL for w in SPECIAL]).T
COMPARISONS = [operator.gt, operator.lt, operator.le, operator.eq, operator.ne]


def compiled(function):
    return numba.njit(function, **jit.OPTIONS)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("compare", COMPARISONS)
def test_choice_by_a_comparison(compare, dtype):
    def choose(pairs, out):
        for i in range(0, out.shape[1], lanes(pairs)):
            v, w = load(pairs, 0, i), load(pairs, 1, i)
            store(out, 0, i, select(compare(v, w), v + 1, w))
            store(out, 1, i, select(compare(v, 0), 2, w))
            store(out, 2, i, select(compare(0.5, w), v, -1))
            store(out, 3, i, select(compare(v, 1) | compare(v, w), 1, 0))

    pairs = np.pad(PAIRS, ((0, 0), (0, -PAIRS.shape[1] % 16))).astype(dtype)
    pairs = np.ascontiguousarray(pairs)
    v, w = pairs
    expected = [
        np.where(compare(v, w), v + 1, w),
        np.where(compare(v, 0), 2, w),
        np.where(compare(0.5, w), v, -1),
        compare(v, 1) | compare(v, w),
    ]
    for function in (compiled(choose), choose):
        out = np.full((4, v.size), 99, dtype)
        function(pairs, out)
        np.testing.assert_array_equal(out, np.array(expected, dtype))


def test_masks_of_different_numbers_do_not_mix():
    @numba.njit
    def mixed(a, b):
        store(a, 0, select(load(a, 0) > 0, load(b, 0), 1))

    with pytest.raises(numba.TypingError):
        mixed(np.ones(99, np.float32), np.ones(99, np.float64))
