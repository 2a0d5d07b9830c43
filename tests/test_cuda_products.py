"""Convolution and fully connected layers on the GPU where there is a choice: tiles, tensor cores, parts."""

import numpy as np
import pytest

import kernel_cases
from emulator import kernels as emulated
from kernel_cases import DTYPES, assert_near, numbers
from minicnn.kernels import cpu, reference
from minicnn.kernels.cuda import conv, gemm
from minicnn.kernels.geometry import Window

TILES = pytest.mark.parametrize("tile", gemm.TILES, ids=["x".join(map(str, tile)) for tile in gemm.TILES])
CASES = {  # x, weight, window, groups
    "more rows than a tile": ((2, 19, 5, 7), (131, 19, 3, 3), Window((3, 3), (1, 1), (1, 1, 0, 2)), 1),
    "steps of several rows": ((2, 6, 9, 17), (8, 3, 4, 3), Window((4, 3), (3, 2), (2, 0, 1, 1), (1, 2)), 2),
    "phases without a tap": ((1, 20, 8, 7), (3, 20, 1, 2), Window((1, 2), (3, 4)), 1),
    "1x1 filters": ((3, 18, 4, 5), (35, 18, 1, 1), Window((1, 1)), 1),
}


def every_result(kernels, x, weight, bias, dy, window, groups):
    """A convolution and its gradients."""
    yield "conv2d", kernels.conv2d(x, weight, bias, window, groups)
    yield "input gradient", kernels.conv2d_input_gradient(dy, weight, x.shape, window, groups)
    yield "weight gradient", kernels.conv2d_weight_gradient(dy, x, window, groups)


def arguments(x_shape, weight_shape, window, groups, dtype=np.float32):
    """Random numbers for them."""
    O, y_size = weight_shape[0], window.output_size(*x_shape[2:])
    shapes = x_shape, weight_shape, (O,), (x_shape[0], O, *y_size)
    return *(numbers(*shape, dtype=dtype, seed=seed) for seed, shape in enumerate(shapes)), window, groups


@pytest.fixture
def only(monkeypatch, tile):
    """Everything but depthwise convolution goes through tiles of this size."""
    monkeypatch.setattr(gemm, "TILES", (tile, tile))
    monkeypatch.setattr(gemm, "CROWD", 1)
    monkeypatch.setattr(conv, "MOST_DIRECT", -1)


@TILES
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_every_tile(only, name, dtype):
    case = arguments(*CASES[name], dtype)
    expected = dict(every_result(kernel_cases, *case))
    for what, got in every_result(emulated, *case):
        assert_near(got, expected[what], what)


@TILES
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_every_tile_activates(only, activation, monkeypatch):
    """The same bits as by a launch of its own; by whole tiles, in parts, and directly."""
    *(x, weight, bias, _), window, groups = arguments(*CASES["more rows than a tile"])
    case = x, weight, bias, window, groups
    rows, (table, shift) = numbers(70, 700), (numbers(131, 700, seed=1), numbers(131))
    for crowd in (1, 99):
        monkeypatch.setattr(gemm, "CROWD", crowd)
        for plain, got in (
            (emulated.conv2d(*case), emulated.conv2d(*case, activation)),
            (emulated.linear(rows, table, shift), emulated.linear(rows, table, shift, activation)),
        ):
            assert np.array_equal(got, emulated.activate(activation, plain))
    monkeypatch.undo()
    for name in ("steps of several rows", "1x1 filters"):  # directly; the smallest tile
        *(x, weight, bias, _), window, groups = arguments(*CASES[name])
        plain = emulated.conv2d(x, weight, bias, window, groups)
        got = emulated.conv2d(x, weight, bias, window, groups, activation)
        assert np.array_equal(got, emulated.activate(activation, plain))


@TILES
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("crowd", [1, 99])
@pytest.mark.parametrize("name", CASES)
def test_both_gradients_at_once(only, name, crowd, dtype, monkeypatch):
    """The sums for the bias change nothing in the weight's gradient, which is in one part or in several."""
    monkeypatch.setattr(gemm, "CROWD", crowd)
    x, _, _, dy, window, groups = arguments(*CASES[name], dtype)
    dweight, dbias = emulated.conv2d_parameter_gradients(dy, x, window, groups)
    assert np.array_equal(dweight, emulated.conv2d_weight_gradient(dy, x, window, groups))
    assert_near(dbias, kernel_cases.conv2d_bias_gradient(dy))


@pytest.mark.parametrize("tensor_cores", [False, True])
def test_sums_for_a_bias_keep_their_digits(tensor_cores, monkeypatch):
    for family in ("conv", "linear"):
        monkeypatch.setitem(gemm.allow_tf32, family, tensor_cores)
    dy, x = numbers(9, 40, 20, 21), numbers(9, 18, 22, 23)
    dweight, dbias = emulated.conv2d_parameter_gradients(dy, x, Window((3, 3)), 1)
    assert gemm.split(9 * 20 * 21, 6, conv.PART)[0] > 3
    assert np.array_equal(dweight, emulated.conv2d_weight_gradient(dy, x, Window((3, 3)), 1))
    assert_near(dbias, kernel_cases.conv2d_bias_gradient(dy))
    dy, x = numbers(700, 35), numbers(700, 9)
    dweight, dbias = emulated.linear_parameter_gradients(dy, x)
    assert np.array_equal(dweight, emulated.linear_weight_gradient(dy, x))
    assert_near(dbias, dy.sum(axis=0, dtype=float).astype(np.float32))


@TILES
@pytest.mark.parametrize("name", CASES)
def test_tensor_cores(only, name, monkeypatch):
    """Numbers of at most 11 bits are multiplied as they are; others are rounded first."""
    monkeypatch.setitem(gemm.allow_tf32, "conv", True)
    *arrays, window, groups = arguments(*CASES[name])
    short = [np.trunc(100 * a) for a in arrays]
    expected = dict(every_result(kernel_cases, *short, window, groups))
    for what, got in every_result(emulated, *short, window, groups):
        assert np.array_equal(got, expected[what]), what

    expected = dict(every_result(kernel_cases, *arrays, window, groups))
    for what, got in every_result(emulated, *arrays, window, groups):
        off = np.abs(got - expected[what]).max() / np.abs(expected[what]).max()
        assert 1e-5 < off < 1e-3, what


def test_tensor_cores_are_for_float32(monkeypatch):
    monkeypatch.setitem(gemm.allow_tf32, "conv", True)
    case = arguments(*CASES["1x1 filters"], np.float64)
    expected = dict(every_result(kernel_cases, *case))
    for what, got in every_result(emulated, *case):
        assert_near(got, expected[what], what)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("direct", [True, False])
def test_padding_that_crops(direct, groups, monkeypatch):
    """Less than no padding leaves out cells at the border."""
    if not direct:
        monkeypatch.setattr(conv, "MOST_DIRECT", -1)
    window = Window((3, 2), (2, 1), (-1, 1, 2, -3))
    case = arguments((2, 4, 8, 9), (4, 4 // groups, 3, 2), window, groups)
    expected = dict(every_result(reference, *case))
    for what, got in every_result(emulated, *case):
        assert_near(got, expected[what], what)


def test_a_sum_in_parts_is_the_same_each_time():
    dy, x = numbers(9, 2, 20, 21), numbers(9, 3, 22, 23)
    results = [emulated.conv2d_weight_gradient(dy, x, Window((3, 3)), 1) for _ in range(2)]
    assert gemm.split(9 * 20 * 21, 1, conv.PART)[0] > 3
    assert np.array_equal(*results)
    assert np.array_equal(*(emulated.conv2d_bias_gradient(dy) for _ in range(2)))


def every_product(kernels, x, weight, bias, dy):
    """A fully connected layer and its gradients."""
    yield "linear", kernels.linear(x, weight, bias)
    yield "input gradient", kernels.linear_input_gradient(dy, weight)
    yield "weight gradient", kernels.linear_weight_gradient(dy, x)


def products(N, I, O, dtype=np.float32):
    """Random numbers for them, and what comes out."""
    shapes = (N, I), (O, I), (O,), (N, O)
    x, weight, bias, dy = (numbers(*shape, dtype=dtype, seed=seed) for seed, shape in enumerate(shapes))
    wide = [a.astype(float) for a in (x, weight, bias, dy)]
    y, dx, dweight = wide[0] @ wide[1].T + wide[2], wide[3] @ wide[1], wide[3].T @ wide[0]
    return (x, weight, bias, dy), (y.astype(dtype), dx.astype(dtype), dweight.astype(dtype))


@TILES
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("N", "I", "O"), [(1, 1, 1), (3, 17, 5), (131, 35, 70), (40, 129, 130)])
def test_linear_by_every_tile(only, N, I, O, dtype):
    case, expected = products(N, I, O, dtype)
    for (what, got), right in zip(every_product(emulated, *case), expected, strict=True):
        assert_near(got, right, what)
    dweight, dbias = emulated.linear_parameter_gradients(case[3], case[0])
    assert_near(dweight, expected[2])
    assert_near(dbias, case[3].sum(axis=0, dtype=float).astype(dtype))


@pytest.mark.parametrize("tensor_cores", [False, True])
def test_linear_in_parts(tensor_cores, monkeypatch):
    """Few numbers of long sums: several blocks share each, and bias is added once."""
    monkeypatch.setitem(gemm.allow_tf32, "linear", tensor_cores)
    (x, weight, bias, dy), (y, _, _) = products(5, 1000, 7)
    assert gemm.split(1000, 1, 64)[0] > 10
    got = emulated.linear(x, weight, bias)
    off = np.abs(got - y).max() / np.abs(y).max()
    assert 1e-5 < off < 1e-3 if tensor_cores else off < 1e-6
    assert np.array_equal(got, emulated.linear(x, weight, bias))


def test_linear_without_rows():
    x, weight, bias, dy = (np.ones(shape, np.float32) for shape in ((0, 4), (3, 4), (3,), (0, 3)))
    results = [result for _, result in every_product(emulated, x, weight, bias, dy)]
    assert [result.shape for result in results] == [(0, 3), (0, 4), (3, 4)]
    assert emulated.linear_parameter_gradients(dy, x)[1].tolist() == [0, 0, 0]
    assert not results[2].any()


STACKS = [
    ((3, 4), (4, 5)),
    ((2, 3, 4), (4, 5)),
    ((3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (3, 4, 2)),
    ((1, 1, 3, 4), (2, 4, 2)),
    ((3, 2, 35, 70), (3, 2, 70, 1)),
    ((3, 1, 700), (3, 700, 2)),  # in parts
    ((0, 3, 4), (0, 4, 5)),
    ((2, 0, 4), (2, 4, 5)),
    ((2, 3, 0), (2, 0, 5)),
    ((3, 0), (0, 5)),
    ((2, 3, 0), (0, 5)),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("x_shape", "y_shape"), STACKS)
@pytest.mark.parametrize("kernels", [reference, cpu, emulated], ids=["reference", "cpu", "cuda"])
def test_stacks_of_matrices(kernels, x_shape, y_shape, turned, dtype):
    x, y = numbers(*x_shape, dtype=dtype), numbers(*y_shape, dtype=dtype, seed=1)
    if turned:  # lying column by column, and a view
        x, y = (np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2) for a in (x, y))
        x = np.concatenate([x, x], axis=-1)[..., : x.shape[-1]]
    assert_near(kernels.matmul(x, y), (x.astype(float) @ y.astype(float)).astype(dtype))


def test_more_matrices_than_a_grid_is_deep(monkeypatch):
    monkeypatch.setattr(gemm, "MOST_DEEP", 15)
    for shapes in (((31, 2, 3), (31, 3, 5)), ((2, 1, 700), (2, 700, 1))):
        x, y = (numbers(*shape) for shape in shapes)
        assert_near(emulated.matmul(x, y), x @ y)


def test_products_of_whole_numbers():
    x, y = np.arange(12).reshape(2, 2, 3), np.arange(6).reshape(3, 2)
    assert np.array_equal(emulated.matmul(x, y), x @ y)
