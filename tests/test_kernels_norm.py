"""The normalising kernels: the reference against PyTorch, the fast ones against the reference."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator import kernels as emulated
from kernel_cases import DTYPES, assert_near, in_parts, layouts, numbers
from minicnn.kernels import cpu, reference
from minicnn.kernels.cpu import norm, rows

FAST = pytest.mark.parametrize("kernels", [cpu, emulated], ids=["cpu", "cuda"])
SIZES = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 40))  # N, G, C/G, P


def arrays(N, C, P, dtype):
    x, dy = numbers(N, C, P, dtype=dtype) + dtype(0.5), numbers(N, C, P, dtype=dtype, seed=1)
    return x, dy, numbers(C, dtype=dtype, seed=2), numbers(C, dtype=dtype, seed=3)


def assert_all_near(got, expected):
    for a, b in zip(got, expected, strict=True):
        assert_near(a, b)


def torch_gradients(function, dy, *inputs):
    leaves = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in inputs]
    y = function(*leaves)
    y.backward(torch.tensor(dy, dtype=torch.float64))
    return [a.numpy().astype(dy.dtype) for a in (y.detach(), *(leaf.grad for leaf in leaves))]


def assert_as_torch(kernels, sizes, dtype):
    """Against PyTorch in float64."""
    N, G, CG, P = sizes
    x, dy, weight, bias = arrays(N, G * CG, P, dtype)
    mean, var = kernels.batch_norm_statistics(x)
    rstd = 1 / np.sqrt(var + dtype(1e-3))
    y, *gradients = torch_gradients(
        lambda x, w, b: torch.nn.functional.batch_norm(x, None, None, w, b, True, eps=1e-3),
        *(dy, x, weight, bias),
    )
    assert_near(kernels.batch_norm(x, weight, bias, mean, rstd), y)
    assert_all_near(kernels.batch_norm_gradient(dy, x, weight, mean, rstd, False), gradients)
    y, *gradients = torch_gradients(
        lambda x, w, b: torch.nn.functional.group_norm(x, G, w, b, 1e-3), dy, x, weight, bias
    )
    got, mean, rstd = kernels.group_norm(x, weight, bias, G, 1e-3)
    assert_near(got, y)
    assert_all_near(kernels.group_norm_gradient(dy, x, weight, mean, rstd), gradients)


@settings(max_examples=25)
@given(SIZES)
def test_reference_against_torch(sizes):
    N, G, CG, P = sizes
    assert_as_torch(reference, (N, G, CG, P + 2), np.float64)  # the statistics of two numbers and more


@FAST
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "sizes",
    [
        (70, 2, 33, 1),  # features, in two blocks of channels
        (600, 1, 5, 2),  # in several slices
        (1, 2, 1, 20000),  # of few channels, and more numbers than a block holds
        (300, 1, 2, 49),  # pictures smaller than a block
        (40, 1, 257, 1),  # a number more than a warp holds
        (3, 1, 11, 150),
    ],
)
def test_fast_against_torch(kernels, sizes, dtype):
    assert_as_torch(kernels, sizes, dtype)


@FAST
@settings(max_examples=50)
@given(SIZES, st.sampled_from(DTYPES), st.booleans(), st.booleans())
def test_fast_against_reference(kernels, sizes, dtype, affine, constant):
    N, G, CG, P = sizes
    x, dy, weight, bias = arrays(N, G * CG, P, dtype)
    if not affine:
        weight = bias = None
    assert_all_near(kernels.batch_norm_statistics(x), reference.batch_norm_statistics(x))
    mean, rstd = numbers(G * CG, dtype=dtype, seed=4), abs(numbers(G * CG, dtype=dtype, seed=5))
    case = x, weight, bias, mean, rstd
    assert_near(kernels.batch_norm(*case), reference.batch_norm(*case))
    case = dy, x, weight, mean, rstd, constant
    assert_all_near(kernels.batch_norm_gradient(*case), reference.batch_norm_gradient(*case))
    case = x, weight, bias, G, 0.3
    assert_all_near(kernels.group_norm(*case), reference.group_norm(*case))
    mean, rstd = numbers(N, G, dtype=dtype, seed=4), abs(numbers(N, G, dtype=dtype, seed=5))
    case = dy, x, weight, mean, rstd
    assert_all_near(kernels.group_norm_gradient(*case), reference.group_norm_gradient(*case))


@FAST
@pytest.mark.parametrize("i", range(6))
def test_any_layout(kernels, i):
    shape = (2, 6, 5)
    (_, x), (_, dy) = (list(layouts(shape))[(i + k) % 6] for k in range(2))
    plain_x, plain_dy = np.array(x, order="C"), np.array(dy, order="C")
    weight, mean, rstd = np.float32([1, 2, 3, 4, 5, 6])[::-1], numbers(12)[::2], abs(numbers(12, seed=1))[::2]
    few = numbers(2, 3), abs(numbers(2, 3, seed=1))
    assert_all_near(kernels.batch_norm_statistics(x), kernels.batch_norm_statistics(plain_x))
    assert_near(
        kernels.batch_norm(x, weight, mean, mean, rstd), kernels.batch_norm(plain_x, weight, mean, mean, rstd)
    )
    assert_all_near(
        kernels.batch_norm_gradient(dy, x, weight, mean, rstd, False),
        kernels.batch_norm_gradient(plain_dy, plain_x, weight, mean, rstd, False),
    )
    assert_all_near(
        kernels.group_norm(x, weight, mean, 3, 0.1), kernels.group_norm(plain_x, weight, mean, 3, 0.1)
    )
    assert_all_near(
        kernels.group_norm_gradient(dy, x, weight, *few),
        kernels.group_norm_gradient(plain_dy, plain_x, weight, *few),
    )


@FAST
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_variance_of_numbers_far_from_zero(kernels, dtype):
    x = (numbers(3, 2, 5000, dtype=float) + 3000).astype(
        dtype
    )  # mean(x*x) - mean(x)**2 has no digit in float32
    mean, var = kernels.batch_norm_statistics(x)
    np.testing.assert_allclose(mean, x.astype(float).mean(axis=(0, 2)), rtol=1e-7)
    np.testing.assert_allclose(var, x.astype(float).var(axis=(0, 2)), rtol=1e-5)
    _, _, rstd = kernels.group_norm(x, None, None, 2, 0.0)
    np.testing.assert_allclose(rstd, 1 / x.astype(float).std(axis=2), rtol=1e-5)


@FAST
def test_a_nan_stays_in_its_channel(kernels):
    x = numbers(2, 4, 5)
    x[1, 2, 3] = np.nan
    mean, var = kernels.batch_norm_statistics(x)
    assert np.array_equal(np.isnan(mean), [False, False, True, False])
    assert np.array_equal(np.isnan(var), np.isnan(mean))
    y, _, _ = kernels.group_norm(x, None, None, 2, 0.1)
    assert np.array_equal(np.isnan(y).all(axis=2), [[False] * 4, [False, False, True, True]])


@pytest.mark.parametrize("P", [1, 37])
def test_the_number_of_threads_changes_no_bit(P, monkeypatch):
    x, dy, weight, bias = arrays(70, 2 * 129, P, np.float32)
    results = []
    for _ in range(2):
        y, mean, rstd = cpu.group_norm(x, weight, bias, 2, 1e-5)
        results.append([y, mean, rstd, *cpu.group_norm_gradient(dy, x, weight, mean, rstd)])
        monkeypatch.setattr(norm, "run", in_parts(None))  # as on as many threads as there are jobs
    assert all(a.tobytes() == b.tobytes() for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("kernels", [reference, cpu, emulated], ids=["reference", "cpu", "cuda"])
def test_no_samples(kernels):
    x = np.ones((0, 4, 3))
    assert np.isnan(kernels.batch_norm_statistics(x)).all()
    y, mean, rstd = kernels.group_norm(x, None, None, 2, 0.1)
    assert (y.shape, mean.shape, rstd.shape) == ((0, 4, 3), (0, 2), (0, 2))
    for sums in kernels.group_norm_gradient(x, x, None, mean, rstd)[1:]:
        assert np.array_equal(sums, np.zeros(4))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0, 1, 7, 16, 17, 100, 4096, 4097, 9001])
def test_sums_over_rows(size, dtype):
    """In vectors and stretches, what is left at their ends included."""
    v, x = numbers(size, dtype=dtype) + dtype(3), numbers(size, dtype=dtype, seed=1)
    v64, x64, mean = v.astype(float), x.astype(float), dtype(0.7)
    tolerance = 1e-6 if dtype == np.float32 else 1e-14
    np.testing.assert_allclose(rows.total(v), v64.sum(), rtol=tolerance)
    np.testing.assert_allclose(rows.squares(v, mean), ((v64 - mean) ** 2).sum(), rtol=tolerance)
    sum, products = rows.total_and_products(v, x, mean)
    assert sum == rows.total(v)
    np.testing.assert_allclose(
        products, (v64 * (x64 - mean)).sum(), atol=tolerance * (abs(v64) * abs(x64 - mean)).sum()
    )
    assert size == 0 or rows.highest(v) == v.max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 15, 40])
def test_roots_and_quotients_are_exact(size, dtype):
    """As NumPy's are: an estimate would be another in a vector than alone, and on another processor."""
    var, eps = abs(numbers(size, dtype=dtype)), dtype(1e-5)
    got = cpu.batch_norm_update_and_invert(var, var, None, None, None, 0.1, eps, 10)
    assert np.array_equal(got, dtype(1) / np.sqrt(var + eps))
