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
    "+": operator.add, "*": operator.mul, "/": operator.truediv, "==": operator.eq, "<": operator.lt, ">=": operator.ge,
}  # fmt: skip


def operand(module, what):
    if not isinstance(what, tuple):
        return what
    return module.ones(what[1], dtype=getattr(module, what[0]))


@pytest.mark.parametrize("symbol", OPERATORS)
@pytest.mark.parametrize("left", OPERANDS)
def test_promotion(left, symbol):
    """Every pair of dtypes, with and without dimensions, and plain numbers."""
    for right in OPERANDS:
        pair = OPERANDS[left], OPERANDS[right]
        if any(isinstance(what, tuple) for what in pair):
            ours, theirs = (OPERATORS[symbol](*(operand(m, what) for what in pair)) for m in (mc, torch))
            alike(ours, theirs)


@pytest.mark.parametrize("symbol", ["-", "**"])
@pytest.mark.parametrize("left", [name for name in OPERANDS if "bool" not in name and "True" not in name])
def test_promotion_without_truth_values(left, symbol):
    for right in OPERANDS:
        pair = OPERANDS[left], OPERANDS[right]
        if "bool" not in right and "True" not in right and any(isinstance(what, tuple) for what in pair):
            function = operator.sub if symbol == "-" else operator.pow
            agree(lambda m: function(*(operand(m, what) for what in pair)))


@pytest.mark.parametrize("left", [name for name in OPERANDS if "number" not in name])
def test_promotion_in_place_and_in_joins(left):
    for right in OPERANDS:
        pair = OPERANDS[left], OPERANDS[right]
        for function in (
            operator.iadd,
            operator.imul,
            operator.itruediv,
            lambda x, y: x.copy_(y) if 0 <= getattr(y, "ndim", -1) <= x.ndim else x,
        ):
            ours, theirs = (
                outcome(lambda m: function(*(operand(m, what) for what in pair)), m) for m in (mc, torch)
            )  # noqa: B023
            alike(ours, theirs) if isinstance(theirs, torch.Tensor) else assert_kind(ours, theirs)
        if isinstance(pair[1], tuple) and pair[0][1] == pair[1][1]:
            agree(lambda m: m.stack([operand(m, what) for what in pair]))
            agree(lambda m: m.where(m.tensor([True, False]), *(operand(m, what) for what in pair)))
            if pair[0][1]:
                agree(lambda m: m.cat([operand(m, what) for what in pair]))
                agree(lambda m: m.maximum(*(operand(m, what) for what in pair)))


@pytest.mark.parametrize("dtype", DTYPES)
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
    ],
)  # fmt: skip
def test_dtype_of_results(function, dtype):
    agree(lambda m: function(m.tensor([1, 2, 0], dtype=getattr(m, dtype))))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32"])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: -x, lambda x: abs(x), lambda x: x.relu(), lambda x: x.argmax(), lambda x: x.argmin(0),
        lambda x: x**2, lambda x: x**0, lambda x: x**0.5, lambda x: 2**x, lambda x: 2.0**x, lambda x: x**-1,
        lambda x: x @ x,
    ],
)  # fmt: skip
def test_dtype_of_results_of_numbers(function, dtype):
    agree(lambda m: function(m.tensor([1, 2, 1], dtype=getattr(m, dtype))))


@pytest.mark.parametrize(
    "function",
    [lambda x: x.long(), lambda x: x.int(), lambda x: x.bool(), lambda x: x > 0, lambda x: x.argmax()],
)
def test_integer_results_need_no_gradient(function):
    for m in (mc, torch):
        y = function(m.ones(3, requires_grad=True))
        assert not y.requires_grad
        assert y.grad_fn is None


def test_float_and_double_precision_meet_in_comparisons_as_in_pytorch():
    for function in (
        lambda m: m.tensor([0.1]) == m.tensor(0.1, dtype=m.float64),
        lambda m: m.tensor([0.1]) == m.tensor([0.1], dtype=m.float64),
        lambda m: m.tensor([16777217]) == m.tensor([16777216.0]),
        lambda m: m.tensor([0.1]) == 0.1,
        lambda m: m.tensor([3]) <= 3.5,
        lambda m: m.tensor([nan]) == nan,
        lambda m: m.tensor([nan, 1, inf]) != m.tensor([nan, 1, inf]),
    ):
        agree(function)


@pytest.mark.parametrize("function", [operator.and_, operator.or_, operator.xor])
def test_bitwise(function):
    for x, y in itertools.product([[True, False], [6, 3]], [[True, True], [5, 1], True, 3]):
        agree(lambda m: function(m.tensor(x), m.tensor(y) if isinstance(y, list) else y))
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
