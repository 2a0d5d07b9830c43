"""The kernels of the linear layer and of losses: in the reference, on the CPU, on the GPU."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from emulator import kernels as emulated
from kernel_cases import DTYPES, assert_near, matrices, numbers
from minicnn.kernels import cpu, reference

KERNELS = pytest.mark.parametrize("kernels", [reference, cpu, emulated], ids=["reference", "cpu", "cuda"])
FAST = pytest.mark.parametrize("kernels", [cpu, emulated], ids=["cpu", "cuda"])
DTYPE = pytest.mark.parametrize("dtype", DTYPES)


# linear


def assert_linear(kernels, x, weight, dy, bias):
    """Against NumPy's product of matrices in float64."""
    x64, weight64, dy64 = (a.astype(float) for a in (x, weight, dy))
    expected = x64 @ weight64.T + (0 if bias is None else bias)
    assert_near(kernels.linear(x, weight, bias), expected.astype(x.dtype))
    assert_near(kernels.linear_input_gradient(dy, weight), (dy64 @ weight64).astype(x.dtype))
    assert_near(kernels.linear_weight_gradient(dy, x), (dy64.T @ x64).astype(x.dtype))


def linear_case(N, I, O, dtype):
    return numbers(N, I, dtype=dtype), numbers(O, I, dtype=dtype, seed=1), numbers(N, O, dtype=dtype, seed=2)


@KERNELS
@settings(max_examples=40)
@given(*(st.integers(1, 50) for _ in range(3)), st.sampled_from(DTYPES), st.booleans())
def test_linear_against_numpy(kernels, N, I, O, dtype, biased):
    assume(kernels is cpu or N * I * O < 3000)
    assert_linear(kernels, *linear_case(N, I, O, dtype), numbers(O, dtype=dtype) if biased else None)


@DTYPE
@pytest.mark.parametrize(
    "sizes",
    [
        (1, 1, 1),
        (64, 400, 120),
        (65, 1600, 129),
        (3, 3000, 7),
        (257, 5, 333),
        (1, 4096, 10),
        (1100, 9, 8),
        (2, 1025, 97),
    ],
)
def test_linear_sizes(sizes, dtype):
    assert_linear(cpu, *linear_case(*sizes, dtype), numbers(sizes[2], dtype=dtype))


@DTYPE
def test_linear_in_any_layout(dtype):
    cases = zip(*(matrices(*shape, dtype=dtype) for shape in ((7, 19), (11, 19), (7, 11))), strict=True)
    for x, weight, dy in cases:
        assert_linear(cpu, x, weight, dy, np.broadcast_to(dtype(2), 11))


@KERNELS
@DTYPE
@pytest.mark.parametrize("sizes", [(0, 3, 4), (2, 0, 4), (2, 3, 0)])
def test_linear_of_nothing(kernels, dtype, sizes):
    assert_linear(kernels, *linear_case(*sizes, dtype), np.ones(sizes[2], dtype))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_linear_keeps_a_bad_number_in_its_row(bad):
    x, weight = np.ones((10, 21), np.float32), np.ones((5, 21), np.float32)
    x[7, 20] = bad
    assert np.array_equal(
        ~np.isfinite(cpu.linear(x, weight, None)), np.repeat(np.arange(10) == 7, 5).reshape(10, 5)
    )
    dweight = cpu.linear_weight_gradient(np.ones((10, 5), np.float32), x)
    assert np.array_equal(~np.isfinite(dweight), np.tile(np.arange(21) == 20, (5, 1)))


# loss


def torch_cross_entropy(logits, target, weight, ignore_index, smoothing, reduction):
    leaf = torch.tensor(logits, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(
        leaf,
        torch.tensor(target, dtype=torch.int64),
        None if weight is None else torch.tensor(weight),
        ignore_index=ignore_index,
        label_smoothing=smoothing,
        reduction=reduction,
    )
    loss.sum().backward()
    return loss.detach().numpy(), leaf.grad.numpy()


REDUCTIONS = ("none", "sum", "mean")


@KERNELS
@DTYPE
@pytest.mark.parametrize("reduction", REDUCTIONS)
@settings(max_examples=25)
@given(st.integers(1, 9), st.integers(1, 21), st.booleans(), st.sampled_from([0.0, 0.1, 1.0]), st.data())
def test_cross_entropy_against_torch(kernels, dtype, reduction, N, C, weighted, smoothing, data):
    logits = 5 * numbers(N, C, dtype=dtype)
    target = np.array(data.draw(st.lists(st.sampled_from([*range(C), -1]), min_size=N, max_size=N)))
    weight = abs(numbers(C, dtype=dtype)) if weighted else None
    arguments = logits, target, weight, -1, smoothing, reduction
    for got, expected in zip(kernels.cross_entropy(*arguments), torch_cross_entropy(*arguments), strict=True):
        assert_near(got, expected)


@KERNELS
@DTYPE
@pytest.mark.parametrize(
    "row",
    [
        [1e4, 1e4 - 1, -1e4],  # exp overflows
        [1e6, 1e6 + 0.5, 1e6 - 3],  # all far from 0
        [-3e4, -3e4, -3e4],
        [30, 0, 0],  # a small loss keeps its digits
        [2, -np.inf, 1],  # a masked class
        [-np.inf, 0.5, -np.inf],
    ],
)
def test_cross_entropy_of_extreme_logits(kernels, dtype, row):
    logits = np.array([row] * 2, dtype)
    target = np.array([0 if np.isfinite(row[0]) else 1, int(np.argmax(row))])
    losses, gradient = kernels.cross_entropy(logits, target, None, -100, 0.0, "none")
    shifted = logits.astype(float) - logits.max()  # as softmax allows; PyTorch loses digits without
    expected, expected_gradient = torch_cross_entropy(shifted, target, None, -100, 0.0, "none")
    accuracy = 1e-6 if dtype == np.float32 else 1e-14  # of numbers near 1, as the shifted exponentials are
    np.testing.assert_allclose(losses, expected, rtol=accuracy, atol=accuracy)
    np.testing.assert_allclose(gradient, expected_gradient, atol=accuracy)


@KERNELS
@DTYPE
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cross_entropy_of_a_masked_target_is_infinite(kernels, dtype, reduction):
    arguments = np.array([[0, -np.inf, 1]], dtype), np.array([1]), None, -100, 0.0, reduction
    loss, gradient = kernels.cross_entropy(*arguments)
    assert loss == np.inf
    assert_near(gradient, torch_cross_entropy(*arguments)[1])


@FAST
@pytest.mark.parametrize("row", [[np.nan, 0, 1], [0, 1, np.nan], [np.inf, 0, 1], [-np.inf] * 3])
def test_cross_entropy_of_what_has_no_softmax_is_nan(kernels, row):
    arguments = np.array([[1, 2, 3], row], np.float32), np.array([0, 2]), None, -100, 0.0
    losses, gradient = kernels.cross_entropy(*arguments, "none")
    assert np.array_equal(np.isnan(losses), [False, True])
    assert np.isfinite(gradient[0]).all()
    assert np.isnan(gradient[1]).any()
    assert all(np.isnan(kernels.cross_entropy(*arguments, reduction)[0]) for reduction in ("sum", "mean"))


@FAST
@pytest.mark.parametrize("index_type", [np.uint8, np.int32, np.int64])
def test_cross_entropy_takes_any_integer_and_layout(kernels, index_type):
    target = np.array([3, 0, 255, 1, 3, 2], index_type)[::2]
    for logits in matrices(3, 4):
        arguments = np.ascontiguousarray(logits), target.astype(int), np.float32([1, 2, 3, 4]), 255, 0.2
        expected = reference.cross_entropy(*arguments, "mean")
        got = kernels.cross_entropy(logits, target, np.float32([4, 3, 2, 1])[::-1], 255, 0.2, "mean")
        for ours, theirs in zip(got, expected, strict=True):
            assert_near(ours, theirs)


@KERNELS
@pytest.mark.parametrize("N", [0, 2])
def test_cross_entropy_of_nothing(kernels, N):
    arguments = np.ones((N, 3)), np.full(N, -100), None, -100, 0.1
    for reduction, loss in zip(REDUCTIONS, (np.zeros(N), 0.0, np.nan), strict=True):
        got, gradient = kernels.cross_entropy(*arguments, reduction)
        np.testing.assert_array_equal(got, loss, strict=True)
        np.testing.assert_array_equal(gradient, np.zeros((N, 3)), strict=True)


@pytest.mark.parametrize("kernels", [reference, cpu])
@pytest.mark.parametrize("target", [3, -1, 2**40])
def test_cross_entropy_of_what_is_no_class(kernels, target):
    with pytest.raises(IndexError, match=f"cross_entropy: target {target} is out of bounds for 3 classes"):
        kernels.cross_entropy(np.ones((2, 3)), np.array([0, target]), None, -100, 0.0, "mean")


@pytest.mark.parametrize("target", [3, -1, 2**40])
def test_cross_entropy_of_what_is_no_class_is_nan_on_the_gpu(target):
    arguments = np.ones((3, 3)), np.array([0, target, -100]), None, -100, 0.0
    losses, gradient = emulated.cross_entropy(*arguments, "none")
    assert np.isnan(losses).tolist() == [False, True, False]
    assert np.isnan(gradient).all(axis=1).tolist() == np.isnan(losses).tolist()
    assert np.isnan(emulated.cross_entropy(*arguments, "mean")[0])


@DTYPE
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("N", "C"), [(1700, 10), (40, 500), (16500, 1)])
def test_cross_entropy_of_many_rows_on_the_gpu(N, C, reduction, dtype):
    """More than a single block goes through."""
    target = np.where(np.arange(N) % 7, np.arange(N) % C, -100)
    arguments = numbers(N, C, dtype=dtype), target, abs(numbers(C, dtype=dtype, seed=1)), -100, 0.1, reduction
    for got, expected in zip(emulated.cross_entropy(*arguments), cpu.cross_entropy(*arguments), strict=True):
        assert_near(got, expected)


# dropout


@DTYPE
@pytest.mark.parametrize(
    ("shape", "together"), [((3, 5, 7), 1), ((2, 3, 5, 7), 35), ((4, 3), 12), ((0, 3), 1)]
)
def test_dropout(shape, together, dtype):
    x, dy = numbers(*shape, dtype=dtype), numbers(*shape, dtype=dtype, seed=1)
    for p in (0.3, 0.5, 1.0):
        results = []
        for kernels in (reference, cpu):
            y, fates = kernels.dropout(x, together, p, np.random.default_rng(3))
            results.append((y, kernels.dropout_gradient(dy, together, p, fates)))
        for expected, got in zip(*results, strict=True):
            np.testing.assert_array_equal(got, expected)
    y, fates = cpu.dropout(x.T, together, 0.5, np.random.default_rng(3))
    np.testing.assert_array_equal(
        y, reference.dropout(x.T.copy(), together, 0.5, np.random.default_rng(3))[0]
    )
