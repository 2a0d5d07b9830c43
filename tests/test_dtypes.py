"""Dtypes of results: promotion, conversion, truth values."""

import itertools
import math
import operator

import pytest
import torch

import minicnn as mc
from both import agree

inf, nan = math.inf, math.nan
DTYPES = ["bool", "uint8", "int32", "int64", "float32", "float64"]

OPERANDS = {
    **{f"{dtype} {shape}": (dtype, shape) for dtype in DTYPES for shape in ((), (2,), (1, 2))},
    **{f"number {number!r}": number for number in (True, 2, 2.5)},
}
OPERATORS = {
    "+": operator.add,
    "*": operator.mul,
    "/": operator.truediv,
    "==": operator.eq,
    "<": operator.lt,
    ">=": operator.ge,
}
WITHOUT_TRUTH_VALUES = {"-": operator.sub, "**": operator.pow}
IN_PLACE = {
    "+=": operator.iadd,
    "*=": operator.imul,
    "/=": operator.itruediv,
    "copy_": lambda x, y: x.copy_(y) if 0 <= getattr(y, "ndim", -1) <= x.ndim else x,
}


def operand(module, name):
    if name.startswith("number"):
        return OPERANDS[name]
    dtype, shape = OPERANDS[name]
    return module.ones(shape, dtype=getattr(module, dtype))


def agree_on(function, left, right):
    """A function of two operands, at least one of them a Tensor."""
    if not (left.startswith("number") and right.startswith("number")):
        try:
            agree(lambda m: function(operand(m, left), operand(m, right)))
        except AssertionError as error:
            error.add_note(f"in {left}, {right}")
            raise


@pytest.mark.parametrize("symbol", OPERATORS)
def test_promotion(symbol):
    """Every pair of dtypes, with and without dimensions, and plain numbers."""
    for left, right in itertools.product(OPERANDS, OPERANDS):
        agree_on(OPERATORS[symbol], left, right)


@pytest.mark.parametrize("symbol", WITHOUT_TRUTH_VALUES)
def test_promotion_without_truth_values(symbol):
    names = [name for name in OPERANDS if "bool" not in name and "True" not in name]
    for left, right in itertools.product(names, names):
        agree_on(WITHOUT_TRUTH_VALUES[symbol], left, right)


@pytest.mark.parametrize("symbol", IN_PLACE)
def test_promotion_in_place(symbol):
    tensors = [name for name in OPERANDS if "number" not in name]
    for left, right in itertools.product(tensors, OPERANDS):
        agree_on(IN_PLACE[symbol], left, right)


@pytest.mark.parametrize("shape", [(), (2,)])
@pytest.mark.parametrize(
    "join",
    [
        lambda m, *pair: m.stack(pair),
        lambda m, *pair: m.cat(pair),
        lambda m, *pair: m.maximum(*pair),
        lambda m, *pair: m.where(m.tensor([True, False]), *pair),
    ],
)
def test_promotion_in_joins(join, shape):
    for pair in itertools.product(DTYPES, DTYPES):
        names = [f"{dtype} {shape}" for dtype in pair]
        agree(lambda m, names=names: join(m, *(operand(m, name) for name in names)))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.sum(), lambda x: x.sum(0), lambda x: x.sum(dtype=x.double().dtype), lambda x: x.mean(),
        lambda x: x.var(), lambda x: x.std(), lambda x: x.softmax(0), lambda x: x.log_softmax(0),
        lambda x: x.exp(), lambda x: x.sqrt(), lambda x: x.log(), lambda x: x.tanh(), lambda x: x.sigmoid(),
        lambda x: x.max(), lambda x: x.amin(0), lambda x: x.max(0)[0], lambda x: x.min(0)[1],
        lambda x: x.float(), lambda x: x.double(), lambda x: x.long(), lambda x: x.int(), lambda x: x.bool(),
        lambda x: x.type_as(x.float()), lambda x: x.cpu(), lambda x: x.clamp(1), lambda x: x.clamp(0.5, 1.5),
        lambda x: x.clamp(max=2), lambda x: x.clone(), lambda x: x[0], lambda x: x[x > 1], lambda x: x == 1,
        lambda x: x != 1.0, lambda x: x < 1.5, lambda x: x * 1.5, lambda x: 3 - x.float(), lambda x: x / 2,
        lambda x: x.type(x.double().dtype),
    ],
)  # fmt: skip
def test_dtype_of_results(function):
    for dtype in DTYPES:
        agree(lambda m, dtype=dtype: function(m.tensor([1, 2, 0], dtype=getattr(m, dtype))))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: -x, lambda x: abs(x), lambda x: x.relu(), lambda x: x.argmax(), lambda x: x.argmin(0),
        lambda x: x**2, lambda x: x**0, lambda x: x**0.5, lambda x: 2**x, lambda x: 2.0**x, lambda x: x**-1,
        lambda x: x @ x,
    ],
)  # fmt: skip
def test_dtype_of_results_of_numbers(function):
    for dtype in ("uint8", "int32", "int64", "float32"):
        agree(lambda m, dtype=dtype: function(m.tensor([1, 2, 1], dtype=getattr(m, dtype))))


@pytest.mark.parametrize(
    "function",
    [lambda x: x.long(), lambda x: x.int(), lambda x: x.bool(), lambda x: x > 0, lambda x: x.argmax()],
)
def test_integer_results_need_no_gradient(function):
    for m in (mc, torch):
        y = function(m.ones(3, requires_grad=True))
        assert not y.requires_grad
        assert y.grad_fn is None


@pytest.mark.parametrize(
    "function",
    [
        lambda m: m.tensor([0.1]) == m.tensor(0.1, dtype=m.float64),
        lambda m: m.tensor([0.1]) == m.tensor([0.1], dtype=m.float64),
        lambda m: m.tensor([16777217]) == m.tensor([16777216.0]),
        lambda m: m.tensor([0.1]) == 0.1,
        lambda m: m.tensor([3]) <= 3.5,
        lambda m: m.tensor([nan]) == nan,
        lambda m: m.tensor([nan, 1, inf]) != m.tensor([nan, 1, inf]),
    ],
)
def test_comparisons_after_promotion(function):
    agree(function)


@pytest.mark.parametrize("function", [operator.and_, operator.or_, operator.xor])
def test_bitwise(function):
    for x in ([True, False], [6, 3]):
        for y in ([True, True], [5, 1], True, 3):
            for m in (mc, torch):
                result = function(m.tensor(x), m.tensor(y) if isinstance(y, list) else y)
                assert result.tolist() == [
                    function(a, b) for a, b in zip(x, y if isinstance(y, list) else [y, y], strict=True)
                ]
    agree(lambda m: ~m.tensor([True, False]))
    agree(lambda m: ~m.tensor([1, -2]))


@pytest.mark.parametrize("other", [None, "a", [1], {}])
def test_comparison_with_anything_else(other):
    for m in (mc, torch):
        x = m.tensor([1, 2])
        assert (x == other) is False
        assert (x != other) is True
        for function in (operator.lt, operator.ge, operator.add, operator.truediv):
            with pytest.raises(TypeError):
                function(x, other)
