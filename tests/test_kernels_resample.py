"""The resampling kernels against NumPy's indexing, and each telling against the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import kernels as emulated
from kernel_cases import DTYPES, assert_near, numbers
from minicnn.kernels import cpu, reference

KERNELS = (reference, cpu, emulated)


@st.composite
def cases(draw):
    """Sizes of x, and indices down and across: low, high and share."""
    shape = tuple(draw(st.integers(1, 7)) for _ in range(3))
    axes = []
    for n in shape[1:]:
        count = draw(st.integers(1, 9))
        low, high = (
            np.array(draw(st.lists(st.integers(0, n - 1), min_size=count, max_size=count))) for _ in "lh"
        )
        axes.append((low, high, np.arange(count) / count))
    return shape, axes


@given(cases(), st.sampled_from(DTYPES))
def test_pick(case, dtype):
    shape, ((rows, _, _), (columns, _, _)) = case
    x = numbers(*shape, dtype=dtype)
    for kernels in KERNELS:
        assert np.array_equal(kernels.pick(x, rows, columns), x[:, rows[:, None], columns])
    dy = numbers(shape[0], len(rows), len(columns), dtype=dtype)
    expected = np.zeros(shape)
    np.add.at(expected, (slice(None), rows[:, None], columns), dy)
    for kernels in KERNELS:
        assert_near(kernels.pick_gradient(dy, rows, columns, shape[1:]), expected.astype(dtype))


@given(cases(), st.sampled_from(DTYPES))
def test_blend(case, dtype):
    shape, axes = case
    down, across = ((low, high, share.astype(dtype)) for low, high, share in axes)
    x = numbers(*shape, dtype=dtype)
    matrices = []
    for n, (low, high, share) in zip(shape[1:], (down, across), strict=True):
        matrix = np.zeros((len(low), n))
        np.add.at(matrix, (np.arange(len(low)), low), 1 - share.astype(float))
        np.add.at(matrix, (np.arange(len(low)), high), share)
        matrices.append(matrix)
    expected = matrices[0] @ x.astype(float) @ matrices[1].T
    dy = numbers(shape[0], len(down[0]), len(across[0]), dtype=dtype)
    gradient = matrices[0].T @ dy.astype(float) @ matrices[1]
    for kernels in KERNELS:
        assert_near(kernels.blend(x, down, across), expected.astype(dtype))
        assert_near(kernels.blend_gradient(dy, down, across, shape[1:]), gradient.astype(dtype))


@pytest.mark.parametrize("kernels", KERNELS)
def test_a_nan_stays_where_it_is(kernels):
    x = np.float32([[[1, np.nan, 2, np.inf]]])
    assert np.array_equal(kernels.pick(x, np.array([0]), np.array([0, 2, 3])), [[[1, 2, np.inf]]])
