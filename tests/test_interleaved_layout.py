"""Interleaved pictures: where each number lies, and the way back."""

import numpy as np
import pytest

from minicnn.kernels.cpu.interleaved.layout import LANES, empty, interleave, separate
from minicnn.kernels.cpu.simd import BYTES


@pytest.mark.parametrize("shape", [(LANES, 1, 1, 1), (2 * LANES, 3, 5, 7), (3 * LANES, 2, 4, 8)])
def test_a_vector_holds_the_same_pixel_of_each_picture(shape):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    y = interleave(x)
    B = shape[0] // LANES
    np.testing.assert_array_equal(y, x.reshape(B, LANES, *shape[1:]).transpose(0, 2, 3, 4, 1))
    np.testing.assert_array_equal(separate(y), x)


@pytest.mark.parametrize("N", [1, LANES - 1, LANES + 3])
def test_a_group_that_is_not_full(N):
    x = np.random.default_rng(0).standard_normal((N, 3, 5, 7)).astype(np.float32)
    y = interleave(x)
    B = -(-N // LANES)
    padded = np.concatenate([x, np.zeros((B * LANES - N, 3, 5, 7), np.float32)])
    np.testing.assert_array_equal(y, padded.reshape(B, LANES, 3, 5, 7).transpose(0, 2, 3, 4, 1))
    np.testing.assert_array_equal(separate(y, N), x)


def test_also_of_views():
    x = np.random.default_rng(0).standard_normal((4, 3, 5, LANES)).astype(np.float32).T
    np.testing.assert_array_equal(separate(interleave(x)), x)


def test_empty_is_aligned():
    assert all(empty((3, n)).__array_interface__["data"][0] % BYTES == 0 for n in range(1, 40))
