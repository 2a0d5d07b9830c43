"""More functions of each element: values, gradients, dtypes and errors as in PyTorch."""

import math

import numpy as np
import pytest

import minicnn as mc
from both import agree, compare, draw

NOT_FINITE = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e-30, 1e30, 89.0, math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name",
    [
        "rsqrt",
        "reciprocal",
        "erf",
        "exp2",
        "expm1",
        "log1p",
        "log2",
        "log10",
        "atan",
        "asin",
        "floor",
        "round",
        "sign",
    ],
)
def test_not_finite(name, dtype):
    compare(lambda m, x: getattr(x, name)(), np.array(NOT_FINITE), dtype=dtype)


@pytest.mark.parametrize("name", ["isnan", "isinf", "isfinite", "nan_to_num", "logical_not"])
def test_what_is_not_finite(name):
    for data in (NOT_FINITE, [1, 0, -2]):
        agree(lambda m, data=data: getattr(m, name)(m.tensor(data)))
    agree(lambda m: m.nan_to_num(m.tensor(NOT_FINITE), 1.0, posinf=2.0, neginf=-3.0))


DTYPES = ["bool", "uint8", "int32", "int64", "float32", "float64"]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.rsqrt(), lambda x: x.erf(), lambda x: x.sin(), lambda x: x.log1p(), lambda x: x.floor(),
        lambda x: x.round(), lambda x: x.square(), lambda x: x.reciprocal(), lambda x: x // 2,
        lambda x: 7 // x,
        lambda x: x % 2, lambda x: x % 1.5, lambda x: 7 % x, lambda x: x // 1.5, lambda x: x // x,
        lambda x: x % x,
        lambda x: x.div(2, rounding_mode="floor"), lambda x: x.masked_fill(x > 1, 7.9),
        lambda x: x.clamp(x, x),
        lambda x: x.fmod(2), lambda x: -x, lambda x: x.logical_and(x), lambda x: x.logical_xor(x),
        lambda x: x.maximum(x.float()), lambda x: x.where(x > 1, 2.5), lambda x: x.float().addcmul(x, x),
        lambda x: x.square(), lambda x: x.expm1(), lambda x: x.atan2(x),
    ],
)  # fmt: skip
def test_dtype_of_results(function):
    for dtype in DTYPES:
        agree(lambda m, dtype=dtype: function(m.tensor([1, 2, 1], dtype=getattr(m, dtype))))


@pytest.mark.parametrize("data", [[7, -7, 7, -7], [7.5, -7.5, 7.5, -7.5], [0.0, -0.0, math.inf, math.nan]])
def test_signs_of_division(data):
    for divisor in (2, -2, 1.5, [2, 2, -2, -2], [3.5, -3.5, -0.5, 1e10]):
        for function in (
            lambda m, x, y: x // y,
            lambda m, x, y: x % y,
            lambda m, x, y: m.fmod(x, y),
            lambda m, x, y: m.div(x, y, rounding_mode="trunc"),
            lambda m, x, y: m.div(x, y, rounding_mode="floor"),
        ):
            agree(
                lambda m, f=function, d=divisor: f(
                    m, m.tensor(data), m.tensor(d) if isinstance(d, list) else d
                )
            )


def test_division_by_zero():
    for function in (lambda x: x // 0, lambda x: x % 0):
        agree(lambda m, f=function: f(m.tensor([1, -2])))
        agree(lambda m, f=function: f(m.tensor([1.0, -2.0])))


def test_comparisons_of_wholes():
    x = [1.0, 2.0, math.nan]
    for y in (x, [1.0, 2.00001, math.nan], [1.0, 3.0, 0.0]):
        for equal_nan in (False, True):
            assert mc.allclose(mc.tensor(x), mc.tensor(y), equal_nan=equal_nan) == (
                np.allclose(np.float32(x), np.float32(y), equal_nan=equal_nan)
            )
        agree(lambda m, y=y: m.isclose(m.tensor(x), m.tensor(y), rtol=0.1))
    assert mc.equal(mc.tensor([1, 2]), mc.tensor([1, 2]))
    assert not mc.equal(mc.tensor([1, 2]), mc.tensor([1, 3]))
    assert not mc.equal(mc.tensor([1, 2]), mc.tensor([[1, 2]]))


ERRORS = {
    "function of a number": lambda m: m.exp(3.0),
    "function of nothing": lambda m: m.exp(),
    "mask of integers": lambda m: m.ones(2).masked_fill(m.tensor([1, 0]), 0),
    "mask of another shape": lambda m: m.ones(2).masked_fill(m.ones(3) > 0, 0),
    "fill of many": lambda m: m.ones(2).masked_fill(m.ones(2) > 0, m.ones(2)),
    "mask as a list": lambda m: m.ones(2).masked_fill([True, False], 0),
    "maximum of a number": lambda m: m.maximum(m.ones(2), 1.0),
    "max with keepdim of two": lambda m: m.max(m.ones(2), m.ones(2), keepdim=True),
    "max with keepdim alone": lambda m: m.max(m.ones(2), keepdim=True),
    "rounding mode": lambda m: m.div(m.ones(2), 2, rounding_mode="up"),
    "remainder shapes": lambda m: m.ones(2) % m.ones(3),
    "allclose dtypes": lambda m: m.allclose(m.ones(2), m.ones(2).double()),
    "allclose shapes": lambda m: m.allclose(m.ones(2), m.ones(3)),
    "equal to a number": lambda m: m.equal(m.ones(2), 1),
    "less of truth values": lambda m: m.tensor([True]) - m.tensor([True]),
    "less of one truth value": lambda m: m.tensor([1.0]) - m.tensor([True]),
    "minus truth values": lambda m: -m.tensor([True]),
    "sigmoid_ of integers": lambda m: m.tensor([1]).sigmoid_(),
    "normal_ of integers": lambda m: m.tensor([1]).normal_(),
    "normal_ with a negative std": lambda m: m.zeros(2).normal_(0, -1),
    "uniform_ backwards": lambda m: m.zeros(2).uniform_(2, 1),
    "relu_ of a parameter": lambda m: m.ones(2, requires_grad=True).relu_(),
    "power of numbers": lambda m: m.pow(2, 3),
    "a third argument": lambda m: m.sin(m.ones(2), m.ones(2)),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name):
    agree(ERRORS[name])


IN_PLACE = [
    "abs", "ceil", "cos", "erf", "exp", "floor", "neg", "reciprocal", "relu", "round", "sigmoid", "sign",
    "sin", "square", "tanh", "trunc",
]  # fmt: skip


def test_in_place_gives_the_same_object_in_the_same_memory():
    for name in IN_PLACE:
        x = mc.tensor([1.5, -2.5])
        memory = x.array
        assert getattr(x, f"{name}_")() is x
        assert x.array is memory, name
        assert memory.tolist() == getattr(mc.tensor([1.5, -2.5]), name)().tolist(), name


def test_in_place_with_arguments():
    def function(m, x):
        y = x * 1
        y.clamp_(-1, 1).pow_(2).masked_fill_(x > 1, 0.5).lerp_(x, 0.1).addcmul_(x, x, value=2)
        y //= 1 if not y.requires_grad else y.detach() * 0 + 1
        return y

    agree(lambda m: function(m, m.tensor([0.2, 3.0, -4.0, 0.7])))
    x = mc.tensor([5.0, -7.0])
    memory = x.array
    x %= 3
    x **= 2
    x.sqrt_().rsqrt_()
    assert x.array is memory
    np.testing.assert_allclose(memory, 1 / np.sqrt([2.0, 2.0]), rtol=1e-6)


def test_a_row_without_anything_to_attend_to_gets_no_gradient():
    """The gradient behind it is nan, and where() must not let it through: 0 times nan is nan."""

    def function(m, x):
        return x.masked_fill(m.tensor([[True, False], [True, True]]), -math.inf).softmax(-1)

    compare(function, draw((2, 2)))


def test_random_numbers_in_place():
    x = mc.zeros(40, 50)
    memory = x.array
    assert abs(x.normal_(2, 0.5).mean().item() - 2) < 0.1
    assert abs(x.std().item() - 0.5) < 0.1
    x.uniform_(3, 5)
    assert 3 <= x.min().item() < 3.1 < 4.9 < x.max().item() <= 5
    assert 0.2 < x.bernoulli_(0.25).mean().item() < 0.3
    assert set(x.flatten().tolist()) == {0, 1}
    assert x.array is memory
    assert mc.zeros(3).uniform_(to=2, **{"from": 1}).min().item() >= 1
    w = mc.ones(3, requires_grad=True)
    with mc.no_grad():
        w.normal_()
    assert w.requires_grad
