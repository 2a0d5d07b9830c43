"""Convolution of any geometry, linear maps and pooling: borders of the table, and what they refuse."""

import numpy as np
import pytest
import torch.nn.functional as TF
from hypothesis import assume, given
from hypothesis import strategies as st

import minicnn as mc
import minicnn.nn.functional as F
from parity import assert_same, numbers

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])

# convolution


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")  # PyTorch copies there
@DTYPES
@pytest.mark.parametrize(
    ("x", "weight", "dilation"), [((2, 3, 6, 7), (2, 3, 2, 4), 1), ((2, 3, 9, 8), (2, 3, 4, 3), (1, 2))]
)
def test_conv2d_with_an_odd_number_of_rows_to_add(x, weight, dilation, dtype):
    assert_same(
        lambda *t: F.conv2d(*t, padding="same", dilation=dilation),
        lambda *t: TF.conv2d(*t, padding="same", dilation=dilation),
        *(numbers(*shape, dtype=dtype) for shape in (x, weight, weight[:1])),
    )


@given(st.data())
def test_conv2d_of_any_geometry(data):
    def draw(low, high):
        return data.draw(st.integers(low, high))

    mc.manual_seed(draw(0, 99))
    groups, n, c, o = draw(1, 3), draw(1, 3), draw(1, 3), draw(1, 3)
    kernel, stride, dilation = ((draw(1, 3), draw(1, 3)) for _ in range(3))
    padding, size = (draw(0, 2), draw(0, 2)), (draw(1, 8), draw(1, 8))
    extents = [(k - 1) * d + 1 - 2 * p for k, d, p in zip(kernel, dilation, padding, strict=True)]
    assume(all(s >= e for s, e in zip(size, extents, strict=True)))
    arguments = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    assert_same(
        lambda *t: F.conv2d(*t, **arguments),
        lambda *t: TF.conv2d(*t, **arguments),
        numbers(n, c * groups, *size, dtype=np.float64),
        numbers(o * groups, c, *kernel, dtype=np.float64),
        numbers(o * groups, dtype=np.float64),
    )


def test_conv2d_of_what_lies_otherwise_in_memory():
    x, w = numbers(2, 7, 6, 3), numbers(3, 3, 4, 3)
    assert_same(
        lambda x, w: F.conv2d(x.permute(0, 3, 1, 2), w.transpose(0, 3)),
        lambda x, w: TF.conv2d(x.permute(0, 3, 1, 2), w.transpose(0, 3)),
        x,
        w,
    )


X, W = mc.zeros(2, 3, 5, 7), mc.zeros(4, 3, 3, 3)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"stride": 0}, RuntimeError, ["stride", "at least 1", "got 0"]),
        ({"stride": (1, -2)}, RuntimeError, ["stride", "at least 1", "(1, -2)"]),
        ({"stride": 1.5}, TypeError, ["stride", "int", "1.5"]),
        ({"stride": True}, TypeError, ["stride", "int", "True"]),
        ({"stride": (1, 2, 3)}, RuntimeError, ["stride", "one number or two", "(1, 2, 3)"]),
        ({"stride": np.array([2, 2])}, TypeError, ["stride", "ints", "array([2, 2])"]),
        ({"padding": -1}, RuntimeError, ["padding", "at least 0", "got -1"]),
        ({"padding": "full"}, RuntimeError, ["padding", "same", "valid", "'full'"]),
        ({"padding": "same", "stride": 2}, RuntimeError, ["same", "stride 1", "(2, 2)"]),
        ({"dilation": 0}, RuntimeError, ["dilation", "at least 1", "got 0"]),
        ({"groups": 0}, RuntimeError, ["groups", "at least 1", "got 0"]),
        ({"groups": 2}, RuntimeError, ["3 channels", "3 x 2 groups", "(2, 3, 5, 7)"]),
        ({"groups": "2"}, TypeError, ["groups", "int", "'2'"]),
        ({"weight": mc.zeros(4, 2, 3, 3)}, RuntimeError, ["3 channels", "expects 2", "(4, 2, 3, 3)"]),
        ({"weight": mc.zeros(4, 3, 3)}, RuntimeError, ["(O, C/groups, KH, KW)", "(4, 3, 3)"]),
        ({"weight": mc.zeros(4, 3, 0, 3)}, RuntimeError, ["kernel", "at least 1", "(0, 3)"]),
        ({"weight": mc.zeros(4, 3, 9, 3)}, RuntimeError, ["(9, 3)", "(5, 7)"]),
        ({"weight": W.double()}, RuntimeError, ["dtype", "float32", "float64"]),
        ({"weight": W.array}, TypeError, ["weight", "Tensor", "ndarray"]),
        ({"bias": mc.zeros(3)}, RuntimeError, ["bias", "(4,)", "(3,)"]),
        ({"bias": 1.0}, TypeError, ["bias", "Tensor", "float"]),
        ({"input": mc.zeros(5, 7)}, RuntimeError, ["(C, H, W)", "(5, 7)"]),
        ({"input": [1, 2]}, TypeError, ["input", "Tensor", "list"]),
        ({"input": X.long(), "weight": W.long()}, RuntimeError, ["float32 or float64", "int64"]),
    ],
)
def test_conv2d_errors(arguments, kind, words):
    with pytest.raises(kind) as error:
        F.conv2d(**{"input": X, "weight": W, **arguments})
    assert all(word in str(error.value) for word in ["conv2d", *words]), str(error.value)


# linear


def test_linear_errors():
    with pytest.raises(
        RuntimeError, match=r"linear: x has 4 features \(2, 4\) but weight expects 5 \(3, 5\)"
    ):
        F.linear(mc.zeros(2, 4), mc.zeros(3, 5))
    with pytest.raises(RuntimeError, match=r"linear: .*bias.*\(3,\).*\(2,\)"):
        F.linear(mc.zeros(2, 5), mc.zeros(3, 5), mc.zeros(2))
    with pytest.raises(TypeError, match="linear: expected input to be a Tensor, got ndarray"):
        F.linear(np.zeros((2, 5)), mc.zeros(3, 5))


# pooling


def test_max_pool2d_gives_the_gradient_of_equal_values_to_the_first():
    assert_same(
        lambda x: F.max_pool2d(x, 2), lambda x: TF.max_pool2d(x, 2), np.zeros((1, 1, 5, 4), np.float32)
    )


@pytest.mark.parametrize("pool", [F.max_pool2d, F.avg_pool2d])
@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"kernel_size": 0}, RuntimeError, ["kernel_size", "at least 1", "got 0"]),
        ({"kernel_size": 2.0}, TypeError, ["kernel_size", "int", "2.0"]),
        ({"kernel_size": (2, 2, 2)}, RuntimeError, ["kernel_size", "one number or two"]),
        ({"kernel_size": np.array([2, 2])}, TypeError, ["kernel_size", "ints", "array([2, 2])"]),
        ({"kernel_size": 2, "ceil_mode": "up"}, TypeError, ["ceil_mode", "bool", "'up'"]),
        ({"kernel_size": 2, "stride": 0}, RuntimeError, ["stride", "at least 1", "got 0"]),
        ({"kernel_size": 2, "padding": -1}, RuntimeError, ["padding", "at least 0", "got -1"]),
        ({"kernel_size": 2, "padding": 2}, RuntimeError, ["padding", "half"]),
        ({"kernel_size": 6}, RuntimeError, ["(6, 6)", "(5, 7)"]),
        ({"kernel_size": 2, "input": mc.zeros(5, 7)}, RuntimeError, ["(C, H, W)", "(5, 7)"]),
        ({"kernel_size": 2, "input": np.zeros((1, 1, 5, 7))}, TypeError, ["input", "Tensor", "ndarray"]),
        ({"kernel_size": 2, "input": X.long()}, RuntimeError, ["float32 or float64", "int64"]),
    ],
)
def test_pool_errors(pool, arguments, kind, words):
    with pytest.raises(kind) as error:
        pool(**{"input": X, **arguments})
    assert all(word in str(error.value) for word in [pool.__name__, *words]), str(error.value)


@pytest.mark.parametrize("kind", [tuple, type("Row", (tuple,), {}), list, type("Rows", (list,), {})])
def test_sizes_of_any_kind(kind):
    """What fits is remembered, but not so that fractions, which equal it, would fit as well."""
    assert F.max_pool2d(X, kind([2, 3])).shape == F.max_pool2d(X, (2, 3)).shape == (2, 3, 2, 2)
    assert F.conv2d(X, W, stride=kind([2, 3])).shape == (2, 4, 2, 2)
    with pytest.raises(TypeError, match="max_pool2d: expected kernel_size as ints"):
        F.max_pool2d(X, kind([2.0, 3]))


def test_errors_of_one_pool():
    with pytest.raises(
        RuntimeError, match=r"max_pool2d: padding .2, 2. is more than half of the kernel .3, 3."
    ):
        F.max_pool2d(X, 3, padding=2, dilation=2)
    with pytest.raises(RuntimeError, match=r"a window of x .1, 2, 1, 4. has none"):  # PyTorch would crash
        F.max_pool2d(mc.zeros(1, 2, 1, 4), 2, 1, 1, 2)
    with pytest.raises(RuntimeError, match="max_pool2d: dilation must be at least 1, got 0"):
        F.max_pool2d(X, 2, dilation=0)
    with pytest.raises(RuntimeError, match="avg_pool2d: divisor_override must not be 0"):
        F.avg_pool2d(X, 2, divisor_override=0)
