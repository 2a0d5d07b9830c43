"""Operations on each element, products and reductions: values and gradients."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

import minicnn as mc
from both import check, compare, draw, same

inf, nan = math.inf, math.nan

SHAPES = [(), (1,), (5,), (2, 3), (1, 3, 1, 2), (0,), (2, 0, 3)]

ELEMENTWISE = {
    "neg": lambda m, x: -x,
    "abs": lambda m, x: x.abs() + abs(x) * 2,
    "exp": lambda m, x: x.exp(),
    "tanh": lambda m, x: x.tanh(),
    "sigmoid": lambda m, x: x.sigmoid(),
    "relu": lambda m, x: x.relu(),
    "clamp": lambda m, x: x.clamp(-0.5, 0.5),
    "clamp above": lambda m, x: x.clamp(min=0.1),
    "clamp below": lambda m, x: x.clamp(max=0.1),
    "clamp crossed": lambda m, x: x.clamp(0.6, 0.2),
    "add a number": lambda m, x: x + 2,
    "number and add": lambda m, x: 2.5 + x,
    "subtract a number": lambda m, x: x - 2.5,
    "number less": lambda m, x: 2 - x,
    "times a number": lambda m, x: x * 3,
    "number times": lambda m, x: -0.3 * x,
    "over a number": lambda m, x: x / 3,
    "number over": lambda m, x: 3 / x,
    "square": lambda m, x: x**2,
    "cube": lambda m, x: x.pow(3),
    "to the 0": lambda m, x: x**0,
    "to the 0.0": lambda m, x: x**0.0,
    "to the 1": lambda m, x: x**1,
    "to the -1": lambda m, x: x**-1,
    "to the -2.0": lambda m, x: x**-2.0,
    "number to the": lambda m, x: 1.7**x,
    "clone": lambda m, x: x.clone(),
    "same": lambda m, x: x.float() if x.dtype == m.float32 else x.double(),
    "through float64": lambda m, x: x.double() * 3,
    "where": lambda m, x: m.where(x > 0, x * 2, 0.5),
    "where number": lambda m, x: m.where(x > 0, 0.5, x * 2),
}
POSITIVE = {
    "log": lambda m, x: x.log(),
    "sqrt": lambda m, x: x.sqrt(),
    "to the 0.5": lambda m, x: x**0.5,
    "to the 2.7": lambda m, x: x**2.7,
    "to the -0.3": lambda m, x: x**-0.3,
    "to itself": lambda m, x: x**x,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name, shape):
    check(ELEMENTWISE[name], draw(shape))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", POSITIVE)
def test_elementwise_of_positive_numbers(name, shape):
    check(POSITIVE[name], draw(shape, "positive"))


BINARY = {
    "add": lambda m, x, y: x + y,
    "sub": lambda m, x, y: x - y,
    "mul": lambda m, x, y: x * y,
    "div": lambda m, x, y: x / y,
    "pow": lambda m, x, y: x**y,
    "maximum": lambda m, x, y: m.maximum(x, y * 1.037),
    "minimum": lambda m, x, y: m.minimum(x, y * 1.037),
    "where": lambda m, x, y: m.where(x > y * 1.037, x, y * 3),
}
PAIRS = [
    ((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 2)), ((3,), ()), ((), ()), ((1,), ()),
    ((1, 1), (3,)), ((3, 1), (4, 1, 2)), ((0, 3), (1, 3)), ((1,), (0,)), ((2, 1, 0), (3, 1)),
]  # fmt: skip


@pytest.mark.parametrize("shapes", PAIRS)
@pytest.mark.parametrize("name", BINARY)
def test_binary(name, shapes):
    check(BINARY[name], *(draw(shape, "positive") for shape in shapes))


@settings(max_examples=40)
@given(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=4, max_side=3, min_side=0))
def test_any_broadcast(shapes):
    x, y, z = (draw(shape, "positive") for shape in shapes.input_shapes)
    compare(lambda m, x, y, z: x * y - z / (x + 1), x, y, z)


@pytest.mark.parametrize("constant", [0, 1])
@pytest.mark.parametrize("name", [*BINARY, "matmul"])
def test_one_operand_needs_no_gradient(name, constant):
    function = BINARY.get(name, lambda m, x, y: x @ y)
    for shapes in (
        (((2, 3), (2, 3)), ((2, 3), (1, 3))) if name in BINARY else (((2, 3), (3,)), ((4, 2, 3), (3, 5)))
    ):
        compare(function, *(draw(shape, "positive") for shape in shapes), constant=constant)


@pytest.mark.parametrize(
    "shapes",
    [
        ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((1, 1), (1, 1)),
        ((5, 2, 3), (5, 3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((3,), (5, 3, 4)),
        ((5, 2, 3), (3,)), ((4, 1, 2, 3), (5, 3, 2)), ((1, 2, 3), (5, 3, 2)), ((0, 3), (3, 2)),
        ((2, 0), (0, 3)), ((2, 3), (3, 0)), ((0, 2, 3), (3, 2)), ((0,), (0,)), ((2, 0), (0,)),
    ],
)  # fmt: skip
def test_matmul(shapes):
    check(lambda m, x, y: x @ y, *map(draw, shapes))


REDUCTIONS = {
    "sum": lambda x, **kw: x.sum(**kw),
    "mean": lambda x, **kw: x.mean(**kw),
    "amax": lambda x, **kw: x.amax(**kw),
    "amin": lambda x, **kw: x.amin(**kw),
    "var": lambda x, **kw: x.var(**kw),
    "std": lambda x, **kw: x.std(**kw),
    "var without correction": lambda x, **kw: x.var(correction=0, **kw),
    "std with correction 2": lambda x, **kw: x.std(correction=2, **kw),
}
DIMS = [
    ((4,), 0), ((4,), -1), ((4, 3), 0), ((4, 3), 1), ((4, 3), -2), ((3, 4, 5), (0, 2)), ((3, 4, 5), [-1, 1]),
    ((3, 1, 4), (0, 2)), ((3, 4, 5), (0, 1, 2)),
]  # fmt: skip


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize(("shape", "dim"), DIMS)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reduction(name, shape, dim, keepdim):
    check(lambda m, x: REDUCTIONS[name](x, dim=dim, keepdim=keepdim), draw(shape))


@pytest.mark.parametrize("shape", [(4,), (2, 3), (1, 3, 2)])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_full_reduction(name, shape):
    check(lambda m, x: REDUCTIONS[name](x), draw(shape))


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "amin"])
def test_no_dimensions_means_all(name):
    check(lambda m, x: REDUCTIONS[name](x, dim=()), draw((3, 4)))
    check(lambda m, x: REDUCTIONS[name](x, dim=(), keepdim=True), draw((3, 4)))


@pytest.mark.parametrize(
    ("shape", "dim"), [((), None), ((), 0), ((), -1), ((0,), None), ((0,), 0), ((0, 3), 1), ((2, 0, 3), 1)]
)
def test_sums_of_no_dimensions_and_no_elements(shape, dim):
    check(lambda m, x: x.sum() if dim is None else x.sum(dim), draw(shape))


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize(
    ("shape", "dim"),
    [((), 0), ((5,), 0), ((4, 3), 1), ((4, 3), -2), ((2, 1, 4), 1), ((0, 3), 1), ((2, 0, 3), 2)],
)
@pytest.mark.parametrize("name", ["max", "min"])
def test_extreme_and_its_place(name, shape, dim, keepdim):
    check(lambda m, x: tuple(getattr(x, name)(dim, keepdim=keepdim)), draw(shape))
    check(lambda m, x: getattr(x, name)(dim).values * 2, draw(shape))


@pytest.mark.parametrize("name", ["max", "min", "amax", "amin"])
def test_tied_extremes_share_or_not_as_in_pytorch(name):
    x = np.array([[1.0, 2, 2], [2, 0, 0], [0, 2, 1]])
    for function in (
        lambda m, x: getattr(x, name)(),
        lambda m, x: getattr(x, name)(0),
        lambda m, x: getattr(x, name)(1, keepdim=True),
    ):
        compare(function, x)


@pytest.mark.parametrize("function", [lambda m, x, y: m.maximum(x, y), lambda m, x, y: m.minimum(x, y)])
def test_tied_maximum_shares(function):
    x, y = np.array([1.0, 2, 3, 0]), np.array([1.0, 3, 2, -0.0])
    compare(function, x, y)


def test_clamp_and_relu_at_their_kinks():
    for function in (lambda m, x: x.clamp(-1, 2), lambda m, x: x.relu(), lambda m, x: x.abs()):
        compare(function, np.array([-1.0, 2, 0, -0.0, 3, -2]))


@pytest.mark.parametrize(
    ("shape", "dim"), [((4,), 0), ((3, 4), 1), ((3, 4), -2), ((2, 3, 4), 1), ((1,), 0), ((3, 1), 1)]
)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name, shape, dim):
    check(lambda m, x: getattr(x, name)(dim), draw(shape))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_no_elements_and_no_dimensions(name):
    for shape, dim in (((0,), 0), ((0, 3), 0), ((0, 3), 1), ((2, 0), 1), ((), 0)):
        ours, theirs = (getattr(m.zeros(shape), name)(dim).numpy() for m in (mc, torch))
        same(ours, theirs)


NOT_FINITE = [0.0, -0.0, 1.0, -1.0, 2.0, -2.5, 1e-30, 1e30, -1e30, 89.0, -110.0, 1e-45, inf, -inf, nan]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: x.exp(), lambda m, x: x.log(), lambda m, x: x.sqrt(), lambda m, x: x.tanh(),
        lambda m, x: x.sigmoid(), lambda m, x: x.relu(), lambda m, x: x[:-1].abs(), lambda m, x: 1 / x,
        lambda m, x: x / 0, lambda m, x: x * 1e38, lambda m, x: x - x.flip(0),
        lambda m, x: x**2, lambda m, x: x**-1, lambda m, x: x**3, lambda m, x: x**0,
        lambda m, x: x[2:-2] ** 0.5, lambda m, x: x[2:] ** -0.7, lambda m, x: 0**x, lambda m, x: 2**x,
        lambda m, x: x**x, lambda m, x: x.clamp(-1, 1), lambda m, x: m.where(x > 0, x, x * 2),
        lambda m, x: x.sum(), lambda m, x: x.mean(), lambda m, x: x.amax(), lambda m, x: x[:-1].max(),
        lambda m, x: x.max(0).values, lambda m, x: x.var(), lambda m, x: x[2:3].var(),
        lambda m, x: x[:5].std(), lambda m, x: (x * 0 + 1).std(), lambda m, x: x[:0].mean(),
        lambda m, x: x[:0].var(), lambda m, x: x[:8].softmax(0), lambda m, x: x.log_softmax(0),
        lambda m, x: x[-3:-1].softmax(0), lambda m, x: x[-2:-1].log_softmax(0), lambda m, x: x @ x,
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:(var|std).*degrees of freedom:UserWarning")
def test_not_finite(function, dtype):
    """What is infinite, or not a number, or too large: the same as PyTorch's, and without a warning."""
    compare(function, np.array(NOT_FINITE), dtype=dtype)
