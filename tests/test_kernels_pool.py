"""The pooling kernels: the reference against NumPy and PyTorch, the fast ones against the reference."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from emulator import kernels as emulated
from kernel_cases import DTYPES, assert_near, layouts, numbers, taps, windows
from minicnn.kernels import cpu, reference
from minicnn.kernels.geometry import Window

KERNELS = pytest.mark.parametrize("kernels", [reference, cpu, emulated], ids=["reference", "cpu", "cuda"])
FAST = pytest.mark.parametrize("kernels", [cpu, emulated], ids=["cpu", "cuda"])
HALVES = Window((2, 2), (2, 2))


@st.composite
def cases(draw, dilated):
    window, H, W = draw(windows(pooling=True, dilated=dilated))
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 3)), H, W
    assume((taps(np.ones((1, 1, H, W)), window) > 0).any(axis=(4, 5)).all())  # every window has a cell
    assume(np.prod(shape[:2]) * np.prod(window.output_size(H, W)) * np.prod(window.kernel) < 3000)
    return shape, window


def max_by_numpy(x, window):
    """Values, and the places of the first largest number in each window."""
    cells = taps(x, window, -np.inf)
    H, W = x.shape[2:]
    place = np.arange(H * W, dtype=float).reshape(1, 1, H, W)
    places = np.broadcast_to(taps(place, window, np.inf), cells.shape)
    y = cells.max(axis=(4, 5))
    index = np.where(cells == y[..., None, None], places, np.inf).min(axis=(4, 5))
    return y, index.astype(np.int32)


def mean_by_numpy(x, window, count_include_pad, divisor):
    top, bottom, left, right = window.padding
    cells = np.pad(
        np.ones(x.shape[2:]), ((top, bottom), (left, right)), constant_values=float(count_include_pad)
    )
    OH, OW = window.output_size(*x.shape[2:])
    counts = taps(cells[None, None], window._replace(padding=(0, 0, 0, 0)))[:, :, :OH, :OW].sum(axis=(4, 5))
    return (taps(x.astype(float), window).sum(axis=(4, 5)) / (divisor or counts)).astype(x.dtype)


def assert_same_max(kernels, x, window):
    (y, index), (expected, places) = kernels.max_pool2d(x, window), reference.max_pool2d(x, window)
    assert np.array_equal(y, expected, equal_nan=True)
    assert y.dtype == x.dtype
    assert index.dtype == np.int32
    assert np.array_equal(index, places)
    dy = numbers(*y.shape, dtype=x.dtype)
    dx = kernels.max_pool2d_gradient(dy, index, x.shape)
    assert_near(dx, reference.max_pool2d_gradient(dy, places, x.shape))


def assert_same_mean(kernels, shape, window, count_include_pad, divisor, dtype):
    x = numbers(*shape, dtype=dtype)
    y = kernels.avg_pool2d(x, window, count_include_pad, divisor)
    assert_near(y, reference.avg_pool2d(x, window, count_include_pad, divisor))
    dy = numbers(*y.shape, dtype=dtype)
    gradient = dy, shape, window, count_include_pad, divisor
    assert_near(kernels.avg_pool2d_gradient(*gradient), reference.avg_pool2d_gradient(*gradient))


@settings(max_examples=30)
@given(cases(dilated=True))
def test_reference_max_against_numpy(case):
    shape, window = case
    x = np.random.default_rng(0).integers(0, 5, shape).astype(float)  # with ties
    for got, expected in zip(reference.max_pool2d(x, window), max_by_numpy(x, window), strict=True):
        assert np.array_equal(got, expected)


@settings(max_examples=30)
@given(cases(dilated=False), st.booleans(), st.sampled_from([0, 0, 3]))
def test_reference_mean_against_numpy(case, count_include_pad, divisor):
    shape, window = case
    x = numbers(*shape, dtype=np.float64)
    y = reference.avg_pool2d(x, window, count_include_pad, divisor)
    assert_near(y, mean_by_numpy(x, window, count_include_pad, divisor))
    dy = numbers(*y.shape, dtype=np.float64, seed=1)
    dx = reference.avg_pool2d_gradient(dy, shape, window, count_include_pad, divisor)
    assert np.isclose((x * dx).sum(), (y * dy).sum())  # the gradient of a linear map is its transpose


@FAST
@settings(max_examples=50)
@given(case=cases(dilated=True), dtype=st.sampled_from(DTYPES), ties=st.booleans())
def test_max_against_reference(kernels, case, dtype, ties):
    shape, window = case
    x = numbers(*shape, dtype=dtype)
    assert_same_max(kernels, np.round(x) if ties else x, window)


@FAST
@settings(max_examples=50)
@given(
    case=cases(dilated=False),
    dtype=st.sampled_from(DTYPES),
    count_include_pad=st.booleans(),
    divisor=st.sampled_from([0, 0, 1, 7, -2]),
)
def test_mean_against_reference(kernels, case, dtype, count_include_pad, divisor):
    assert_same_mean(kernels, *case, count_include_pad, divisor, dtype)


@KERNELS
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"),
    [((2, 2), (2, 2), (0, 0), (1, 1)), ((3, 2), (2, 3), (1, 1), (1, 1)), ((3, 4), (2, 1), (1, 2), (1, 2))],
)
def test_max_against_torch(kernels, dtype, ceil_mode, kernel, stride, padding, dilation):
    x = numbers(2, 3, 7, 10, dtype=dtype)
    x[0, 1], x[1, 1, 2:5, 3:9], x[1, 2, 3, ::4], x[0, 2, 3, 4] = -np.inf, -np.inf, np.nan, np.inf
    leaf = torch.tensor(x, requires_grad=True)
    expected, places = torch.nn.functional.max_pool2d(
        leaf, kernel, stride, padding, dilation, ceil_mode, return_indices=True
    )
    window = Window(kernel, stride, (padding[0], padding[0], padding[1], padding[1]), dilation, ceil_mode)
    y, index = kernels.max_pool2d(x, window)
    assert np.array_equal(y, expected.detach().numpy(), equal_nan=True)
    assert np.array_equal(index, places.numpy())
    dy = numbers(*y.shape, dtype=dtype)
    expected.backward(torch.tensor(dy))
    assert_near(kernels.max_pool2d_gradient(dy, index, x.shape), leaf.grad.numpy())


@KERNELS
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize("divisor", [0, 5])
def test_mean_against_torch(kernels, dtype, ceil_mode, count_include_pad, divisor):
    kernel, stride, padding = (3, 4), (2, 3), (1, 2)
    leaf = torch.tensor(numbers(2, 3, 8, 9, dtype=dtype), requires_grad=True)
    expected = torch.nn.functional.avg_pool2d(
        leaf, kernel, stride, padding, ceil_mode, count_include_pad, divisor or None
    )
    window = Window(kernel, stride, (1, 1, 2, 2), (1, 1), ceil_mode)
    y = kernels.avg_pool2d(leaf.detach().numpy(), window, count_include_pad, divisor)
    assert_near(y, expected.detach().numpy())
    dy = numbers(*y.shape, dtype=dtype)
    expected.backward(torch.tensor(dy))
    dx = kernels.avg_pool2d_gradient(dy, tuple(leaf.shape), window, count_include_pad, divisor)
    assert_near(dx, leaf.grad.numpy())


AWKWARD = {
    "one pixel": ((1, 1, 1, 1), Window((1, 1))),
    "the whole plane": ((3, 2, 5, 7), Window((5, 7))),
    "a row": ((1, 3, 1, 37), Window((1, 3), (1, 2), (0, 0, 1, 1))),
    "a column": ((1, 3, 37, 1), Window((3, 1), (2, 1), (1, 1, 0, 0))),
    "kernel larger than the plane": ((2, 2, 2, 3), Window((4, 5), (1, 1), (2, 1, 2, 2))),
    "stride beyond the kernel": ((2, 2, 17, 16), Window((2, 3), (5, 7))),
    "stride beyond the plane": ((2, 2, 4, 5), Window((2, 3), (9, 9))),
    "the last window sticks out by all but a cell": ((1, 2, 5, 9), Window((2, 4), (2, 4), ceil_mode=True)),
    "overlapping": ((2, 3, 9, 21), Window((3, 3), (1, 1), (1, 1, 1, 1))),
    "a row one more than a vector": ((1, 2, 6, 34), HALVES),
    "different sides": ((2, 2, 6, 8), Window((4, 3), (3, 2), (2, 0, 0, 1))),
    "many planes": ((9, 13, 3, 5), HALVES),
    "many cells": ((1, 1, 83, 61), Window((2, 3), (2, 2), (1, 0, 0, 1), ceil_mode=True)),
}


@FAST
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_shapes(kernels, name, dtype):
    shape, window = AWKWARD[name]
    assert_same_max(kernels, numbers(*shape, dtype=dtype), window)
    for count_include_pad in (False, True):
        assert_same_mean(kernels, shape, window, count_include_pad, 0, dtype)


@FAST
@pytest.mark.parametrize("name", [name for name, _ in layouts((1, 1, 1, 1))])
def test_any_layout_in_memory(kernels, name):
    x = dict(layouts((2, 3, 6, 7)))[name]
    before = x.copy()
    assert_same_max(kernels, x, HALVES)
    assert_near(kernels.avg_pool2d(x, HALVES, True, 0), reference.avg_pool2d(before, HALVES, True, 0))
    dy = dict(layouts((2, 3, 3, 3)))[name]
    _, index = reference.max_pool2d(x, HALVES)
    for places in (index, np.asfortranarray(index)):
        dx = kernels.max_pool2d_gradient(dy, places, x.shape)
        assert_near(dx, reference.max_pool2d_gradient(dy, index, x.shape))
    gradient = dy, x.shape, HALVES, True, 0
    assert_near(kernels.avg_pool2d_gradient(*gradient), reference.avg_pool2d_gradient(*gradient))
    assert np.array_equal(x, before)


@KERNELS
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(0, 3, 5, 6), (2, 0, 5, 6)])
def test_nothing_to_pool(kernels, dtype, shape):
    y, index = kernels.max_pool2d(np.ones(shape, dtype), HALVES)
    mean = kernels.avg_pool2d(np.ones(shape, dtype), HALVES, True, 0)
    assert y.shape == index.shape == mean.shape == (*shape[:2], 2, 3)
    assert kernels.max_pool2d_gradient(y, index, shape).shape == shape
    assert kernels.avg_pool2d_gradient(y, shape, HALVES, True, 0).shape == shape


@FAST
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [(0, 0, 0, 0), (0, 1, 6, 8), (1, 0, 3, 8), (1, 1, 6, 0)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_special_number_reaches_its_windows_only(kernels, special, at, dtype):
    window = Window((3, 2), (2, 1), (1, 1, 1, 0), ceil_mode=True)
    x = numbers(2, 2, 7, 9, dtype=dtype)
    x[at] = special
    assert_same_max(kernels, x, window)
    hit = ~np.isfinite(taps(x, window)).all(axis=(4, 5))
    assert hit.any()
    assert np.array_equal(~np.isfinite(kernels.avg_pool2d(x, window, True, 0)), hit)


@KERNELS
@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (1, 1, 1, 1)])
def test_windows_of_minus_infinity_only(kernels, padding):
    window = Window((2, 2), (2, 2), padding)
    y, index = kernels.max_pool2d(np.full((1, 2, 4, 6), -np.inf, np.float32), window)
    assert (y == -np.inf).all()
    assert index[0, 0, 0, 0] == 0  # the first cell that is not padding
    dx = kernels.max_pool2d_gradient(np.ones_like(y), index, (1, 2, 4, 6))
    assert dx.sum() == y.size


@KERNELS
def test_overlapping_windows_add_up_at_a_shared_maximum(kernels):
    x = np.zeros((1, 1, 5, 5), np.float32)
    x[0, 0, 2, 2] = 1
    y, index = kernels.max_pool2d(x, Window((3, 3)))
    assert (index == 12).all()
    assert kernels.max_pool2d_gradient(np.ones_like(y), index, x.shape)[0, 0, 2, 2] == 9


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (9, 7)])
@pytest.mark.parametrize("dtype", DTYPES)
@KERNELS
def test_adaptive_against_torch(kernels, dtype, size):
    x = np.round(numbers(2, 3, 7, 11, dtype=dtype))  # with ties
    leaf = torch.tensor(x, requires_grad=True)
    mean = torch.nn.functional.adaptive_avg_pool2d(leaf, size)
    assert_near(kernels.adaptive_avg_pool2d(x, size), mean.detach().numpy())
    dy = numbers(*mean.shape, dtype=dtype)
    mean.backward(torch.tensor(dy))
    assert_near(kernels.adaptive_avg_pool2d_gradient(dy, x.shape), leaf.grad.numpy())
    x[0, 1], x[1, 1, 2:5, 3:9], x[1, 2, 3, ::4], x[0, 2, 3, 4] = -np.inf, -np.inf, np.nan, np.inf
    expected, places = torch.nn.functional.adaptive_max_pool2d(torch.tensor(x), size, return_indices=True)
    y, index = kernels.adaptive_max_pool2d(x, size)
    assert np.array_equal(y, expected.numpy(), equal_nan=True)
    assert np.array_equal(index, places.numpy())


@FAST
@pytest.mark.parametrize("shape", [(1, 2, 1, 5001), (2, 1, 3001, 2)])
def test_gradient_of_a_long_line(kernels, shape):
    index = np.sort(np.random.default_rng(0).integers(0, shape[2] * shape[3], (*shape[:2], 1500, 1)))
    index = index.astype(np.int32)
    dy = numbers(*index.shape)
    dx = kernels.max_pool2d_gradient(dy, index, shape)
    assert_near(dx, reference.max_pool2d_gradient(dy, index, shape))


@pytest.mark.parametrize("H, W", [(2, 2), (5, 4), (6, 37), (3, 9)])
def test_cells_of_two_by_two(H, W):
    rng = np.random.default_rng(H * W)
    x = rng.integers(-2, 2, (2, 3, H, W)).astype(np.float32)  # ties
    x[rng.random(x.shape) < 0.1] = np.nan
    x[rng.random(x.shape) < 0.1] = -np.inf
    for left, right in zip(cpu.max_pool2d(x, HALVES), reference.max_pool2d(x, HALVES), strict=True):
        np.testing.assert_array_equal(left, right)
    x = rng.standard_normal((2, 3, H, W), np.float32)
    y = reference.avg_pool2d(x, HALVES, True, 3)
    np.testing.assert_allclose(cpu.avg_pool2d(x, HALVES, True, 3), y, rtol=1e-6, atol=1e-6)
    left, right = (k.avg_pool2d_gradient(y, x.shape, HALVES, True, 3) for k in (cpu, reference))
    np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-6)
