"""Steps between convolutions on interleaved pictures, against the definitions on plain ones."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kernel_cases import assert_near, numbers, windows
from minicnn.kernels import cpu, reference
from minicnn.kernels.cpu.interleaved import pool
from minicnn.kernels.cpu.interleaved.layout import LANES, interleave, separate
from minicnn.kernels.geometry import Window

WINDOWS = [
    Window((2, 2), (2, 2)),
    Window((3, 3), (2, 2), (1, 1, 1, 1)),
    Window((3, 2), (1, 1), (1, 0, 1, 1)),
    Window((2, 2), (2, 2), ceil_mode=True),
    Window((2, 3), (2, 1), (1, 1, 1, 1), (2, 1)),
]


def check_max(x, window):
    y, index = pool.max_pool2d(interleave(x), window)
    expected, places = reference.max_pool2d(x, window)
    np.testing.assert_array_equal(separate(y), expected)
    dy = numbers(*expected.shape, seed=1)
    dx = pool.max_pool2d_gradient(interleave(dy), index, interleave(x).shape, window)
    assert_near(separate(dx), reference.max_pool2d_gradient(dy, places, x.shape))


def check_mean(x, window, include, divisor):
    expected = reference.avg_pool2d(x, window, include, divisor)
    assert_near(separate(pool.avg_pool2d(interleave(x), window, include, divisor)), expected)
    dy = numbers(*expected.shape, seed=1)
    dx = pool.avg_pool2d_gradient(interleave(dy), interleave(x).shape, window, include, divisor)
    assert_near(separate(dx), reference.avg_pool2d_gradient(dy, x.shape, window, include, divisor))


@pytest.mark.parametrize("window", WINDOWS)
def test_windows(window):
    x = numbers(LANES, 3, 5, 7)
    check_max(x, window)
    if window.dilation == (1, 1):
        for include, divisor in ((True, 0), (False, 0), (True, 5)):
            check_mean(x, window, include, divisor)


@settings(max_examples=15)
@given(windows(pooling=True))
def test_any_window(case):
    window, H, W = case
    assume(window.always_meets(H, W))
    check_max(numbers(LANES, 1, H, W), window)


@settings(max_examples=15)
@given(windows(pooling=True, dilated=False), st.booleans())
def test_any_window_of_a_mean(case, include):
    window, H, W = case
    check_mean(numbers(LANES, 1, H, W), window, include, 0)


@pytest.mark.parametrize("window", WINDOWS[:3])
def test_largest_of_numbers_that_are_none(window):
    """NaN, infinities, and equal numbers, of which the first counts."""
    x = np.random.default_rng(0).choice(np.float32([np.nan, -np.inf, np.inf, -1, 0, 1]), (LANES, 2, 8, 9))
    check_max(x, window)
    check_max(np.full_like(x, -np.inf), window)


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (6, 2)])
def test_adaptive_mean(size):
    x, dy = numbers(LANES, 3, 7, 5), numbers(LANES, 3, *size, seed=1)
    y = pool.adaptive_avg_pool2d(interleave(x), size)
    assert_near(separate(y), reference.adaptive_avg_pool2d(x, size))
    dx = pool.adaptive_avg_pool2d_gradient(interleave(dy), interleave(x).shape)
    assert_near(separate(dx), reference.adaptive_avg_pool2d_gradient(dy, x.shape))


def test_batch_norm_needs_no_kernel_of_its_own():
    """To it, L pictures side by side are a longer plane."""
    x, dy = numbers(2 * LANES, 3, 5, 7), numbers(2 * LANES, 3, 5, 7, seed=1)
    weight, bias = numbers(3, seed=2), numbers(3, seed=3)
    plain, pairs = (2 * LANES, 3, 35), (2, 3, 35 * LANES)
    mean, var = cpu.batch_norm_statistics(interleave(x).reshape(pairs))
    for got, expected in zip((mean, var), reference.batch_norm_statistics(x.reshape(plain)), strict=True):
        assert_near(got, expected)
    rstd, shape = 1 / np.sqrt(var), interleave(x).shape
    y = cpu.batch_norm(interleave(x).reshape(pairs), weight, bias, mean, rstd)
    expected = reference.batch_norm(x.reshape(plain), weight, bias, mean, rstd).reshape(x.shape)
    assert_near(separate(y.reshape(shape)), expected)
    arrays = (
        (interleave(dy).reshape(pairs), interleave(x).reshape(pairs)),
        (dy.reshape(plain), x.reshape(plain)),
    )
    dx, *sums = cpu.batch_norm_gradient(*arrays[0], weight, mean, rstd, False)
    expected, *others = reference.batch_norm_gradient(*arrays[1], weight, mean, rstd, False)
    assert_near(separate(dx.reshape(shape)), expected.reshape(x.shape))
    for got, other in zip(sums, others, strict=True):
        assert_near(got, other)


@pytest.mark.parametrize("name", ["gelu", "tanh"])
def test_activations_need_none_either(name):
    x, dy = numbers(LANES, 3, 5, 7), numbers(LANES, 3, 5, 7, seed=1)
    kept = cpu.activate(name, x) if name == "tanh" else x
    assert_near(separate(cpu.activate(name, interleave(x))), reference.activate(name, x))
    dx = cpu.activation_gradient(name, interleave(dy), interleave(kept))
    assert_near(separate(dx), reference.activation_gradient(name, dy, kept))
