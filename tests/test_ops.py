"""Elements and reductions: broadcasting, ties, kinks and what is not finite, as in PyTorch."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

import minicnn as mc
from both import compare, draw, same

inf, nan = math.inf, math.nan


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
        lambda m, x: x[:, None] @ x[None],
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:(var|std).*degrees of freedom:UserWarning")
def test_not_finite(function, dtype):
    """What is infinite, or not a number, or too large: the same as PyTorch's, and without a warning."""
    compare(function, np.array(NOT_FINITE), dtype=dtype)
