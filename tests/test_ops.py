"""Every operation of a Tensor: values and gradients against PyTorch, and against differences in float64."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minicnn as mc
from minicnn.testing import gradcheck

inf, nan = math.inf, math.nan
TOLERANCE = {"float32": {"rtol": 2e-6, "atol": 1e-6}, "float64": {"rtol": 1e-12, "atol": 1e-13}}


def draw(shape, kind="any"):
    """Values well apart from each other, and from 0 and 1, so that nothing but a step of 0.01 crosses a kink."""
    rng = np.random.default_rng(math.prod(shape) + 7 * len(shape) + 1)
    values = rng.permutation(np.arange(math.prod(shape))).reshape(shape) * 0.11 + 0.34
    return values if kind == "positive" else values * rng.choice([-1, 1], shape)


def run(module, function, arrays, dtype):
    """The results, and the gradients when each result gets a gradient of its own."""
    inputs = [module.tensor(x, dtype=getattr(module, dtype), requires_grad=True) for x in arrays]
    results = function(module, *inputs)
    results = list(results) if isinstance(results, tuple | list) else [results]
    total = 0
    for i, y in enumerate(results):
        if y.requires_grad:
            weights = np.cos(np.arange(y.numel()) + i).reshape(tuple(y.shape))
            total = total + (y * module.tensor(weights, dtype=y.dtype)).sum()
    total.backward()
    return [y.detach().numpy() for y in results], [None if x.grad is None else x.grad.numpy() for x in inputs]


def same(got, expected, dtype="float64"):
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, **TOLERANCE[dtype])


def check(function, *arrays):
    """Results, their dtypes and all gradients, as PyTorch has them; and the gradients by differences."""
    for dtype in ("float32", "float64"):
        got, expected = (run(module, function, arrays, dtype) for module in (mc, torch))
        for ours, theirs in zip(got[0], expected[0], strict=True):
            same(ours, theirs, dtype)
        for ours, theirs in zip(got[1], expected[1], strict=True):
            assert (ours is None) == (theirs is None)
            if ours is not None:
                same(ours, theirs, dtype)
    assert gradcheck(lambda *xs: function(mc, *xs), [mc.tensor(x, requires_grad=True) for x in arrays])


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
    ((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 2)), ((3,), ()), ((), ()), ((1,), ()), ((1, 1), (3,)),
    ((3, 1), (4, 1, 2)), ((0, 3), (1, 3)), ((1,), (0,)), ((2, 1, 0), (3, 1)),
]  # fmt: skip


@pytest.mark.parametrize("shapes", PAIRS)
@pytest.mark.parametrize("name", BINARY)
def test_binary(name, shapes):
    check(BINARY[name], *(draw(shape, "positive") for shape in shapes))


@settings(max_examples=40)
@given(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=4, max_side=3, min_side=0))
def test_any_broadcast(shapes):
    x, y, z = (draw(shape, "positive") for shape in shapes.input_shapes)
    got, expected = (run(m, lambda m, x, y, z: x * y - z / (x + 1), (x, y, z), "float64") for m in (mc, torch))
    for ours, theirs in zip(got[0] + got[1], expected[0] + expected[1], strict=True):
        same(ours, theirs)


@pytest.mark.parametrize(
    "shapes",
    [
        ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((1, 1), (1, 1)), ((5, 2, 3), (5, 3, 4)),
        ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((3,), (5, 3, 4)), ((5, 2, 3), (3,)), ((4, 1, 2, 3), (5, 3, 2)),
        ((1, 2, 3), (5, 3, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((2, 3), (3, 0)), ((0, 2, 3), (3, 2)), ((0,), (0,)),
        ((2, 0), (0,)),
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


@pytest.mark.parametrize(("shape", "dim"), [((), None), ((), 0), ((), -1), ((0,), None), ((0,), 0), ((0, 3), 1), ((2, 0, 3), 1)])
def test_sums_of_no_dimensions_and_no_elements(shape, dim):
    check(lambda m, x: x.sum() if dim is None else x.sum(dim), draw(shape))


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize(("shape", "dim"), [((), 0), ((5,), 0), ((4, 3), 1), ((4, 3), -2), ((2, 1, 4), 1), ((0, 3), 1), ((2, 0, 3), 2)])
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
        got, expected = (run(m, function, [x], "float64") for m in (mc, torch))
        for ours, theirs in zip(got[0] + got[1], expected[0] + expected[1], strict=True):
            same(ours, theirs)


@pytest.mark.parametrize("function", [lambda m, x, y: m.maximum(x, y), lambda m, x, y: m.minimum(x, y)])
def test_tied_maximum_shares(function):
    x, y = np.array([1.0, 2, 3, 0]), np.array([1.0, 3, 2, -0.0])
    got, expected = (run(m, function, [x, y], "float64") for m in (mc, torch))
    for ours, theirs in zip(got[0] + got[1], expected[0] + expected[1], strict=True):
        same(ours, theirs)


def test_clamp_and_relu_at_their_kinks():
    for function in (lambda m, x: x.clamp(-1, 2), lambda m, x: x.relu(), lambda m, x: x.abs()):
        got, expected = (run(m, function, [np.array([-1.0, 2, 0, -0.0, 3, -2])], "float64") for m in (mc, torch))
        same(got[0][0], expected[0][0])
        same(got[1][0], expected[1][0])


@pytest.mark.parametrize(("shape", "dim"), [((4,), 0), ((3, 4), 1), ((3, 4), -2), ((2, 3, 4), 1), ((1,), 0), ((3, 1), 1)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name, shape, dim):
    check(lambda m, x: getattr(x, name)(dim), draw(shape))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_no_elements_and_no_dimensions(name):
    for shape, dim in (((0,), 0), ((0, 3), 0), ((0, 3), 1), ((2, 0), 1), ((), 0)):
        ours, theirs = (getattr(m.zeros(shape), name)(dim).numpy() for m in (mc, torch))
        same(ours, theirs)


SHAPING = {
    "reshape": (lambda m, x: x.reshape(4, 6), (2, 3, 4)),
    "reshape by a tuple": (lambda m, x: x.reshape((6, -1)), (2, 3, 4)),
    "reshape to the same": (lambda m, x: x.reshape(2, 3), (2, 3)),
    "reshape to a scalar": (lambda m, x: x.reshape(()), (1, 1)),
    "reshape of a scalar": (lambda m, x: x.reshape(1, -1), ()),
    "reshape of nothing": (lambda m, x: x.reshape(-1, 2), (0, 3)),
    "reshape of a transpose": (lambda m, x: x.transpose(0, 2).reshape(-1, 2), (2, 3, 4)),
    "view": (lambda m, x: x.view(3, -1), (2, 3, 4)),
    "view_as": (lambda m, x: x.view_as(m.zeros(4, 6)), (2, 3, 4)),
    "flatten": (lambda m, x: x.flatten(), (2, 3, 4)),
    "flatten from 1": (lambda m, x: x.flatten(1), (2, 3, 4)),
    "flatten the middle": (lambda m, x: x.flatten(-3, 2), (2, 3, 4, 5)),
    "flatten a scalar": (lambda m, x: x.flatten(), ()),
    "flatten nothing": (lambda m, x: x.flatten(1), (0, 3, 2)),
    "squeeze": (lambda m, x: x.squeeze(), (1, 3, 1, 2)),
    "squeeze one": (lambda m, x: x.squeeze(-2), (1, 3, 1, 2)),
    "squeeze none": (lambda m, x: x.squeeze(1), (1, 3, 1, 2)),
    "squeeze two": (lambda m, x: x.squeeze((0, 2)), (1, 3, 1, 2)),
    "unsqueeze in front": (lambda m, x: x.unsqueeze(0), (2, 3)),
    "unsqueeze at the end": (lambda m, x: x.unsqueeze(-1), (2, 3)),
    "unsqueeze a scalar": (lambda m, x: x.unsqueeze(0), ()),
    "permute": (lambda m, x: x.permute(2, 0, 1), (2, 3, 4)),
    "permute negative": (lambda m, x: x.permute((-1, 0, -2)), (2, 3, 4)),
    "transpose": (lambda m, x: x.transpose(0, -1), (2, 3, 4)),
    "transpose of a scalar": (lambda m, x: x.transpose(0, -1), ()),
    "movedim": (lambda m, x: x.movedim(0, -1), (2, 3, 4)),
    "movedim back": (lambda m, x: x.movedim(-1, 1), (2, 3, 4)),
    "movedim of a scalar": (lambda m, x: x.movedim(0, 0), ()),
    "t": (lambda m, x: x.t(), (2, 3)),
    "t of a vector": (lambda m, x: x.t(), (3,)),
    "T": (lambda m, x: x.T, (2, 3)),
    "expand": (lambda m, x: x.expand(4, 2, 3), (2, 1)),
    "expand with -1": (lambda m, x: x.expand(4, -1, 3), (2, 1)),
    "expand to nothing": (lambda m, x: x.expand(0, 3), (1, 3)),
    "expand a scalar": (lambda m, x: x.expand((2, 2)), ()),
    "contiguous": (lambda m, x: x.T.contiguous(), (2, 3)),
    "cat": (lambda m, x: m.cat([x, x * 2, x[:1]]), (2, 3)),
    "cat along -1": (lambda m, x: m.cat((x, x[:, :0], x.exp()), dim=-1), (2, 3)),
    "cat one": (lambda m, x: m.cat([x], 1), (2, 3)),
    "cat from an empty start": (lambda m, x: m.cat([m.tensor([]), x]), (2, 3)),
    "stack": (lambda m, x: m.stack([x, x * 2]), (2, 3)),
    "stack along -1": (lambda m, x: m.stack([x, x * 2, x], -1), (2, 3)),
    "stack along 1": (lambda m, x: m.stack([x, x * 2, x], 1), (2, 0)),
    "stack scalars": (lambda m, x: m.stack([x, x * 2]), ()),
    "unpacked": (lambda m, x: [row * i for i, row in enumerate(x)], (3, 2)),
}


@pytest.mark.parametrize("name", SHAPING)
def test_shaping(name):
    function, shape = SHAPING[name]
    check(function, draw(shape))


def test_join_of_several():
    check(lambda m, x, y, z: m.cat([x, y, z], 1), draw((2, 1)), draw((2, 3)), draw((2, 0)))
    check(lambda m, x, y: m.stack([x, y, x], 1), draw((2, 3)), draw((2, 3)) + 1)


INDICES = {
    "a row": lambda m, x: x[1],
    "a row from the end": lambda m, x: x[-1],
    "an element": lambda m, x: x[1, 2, 0],
    "slices": lambda m, x: x[1:, ::2, 1:1],
    "a long slice": lambda m, x: x[0:100, -2:],
    "ellipsis": lambda m, x: x[..., 1],
    "everything": lambda m, x: x[...],
    "ellipsis in between": lambda m, x: x[1, ..., 1],
    "ellipsis for nothing": lambda m, x: x[1, 2, ..., 0],
    "None": lambda m, x: x[:, None, 1, None],
    "None in front": lambda m, x: x[None],
    "NumPy's integers": lambda m, x: x[np.int64(1), np.int32(0) :],
    "a Tensor that is an integer": lambda m, x: x[m.tensor(1)],
    "a list": lambda m, x: x[[2, 0, 2]],
    "an empty list": lambda m, x: x[[]],
    "a Tensor, repeating": lambda m, x: x[m.tensor([0, 0, 2, 0])],
    "negative, repeating": lambda m, x: x[m.tensor([-1, 2, -3])],
    "a matrix of integers": lambda m, x: x[m.tensor([[0, 1], [1, 0]])],
    "pairs": lambda m, x: x[[0, 0, 1], [1, 1, 3]],
    "pairs, broadcast": lambda m, x: x[m.tensor([[0], [2]]), m.tensor([1, 1, 3])],
    "pairs apart": lambda m, x: x[[0, 2], :, [1, 1]],
    "the second only": lambda m, x: x[:, [3, 3, 0]],
    "after an ellipsis": lambda m, x: x[..., [1, 1]],
    "an integer, then a list": lambda m, x: x[0, [1, 1]],
    "an integer, a slice, a list": lambda m, x: x[0, :, [1, 0, 1]],
    "a list, a slice, an integer": lambda m, x: x[[1, 0, 1], 1:, 0],
    "a list and an integer": lambda m, x: x[[1, 0], 2],
    "integer Tensor, slice, list": lambda m, x: x[m.tensor(0), :, m.tensor([1, 0, 1])],
    "a list and None": lambda m, x: x[[1, 0], None],
    "integer, None, list": lambda m, x: x[0, None, [1, 0]],
    "ellipsis, integer, list": lambda m, x: x[..., 0, [1, 0]],
    "a mask": lambda m, x: x[x > 0],
    "a mask of rows": lambda m, x: x[m.tensor([True, False, True])],
    "a mask as a list": lambda m, x: x[[True, False, True]],
    "a mask of two dimensions": lambda m, x: x[(x > 0)[:, :, 0]],
    "an integer, then a mask": lambda m, x: x[0, (x > 0)[0]],
    "an integer, a slice, a mask": lambda m, x: x[0, :, m.tensor([True, False])],
    "a mask that takes none": lambda m, x: x[x > 100],
    "True": lambda m, x: x[True],
    "False": lambda m, x: x[False],
}


@pytest.mark.parametrize("name", INDICES)
def test_index(name):
    check(INDICES[name], draw((3, 4, 2)))


@settings(max_examples=60)
@given(st.data())
def test_any_basic_index(data):
    """Against NumPy, since PyTorch knows no negative steps."""
    x = draw(data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)))
    index = data.draw(hnp.basic_indices(x.shape, allow_newaxis=True))
    t = mc.tensor(x, requires_grad=True)
    y = t[index]
    np.testing.assert_array_equal(y.detach().numpy(), x[index])
    weights = draw(y.shape)
    y.backward(mc.tensor(weights))
    expected = np.zeros_like(x)
    expected[index] = weights
    np.testing.assert_array_equal(t.grad.numpy(), expected)


@settings(max_examples=40)
@given(st.data())
def test_any_integer_array_index(data):
    x = draw(data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=3)))
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=2, max_side=4))
    arrays = data.draw(hnp.integer_array_indices(x.shape, result_shape=st.just(shape)))
    got, expected = (
        run(m, lambda m, x: x[tuple(m.tensor(np.asarray(i, np.int64)) for i in arrays)], [x], "float64") for m in (mc, torch)
    )
    same(got[0][0], expected[0][0])
    same(got[1][0], expected[1][0])


def put(index, value=None):
    """A function that sets elements of a result; both the old values and the new ones get gradients."""

    def function(m, x, y):
        z = x * 1
        z[index(m)] = y if value is None else value
        return z * z, y * 2

    return function


@pytest.mark.parametrize(
    ("index", "shape"),
    [
        (lambda m: 1, (4, 2)), (lambda m: 1, (2,)), (lambda m: 1, ()), (lambda m: 1, (1, 1, 4, 2)),
        (lambda m: (slice(None), 2), (3, 2)), (lambda m: (..., slice(0, 1)), (3, 4, 1)), (lambda m: ..., (3, 1, 2)),
        (lambda m: (1, 2, 0), ()), (lambda m: (1, 2, 0), (1,)), (lambda m: slice(1, 1), (2,)), (lambda m: None, (1, 3, 4, 2)),
        (lambda m: [2, 0], (2, 4, 2)), (lambda m: m.tensor([2, 0]), (2,)), (lambda m: ([0, 1], [1, 3]), (2, 2)),
        (lambda m: (0, slice(None), [1, 0]), (4, 2)), (lambda m: ([0, 2], slice(None), 1), (2, 4)),
        (lambda m: m.tensor([True, False, True]), (2, 4, 2)), (lambda m: m.tensor([True, False, True]), ()),
        (lambda m: (0, m.tensor([True, False, True, False])), (2, 2)), (lambda m: m.tensor([False] * 3), ()),
    ],
)  # fmt: skip
def test_set_elements(index, shape):
    check(put(index), draw((3, 4, 2)), draw(shape) + 3)
    check(lambda m, x: put(index, 0.3)(m, x, x), draw((3, 4, 2)))


def test_set_elements_of_a_constant():
    def function(m, x):
        z = m.zeros(4, 2, dtype=x.dtype)
        z[1:3] = x
        z[0, 0] = x[0, 1] * 2
        z[z > 100] = 1
        return z * z

    check(function, draw((2, 2)))


IN_PLACE = {
    "+=": lambda x, y: x.__iadd__(y),
    "-=": lambda x, y: x.__isub__(y),
    "*=": lambda x, y: x.__imul__(y),
    "/=": lambda x, y: x.__itruediv__(y),
    "add_": lambda x, y: x.add_(y, alpha=2),
    "sub_": lambda x, y: x.sub_(y, alpha=0.5),
    "mul_": lambda x, y: x.mul_(y),
    "div_": lambda x, y: x.div_(y),
    "copy_": lambda x, y: x.copy_(y),
    "fill_": lambda x, y: x.fill_(2.5),
    "zero_": lambda x, y: x.zero_(),
}


@pytest.mark.parametrize("shape", [(2, 3), (3,), (2, 1), ()])
@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place(name, shape):
    def function(m, x, y):
        z = x.clone()
        old = z * 3  # z is kept by no node here
        result = IN_PLACE[name](z, y)
        assert result is z
        return z * z, old * old, y * 1

    check(function, draw((2, 3)), draw(shape, "positive"))


def test_in_place_on_a_constant_makes_it_a_result():
    def function(m, x):
        z = m.ones(2, 3, dtype=x.dtype)
        z += x
        z *= x
        return z

    check(function, draw((3,)))


NOT_FINITE = [0.0, -0.0, 1.0, -1.0, 2.0, -2.5, 1e-30, 1e30, -1e30, 89.0, -110.0, 1e-45, inf, -inf, nan]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: x.exp(), lambda m, x: x.log(), lambda m, x: x.sqrt(), lambda m, x: x.tanh(), lambda m, x: x.sigmoid(),
        lambda m, x: x.relu(), lambda m, x: x[:-1].abs(), lambda m, x: 1 / x, lambda m, x: x / 0, lambda m, x: x * 1e38,
        lambda m, x: x - x.flip(0) if m is torch else x - x[::-1], lambda m, x: x**2, lambda m, x: x**-1, lambda m, x: x**3,
        lambda m, x: x**0, lambda m, x: x[2:-2] ** 0.5, lambda m, x: x[2:] ** -0.7, lambda m, x: 0**x, lambda m, x: 2**x, lambda m, x: x**x,
        lambda m, x: x.clamp(-1, 1), lambda m, x: m.where(x > 0, x, x * 2), lambda m, x: x.sum(), lambda m, x: x.mean(),
        lambda m, x: x.amax(), lambda m, x: x[:-1].max(), lambda m, x: x.max(0).values, lambda m, x: x.var(),
        lambda m, x: x[2:3].var(), lambda m, x: x[:5].std(), lambda m, x: (x * 0 + 1).std(),
        lambda m, x: x[:0].mean(), lambda m, x: x[:0].var(), lambda m, x: x[:8].softmax(0), lambda m, x: x.log_softmax(0),
        lambda m, x: x[-3:-1].softmax(0), lambda m, x: x[-2:-1].log_softmax(0), lambda m, x: x @ x,
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:(var|std).*degrees of freedom:UserWarning")
def test_not_finite(function, dtype):
    """What is infinite, or not a number, or too large: the same as PyTorch's, and without a warning."""
    got, expected = (run(m, function, [np.array(NOT_FINITE)], dtype) for m in (mc, torch))
    for ours, theirs in zip(got[0] + got[1], expected[0] + expected[1], strict=True):
        same(ours, theirs, dtype)
