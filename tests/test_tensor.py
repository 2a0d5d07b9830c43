"""The Tensor against PyTorch's: dtypes, creation, memory, errors, conversions, printing."""

import copy
import itertools
import math
import operator

import numpy as np
import pytest
import torch

import minicnn as mc

DTYPES = ["bool", "uint8", "int32", "int64", "float32", "float64"]
inf, nan = math.inf, math.nan


def dtype_name(x):
    return str(x.dtype).removeprefix("torch.")


def same(ours, theirs):
    assert isinstance(ours, mc.Tensor)
    assert dtype_name(ours) == dtype_name(theirs)
    assert ours.requires_grad == theirs.requires_grad
    assert ours.shape == tuple(theirs.shape)
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-6)


def outcome(function, module):
    """The result, or the kind of error."""
    try:
        return function(module)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        return type(error)


# dtypes


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
            same(ours, theirs)


@pytest.mark.parametrize("symbol", ["-", "**"])
@pytest.mark.parametrize("left", [name for name in OPERANDS if "bool" not in name and "True" not in name])
def test_promotion_without_truth_values(left, symbol):
    for right in OPERANDS:
        pair = OPERANDS[left], OPERANDS[right]
        if "bool" not in right and "True" not in right and any(isinstance(what, tuple) for what in pair):
            function = operator.sub if symbol == "-" else operator.pow
            same(*(function(*(operand(m, what) for what in pair)) for m in (mc, torch)))


@pytest.mark.parametrize("left", [name for name in OPERANDS if "number" not in name])
def test_promotion_in_place_and_in_joins(left):
    for right in OPERANDS:
        pair = OPERANDS[left], OPERANDS[right]
        for function in (operator.iadd, operator.imul, operator.itruediv, lambda x, y: x.copy_(y) if 0 <= getattr(y, "ndim", -1) <= x.ndim else x):
            ours, theirs = (outcome(lambda m: function(*(operand(m, what) for what in pair)), m) for m in (mc, torch))  # noqa: B023
            same(ours, theirs) if isinstance(theirs, torch.Tensor) else assert_kind(ours, theirs)
        if isinstance(pair[1], tuple) and pair[0][1] == pair[1][1]:
            same(*(m.stack([operand(m, what) for what in pair]) for m in (mc, torch)))
            same(*(m.where(m.tensor([True, False]), *(operand(m, what) for what in pair)) for m in (mc, torch)))
            if pair[0][1]:
                same(*(m.cat([operand(m, what) for what in pair]) for m in (mc, torch)))
                same(*(m.maximum(*(operand(m, what) for what in pair)) for m in (mc, torch)))


def assert_kind(got, expected):
    assert isinstance(got, type), f"{got!r} but PyTorch raises {expected}"
    assert issubclass(expected, got)  # PyTorch has NotImplementedError where we have RuntimeError


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.sum(), lambda x: x.sum(0), lambda x: x.sum(dtype=x.double().dtype), lambda x: x.mean(), lambda x: x.var(),
        lambda x: x.std(), lambda x: x.softmax(0), lambda x: x.log_softmax(0), lambda x: x.exp(), lambda x: x.sqrt(),
        lambda x: x.log(), lambda x: x.tanh(), lambda x: x.sigmoid(), lambda x: x.max(), lambda x: x.amin(0),
        lambda x: x.max(0)[0], lambda x: x.min(0)[1], lambda x: x.float(),
        lambda x: x.double(), lambda x: x.long(), lambda x: x.int(), lambda x: x.bool(), lambda x: x.type_as(x.float()),
        lambda x: x.cpu(), lambda x: x.clamp(1), lambda x: x.clamp(0.5, 1.5), lambda x: x.clamp(max=2), lambda x: x.clone(),
        lambda x: x[0], lambda x: x[x > 1], lambda x: x == 1, lambda x: x != 1.0, lambda x: x < 1.5, lambda x: x * 1.5,
        lambda x: 3 - x.float(), lambda x: x / 2,
    ],
)  # fmt: skip
def test_dtype_of_results(function, dtype):
    ours, theirs = (outcome(lambda m: function(m.tensor([1, 2, 0], dtype=getattr(m, dtype))), m) for m in (mc, torch))
    same(ours, theirs) if isinstance(theirs, torch.Tensor) else assert_kind(ours, theirs)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32"])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: -x, lambda x: abs(x), lambda x: x.relu(), lambda x: x.argmax(), lambda x: x.argmin(0), lambda x: x**2,
        lambda x: x**0, lambda x: x**0.5, lambda x: 2**x, lambda x: 2.0**x, lambda x: x**-1, lambda x: x @ x,
    ],
)  # fmt: skip
def test_dtype_of_results_of_numbers(function, dtype):
    ours, theirs = (outcome(lambda m: function(m.tensor([1, 2, 1], dtype=getattr(m, dtype))), m) for m in (mc, torch))
    same(ours, theirs) if isinstance(theirs, torch.Tensor) else assert_kind(ours, theirs)


@pytest.mark.parametrize("function", [lambda x: x.long(), lambda x: x.int(), lambda x: x.bool(), lambda x: x > 0, lambda x: x.argmax()])
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
        same(function(mc), function(torch))


@pytest.mark.parametrize("function", [operator.and_, operator.or_, operator.xor])
def test_bitwise(function):
    for x, y in itertools.product([[True, False], [6, 3]], [[True, True], [5, 1], True, 3]):
        same(*(function(m.tensor(x), m.tensor(y) if isinstance(y, list) else y) for m in (mc, torch)))
    same(*(~m.tensor([True, False]) for m in (mc, torch)))
    same(*(~m.tensor([1, -2]) for m in (mc, torch)))


@pytest.mark.parametrize("other", [None, "a", [1], {}])
def test_comparison_with_anything_else(other):
    for m in (mc, torch):
        x = m.tensor([1, 2])
        assert (x == other) is False
        assert (x != other) is True
        for function in (operator.lt, operator.ge, operator.add, operator.truediv):
            with pytest.raises(TypeError):
                function(x, other)


# creation


@pytest.mark.parametrize(
    "data",
    [
        1, 1.5, True, [1, 2], [1.0, 2], [True, False], [True, 2], [True, 2.5], [], [[]], [[1, 2], [3, 4]], ((1.5,), (2,)), [1e300, -1e-300],
        np.float32(2), np.int32(3), np.arange(3), np.arange(3.0), np.array(2.5, np.float32), np.zeros((0, 2)), [[np.float32(1)], [2.5]],
        np.arange(6).reshape(2, 3)[:, ::-1], range(3), 2**40,
    ],
)  # fmt: skip
def test_tensor(data):
    if isinstance(data, np.ndarray):
        same(mc.tensor(data), torch.tensor(data.copy()))
    else:
        same(mc.tensor(data), torch.tensor(data))
    for dtype in ("float64", "int32"):
        if np.abs(np.array(data)).max(initial=0) < 1e9:
            same(mc.tensor(data, dtype=getattr(mc, dtype)), torch.tensor(np.array(data), dtype=getattr(torch, dtype)))


def test_tensor_of_tensors():
    same(*(m.tensor([m.tensor(1.0), m.tensor(2)]) for m in (mc, torch)))
    same(mc.tensor(mc.tensor([1, 2])), torch.tensor([1, 2]))
    same(mc.tensor([[mc.tensor(1), 2], [3, mc.tensor([4])[0]]]), torch.tensor([[1, 2], [3, 4]]))


@pytest.mark.parametrize(
    ("data", "kind"), [([[1], [1, 2]], ValueError), ([[1], 2], (TypeError, ValueError)), ("a", TypeError), ({}, (TypeError, RuntimeError))]
)
def test_data_that_is_no_tensor(data, kind):
    for m in (mc, torch):
        with pytest.raises(kind):
            m.tensor(data)


@pytest.mark.parametrize(
    "function",
    [
        lambda m: m.zeros(2, 3), lambda m: m.zeros((2, 3)), lambda m: m.ones([2, 3], dtype=m.int64), lambda m: m.zeros(()), lambda m: m.ones(0),
        lambda m: m.ones(2, requires_grad=True), lambda m: m.full((2,), 3), lambda m: m.full((2, 1), 2.5), lambda m: m.full((), True),
        lambda m: m.full((2,), 3, dtype=m.float64), lambda m: m.zeros_like(m.ones(2, dtype=m.int32)),
        lambda m: m.ones_like(m.zeros(2, 0), dtype=m.float64), lambda m: m.arange(5), lambda m: m.arange(5.0), lambda m: m.arange(2, 5),
        lambda m: m.arange(5, 2, -2), lambda m: m.arange(0, 1, 0.1), lambda m: m.arange(3, dtype=m.float64), lambda m: m.arange(0),
        lambda m: m.arange(1, 2.5), lambda m: m.zeros(np.int64(2)), lambda m: m.zeros(m.tensor(2), 1),
    ],
)  # fmt: skip
def test_constants(function):
    same(function(mc), function(torch))


def test_empty_has_a_shape_and_a_dtype():
    assert mc.empty(2, 3).shape == (2, 3)
    assert mc.empty((2,), dtype=mc.int64).dtype == mc.int64


def test_random_numbers_follow_the_seed():
    def draw():
        mc.manual_seed(3)
        return [mc.rand(100), mc.randn(2, 50), mc.randint(2, 5, (100,)), mc.randperm(50), mc.randn(3, dtype=mc.float64)]

    first, second = draw(), draw()
    for x, y in zip(first, second, strict=True):
        np.testing.assert_array_equal(x.numpy(), y.numpy())
    uniform, normal, whole, order, double = (x.numpy() for x in first)
    assert uniform.dtype == normal.dtype == np.float32
    assert double.dtype == np.float64
    assert 0 <= uniform.min() < 0.2 < 0.8 < uniform.max() < 1
    assert normal.shape == (2, 50)
    assert abs(normal.mean()) < 0.3
    assert abs(normal.std() - 1) < 0.3
    assert set(whole.tolist()) == {2, 3, 4}
    assert sorted(order.tolist()) == list(range(50))
    assert whole.dtype == order.dtype == np.int64
    assert not np.array_equal(mc.rand(100).numpy(), uniform)


# memory


def test_tensor_copies_and_the_others_share():
    array = np.zeros(3)
    copied, wrapped, shared = mc.tensor(array), mc.Tensor(array), mc.from_numpy(array)
    array[0] = 1
    assert copied.tolist() == [0, 0, 0]
    assert wrapped.tolist() == shared.tolist() == [1, 0, 0]
    shared.numpy()[1] = 2
    wrapped.detach()[2] = 3
    wrapped.data[2] += 1
    assert array.tolist() == np.asarray(shared).tolist() == [1, 2, 4]
    assert np.shares_memory(np.asarray(shared), array)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[0], lambda x: x[1, 2], lambda x: x[..., 1], lambda x: x[1:], lambda x: x[:, None], lambda x: x.reshape(-1), lambda x: x.view(3, 2),
        lambda x: x.T, lambda x: x.transpose(0, 1), lambda x: x.permute(1, 0), lambda x: x.unsqueeze(0), lambda x: x.flatten(), lambda x: x.detach(),
        lambda x: x.data, lambda x: x.squeeze(), lambda x: x.movedim(0, 1), lambda x: x[0].reshape(3)[1:][0], lambda x: x.contiguous(),
        lambda x: x.to(x.dtype), lambda x: next(iter(x)), lambda x: x[0, 0],
    ],
)  # fmt: skip
def test_views_share_memory(view):
    for m in (mc, torch):
        x = m.zeros(2, 3)
        view(x).add_(1)
        y = m.zeros(2, 3)
        view(y)[...] = 1
        z = m.zeros(2, 3)
        part = view(z)
        part += 1
        assert x.tolist() == y.tolist() == z.tolist()
        if m is mc:
            ours = x.tolist()
    assert ours == x.tolist()
    assert 1 in x.flatten()


@pytest.mark.parametrize("copied", [lambda x: x.clone(), lambda x: x[[0, 1]], lambda x: x[x == 0], lambda x: x + 0, lambda x: x.T.reshape(-1), lambda x: x.double()])
def test_copies_do_not(copied):
    for m in (mc, torch):
        x = m.zeros(2, 3)
        copied(x).add_(1)
        assert x.tolist() == [[0] * 3] * 2


def test_in_place_keeps_the_object_and_the_memory():
    x = mc.zeros(2, 2)
    array, same_x = x.array, x
    x += 1
    x *= mc.tensor([2, 3])
    x[0] = 7
    x[1, [0, 1]] -= 1
    x.copy_(x * 2).sub_(1).div_(2)
    assert x is same_x
    assert x.array is array
    assert array.tolist() == [[6.5, 6.5], [0.5, 1.5]]
    assert x.fill_(4).zero_() is x
    assert array.tolist() == [[0, 0], [0, 0]]


def test_overlapping_copy():
    for m in (mc, torch):
        x = m.arange(6)
        x[1:] = x[:-1].clone()
        x.copy_(x * 2)
        assert x.tolist() == [0, 0, 2, 4, 6, 8]


def test_values_are_converted_on_the_way_in():
    for m in (mc, torch):
        x = m.zeros(3, dtype=m.int64)
        x[0] = 2.7
        x[1:] = m.tensor([True, False])
        assert x.tolist() == [2, 1, 0]
        assert x.fill_(-1.5).tolist() == [-1, -1, -1]
        assert x.copy_(m.tensor(1.9)).tolist() == [1, 1, 1]
        y = m.zeros(2)
        y[0] = m.tensor(-1e300, dtype=m.float64)
        assert y.tolist() == [-inf, 0]
        assert m.tensor([1e300], dtype=m.float64).float().tolist() == [inf]


# errors


ERRORS = {
    "add": (lambda m: m.ones(2) + m.ones(3), RuntimeError, r"add: .*\(2,\) and \(3,\)"),
    "compare": (lambda m: m.ones(2) < m.ones(3, 1, 3), RuntimeError, r"less: .*\(2,\) and \(3, 1, 3\)"),
    "divide integers": (lambda m: m.tensor([1, 2]) / m.tensor([1, 2, 3]), RuntimeError, "div: "),
    "maximum": (lambda m: m.maximum(m.ones(2), m.ones(3)), RuntimeError, "maximum: "),
    "where": (lambda m: m.where(m.ones(2) > 0, m.ones(3), m.ones(2)), RuntimeError, "where: "),
    "where condition": (lambda m: m.where(m.ones(2), m.ones(2), m.ones(2)), RuntimeError, "where: .*condition"),
    "add a string": (lambda m: m.ones(2) + "a", TypeError, "add: .*str"),
    "from a list": (lambda m: [1, 2] - m.ones(2), TypeError, "sub: .*list"),
    "integers to negative powers": (lambda m: m.tensor([2]) ** -1, RuntimeError, "pow: .*negative integer powers"),
    "a number too large": (lambda m: m.tensor([1], dtype=m.uint8).fill_(300), RuntimeError, "fill_: .*300"),
    "not a number among integers": (lambda m: operator.setitem(m.tensor([1]), 0, nan), RuntimeError, "index: .*NaN"),
    "invert": (lambda m: ~m.ones(2), TypeError, "invert"),
    "matmul": (lambda m: m.ones(2, 3) @ m.ones(2, 3), RuntimeError, r"matmul: .*\(2, 3\) @ \(2, 3\)"),
    "matmul stacks": (lambda m: m.ones(2, 3, 4) @ m.ones(3, 4, 5), RuntimeError, r"matmul: .*\(2, 3, 4\) @ \(3, 4, 5\)"),
    "matmul vectors": (lambda m: m.ones(2) @ m.ones(3), RuntimeError, "matmul: "),
    "matmul of a scalar": (lambda m: m.ones(()) @ m.ones(3), RuntimeError, "matmul: .*dimension"),
    "matmul dtypes": (lambda m: m.ones(2, 2) @ m.ones(2, 2, dtype=m.float64), RuntimeError, "matmul: .*float32 and float64"),
    "matmul by a number": (lambda m: m.ones(2, 2) @ 2, TypeError, "matmul: "),
    "dim": (lambda m: m.ones(2, 3).sum(2), IndexError, "sum: dim 2 .*-2 to 1"),
    "dim of a scalar": (lambda m: m.ones(()).sum(1), IndexError, "sum: dim 1"),
    "negative dim": (lambda m: m.ones(2, 3).softmax(-3), IndexError, "softmax: dim -3"),
    "dim twice": (lambda m: m.ones(2, 3).sum((0, -2)), RuntimeError, "sum: .*twice"),
    "dim in letters": (lambda m: m.ones(2, 3).argmax("a"), (TypeError, RuntimeError), "argmax: .*'a'"),
    "mean of integers": (lambda m: m.tensor([1]).mean(), RuntimeError, "mean: .*int64"),
    "std of integers": (lambda m: m.tensor([1]).std(), RuntimeError, "std: .*int64"),
    "max of nothing": (lambda m: m.tensor([]).max(), RuntimeError, "max: .*at least one"),
    "amin of nothing": (lambda m: m.zeros(0, 3).amin(), RuntimeError, "amin: "),
    "argmax of nothing": (lambda m: m.zeros(0, 3).argmax(), IndexError, "argmax: "),
    "max along nothing": (lambda m: m.zeros(0, 3).max(0), IndexError, r"max: .*\(0, 3\)"),
    "amax along nothing": (lambda m: m.zeros(0, 3).amax(0), IndexError, "amax: "),
    "clamp without bounds": (lambda m: m.ones(2).clamp(), RuntimeError, "clamp: "),
    "clamp by a string": (lambda m: m.ones(2).clamp("a"), TypeError, "clamp: "),
    "reshape": (lambda m: m.ones(2, 3).reshape(4), RuntimeError, r"reshape: .*6 .*\(2, 3\).*\(4,\)"),
    "reshape with -1": (lambda m: m.ones(2, 3).reshape(4, -1), RuntimeError, "reshape: "),
    "reshape with two -1": (lambda m: m.ones(2, 3).reshape(-1, -1), RuntimeError, "reshape: "),
    "reshape with -2": (lambda m: m.ones(2, 3).reshape(-2), RuntimeError, "reshape: .*-1 once"),
    "reshape nothing": (lambda m: m.ones(0, 3).reshape(0, -1), RuntimeError, "reshape: "),
    "reshape to a fraction": (lambda m: m.ones(2).reshape(2.0), TypeError, "float"),
    "flatten": (lambda m: m.ones(2, 3).flatten(1, 0), RuntimeError, "flatten: "),
    "permute": (lambda m: m.ones(2, 3).permute(0, 0), RuntimeError, "permute: "),
    "permute too few": (lambda m: m.ones(2, 3).permute(0), RuntimeError, "permute: "),
    "transpose": (lambda m: m.ones(2, 3).transpose(0, 2), IndexError, "transpose: dim 2"),
    "unsqueeze": (lambda m: m.ones(2, 3).unsqueeze(3), IndexError, "unsqueeze: dim 3"),
    "squeeze": (lambda m: m.ones(2, 3).squeeze(2), IndexError, "squeeze: dim 2"),
    "t": (lambda m: m.ones(1, 2, 3).t(), RuntimeError, "t: .*2 dimensions"),
    "expand": (lambda m: m.ones(2).expand(3), RuntimeError, r"expand: .*\(2,\).*\(3,\)"),
    "expand with new -1": (lambda m: m.ones(2).expand(-1, 2), RuntimeError, "expand: "),
    "expand to fewer": (lambda m: m.ones(2, 2).expand(2), RuntimeError, "expand: "),
    "cat nothing": (lambda m: m.cat([]), ValueError, "cat: "),
    "cat of scalars": (lambda m: m.cat([m.tensor(1.0), m.tensor(2.0)]), RuntimeError, "cat: "),
    "cat sizes": (lambda m: m.cat([m.ones(2, 2), m.ones(2, 3)]), RuntimeError, r"cat: .*\(2, 2\), \(2, 3\)"),
    "cat dimensions": (lambda m: m.cat([m.ones(2, 2), m.ones(2)]), RuntimeError, "cat: "),
    "cat dim": (lambda m: m.cat([m.ones(2), m.ones(2)], 1), IndexError, "cat: dim 1"),
    "cat of numbers": (lambda m: m.cat([1, 2]), TypeError, "cat: "),
    "stack nothing": (lambda m: m.stack([]), RuntimeError, "stack: "),
    "stack sizes": (lambda m: m.stack([m.ones(2), m.ones(3)]), RuntimeError, r"stack: .*\(2,\), \(3,\)"),
    "stack dim": (lambda m: m.stack([m.ones(2)], 2), IndexError, "stack: dim 2"),
    "index": (lambda m: m.ones(2, 3)[2], IndexError, r"index.*2.*\(2, 3\)"),
    "too many indices": (lambda m: m.ones(2)[0, 0], IndexError, "index: too many"),
    "index of a scalar": (lambda m: m.tensor(1)[0], IndexError, "index: "),
    "index by fractions": (lambda m: m.ones(2)[m.tensor([0.0])], IndexError, "index: "),
    "index by a list, too large": (lambda m: m.ones(2)[[0, 2]], IndexError, "index: "),
    "index by a mask": (lambda m: m.ones(2, 3)[m.tensor([True, False, True])], IndexError, "index: "),
    "index by unequal lists": (lambda m: m.ones(4, 4)[[0, 1], [0, 1, 2]], IndexError, "index: "),
    "set": (lambda m: operator.setitem(m.ones(2), 2, 1), IndexError, "index: "),
    "set a shape": (lambda m: operator.setitem(m.ones(2), slice(None), m.ones(3)), RuntimeError, r"index: .*\(3,\).*\(2,\)"),
    "set too many": (lambda m: operator.setitem(m.ones(3), slice(0, 1), m.ones(3)), RuntimeError, r"index: .*\(3,\).*\(1,\)"),
    "set by a list": (lambda m: operator.setitem(m.ones(3), [0, 1], m.ones(3)), (RuntimeError, IndexError), "index: "),
    "set to a string": (lambda m: operator.setitem(m.ones(3), 0, "a"), TypeError, "index: .*str"),
    "+= dtype": (lambda m: operator.iadd(m.tensor([1]), 2.5), RuntimeError, r"\+=: .*float32.*int64"),
    "/= dtype": (lambda m: operator.itruediv(m.tensor([1]), 2), RuntimeError, "/=: "),
    "+= shape": (lambda m: operator.iadd(m.ones(2), m.ones(3, 2)), RuntimeError, r"\+=: .*\(2,\).*\(3, 2\)"),
    "+= broadcast": (lambda m: operator.iadd(m.ones(2), m.ones(3)), RuntimeError, "add: "),
    "+= on an expanded": (lambda m: operator.iadd(m.ones(1).expand(3), 1), RuntimeError, r"\+=: .*clone\(\)"),
    "mul_ on an expanded": (lambda m: m.ones(1).expand(3).mul_(2), RuntimeError, r"mul_: .*clone\(\)"),
    "copy_ shape": (lambda m: m.ones(2).copy_(m.ones(3, 2)), RuntimeError, "copy_: "),
    "item": (lambda m: m.ones(2).item(), RuntimeError, r"item: .*\(2,\)"),
    "bool": (lambda m: bool(m.ones(2)), RuntimeError, "ambiguous"),
    "bool of nothing": (lambda m: bool(m.tensor([])), RuntimeError, "ambiguous"),
    "len": (lambda m: len(m.tensor(1)), TypeError, "len: "),
    "iter": (lambda m: iter(m.tensor(1)), TypeError, "len: "),
    "size": (lambda m: m.ones(2).size(1), IndexError, "size: dim 1"),
    "format": (lambda m: f"{m.ones(1):.2f}", TypeError, "format: "),
    "integer gradient": (lambda m: m.tensor([1]).requires_grad_(), RuntimeError, "requires_grad_: .*int64"),
    "integer that requires grad": (lambda m: m.tensor([1], requires_grad=True), RuntimeError, "int64"),
    "range by a fraction": (lambda m: range(m.tensor(2.0)), TypeError, "index: .*float32"),
    "negative size": (lambda m: m.zeros(2, -1), RuntimeError, "zeros: "),
    "size in fractions": (lambda m: m.zeros(1.5), TypeError, "float"),
    "arange backwards": (lambda m: m.arange(3, 0), RuntimeError, "arange: "),
    "arange on the spot": (lambda m: m.arange(0, 3, 0), RuntimeError, "arange: "),
    "randint of nothing": (lambda m: m.randint(3, 3, (1,)), RuntimeError, "randint: "),
    "from_numpy of a list": (lambda m: m.from_numpy([1]), TypeError, "from_numpy: .*list"),
    "numpy of a parameter": (lambda m: m.ones(2, requires_grad=True).numpy(), RuntimeError, r"detach\(\).numpy\(\)"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name):
    """PyTorch's kinds of errors; messages that name the operation and what it got."""
    function, kind, message = ERRORS[name]
    with pytest.raises(kind):
        function(torch)
    with pytest.raises(kind, match=message):
        function(mc)


def test_dtypes_that_are_no_numbers():
    for array in (np.array(["a"]), np.array([1j]), np.array([None]), np.array(["2020-01-01"], "datetime64[D]")):
        with pytest.raises(TypeError, match="Tensor: expected numbers"):
            mc.Tensor(array)


def test_memory_that_may_not_be_written():
    x = mc.from_numpy(np.broadcast_to(np.float32(1), (2,)))
    for write in (lambda: x.add_(1), lambda: x.zero_(), lambda: operator.setitem(x, 0, 1)):
        with pytest.raises(RuntimeError, match=r"clone\(\)"):
            write()
    assert x.clone().add_(1).tolist() == [2, 2]


# out of the Tensor


def test_attributes():
    x = mc.ones(2, 3, 4)
    assert (x.shape, x.ndim, x.dim(), x.numel(), len(x)) == ((2, 3, 4), 3, 3, 24, 2)
    assert x.size() == (2, 3, 4)
    assert (x.size(1), x.size(-1)) == (3, 4)
    assert x.is_leaf
    assert x.grad is None
    assert x.grad_fn is None
    assert not (x * 2).requires_grad
    assert len({x, x.detach(), x}) == 2  # hashed by what it is, not by what it holds


def test_python_values():
    for m in (mc, torch):
        assert m.tensor([[2.5]]).item() == 2.5
        assert type(m.tensor(2).item()) is int
        assert type(m.tensor(2.0).item()) is float
        assert type(m.tensor(True).item()) is bool
        assert m.tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
        assert m.tensor(1.5).tolist() == 1.5
        assert (float(m.tensor(2)), int(m.tensor(2.7)), bool(m.tensor([0.0])), bool(m.tensor(3))) == (2.0, 2, False, True)
        assert [10, 20, 30][m.tensor(1)] == 20
        assert list(range(m.tensor(3))) == [0, 1, 2]
        assert [row.tolist() for row in m.tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
        assert f"{m.tensor(1.23456):.2f} {m.tensor(3):03d} {m.tensor(1.5, requires_grad=True):.1f}" == "1.23 003 1.5"
        assert f"{m.tensor([1, 2])}" == "tensor([1, 2])"
        assert (2 in m.tensor([1, 2]), 3 in m.tensor([1, 2])) == (True, False)


def test_numpy_on_the_other_side():
    array, x = np.array([1.0, 2.0]), mc.tensor([3.0, 4.0], dtype=mc.float64)
    for function in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul):
        for result in (function(array, x), function(x, array)):
            assert isinstance(result, mc.Tensor)
        np.testing.assert_allclose(function(array, x).numpy(), function(array, x.numpy()))
        np.testing.assert_allclose(function(x, array).numpy(), function(x.numpy(), array))
    assert isinstance(array < x, mc.Tensor)
    y = np.float64(2) * mc.tensor([1.0, 2.0])
    assert isinstance(y, mc.Tensor)
    assert y.dtype == mc.float32
    assert y.tolist() == [2, 4]
    assert (mc.tensor([1, 2]) + np.int32(1)).dtype == mc.int64
    np.testing.assert_array_equal(np.stack([x, x]), [[3, 4], [3, 4]])
    assert np.array(x, dtype=np.float32).dtype == np.float32


def test_copies_of_a_whole():
    x = mc.tensor([1.0, 2.0], requires_grad=True)
    x.grad = mc.ones(2)
    y = copy.deepcopy(x)
    y.grad.zero_()
    assert isinstance(y, mc.Tensor)
    assert y.requires_grad
    assert y.tolist() == x.tolist()
    assert not np.shares_memory(x.array, y.array)
    assert x.grad.tolist() == [1, 1]


def test_data_gives_and_takes():
    x = mc.tensor([1.0, 2.0], requires_grad=True)
    x.data.mul_(2)
    assert x.tolist() == [2, 4]
    x.data = mc.tensor([5.0, 6.0])
    assert x.requires_grad
    (x * x).sum().backward()
    assert x.grad.tolist() == [10, 12]


# picking


@pytest.mark.parametrize("data", [[1.0, 3, 3], [[1, 2], [2, 1], [2, 2]], [[0.0, -0.0]], [2, nan, 3, nan], [[True, False], [True, True]]])
def test_first_of_ties(data):
    ours, theirs = mc.tensor(data), torch.tensor(data)
    for dim in range(-ours.ndim, ours.ndim):
        for keepdim in (False, True):
            for name in ("max", "min"):
                for a, b in zip(getattr(ours, name)(dim, keepdim), getattr(theirs, name)(dim, keepdim), strict=True):
                    same(a, b)
            if ours.dtype != bool:
                same(ours.argmax(dim, keepdim), theirs.argmax(dim, keepdim))
                same(ours.argmin(dim, keepdim), theirs.argmin(dim, keepdim))
    if ours.dtype != bool:
        same(ours.argmax(), theirs.argmax())
        same(ours.argmin(), theirs.argmin())


def test_argmax_of_no_dimensions_and_of_no_rows():
    same(mc.tensor(3.0).argmax(), torch.tensor(3.0).argmax())
    same(mc.tensor(3.0).argmax(0), torch.tensor(3.0).argmax(0))
    same(mc.zeros(0, 3).argmax(1), torch.zeros(0, 3).argmax(1))
    same(mc.zeros(0, 3).argmax(1, keepdim=True), torch.zeros(0, 3).argmax(1, keepdim=True))


def test_all_and_any():
    for data in ([True, True], [True, False], [0, 0], [0.0, nan], []):
        same(mc.tensor(data).all(), torch.tensor(data).all())
        same(mc.tensor(data).any(), torch.tensor(data).any())


# printing

rng = np.random.default_rng(0)
PRINTED = [
    2.0, 3.5, 7, True, [], [[], []], [1.0, 2, 3], [1.5, 2, -3], [0.0, -0.0], [[1, 2], [3, 4]], [1, -20, 300], [[True, False], [True, True]],
    [1e-5, 1], [1e10, 1], [1e5, 1.5], [1001.0, 1], [1000.0, 1], [1e-4, 0.05], [nan, 1.5, inf], [nan, 1, -inf], [inf, -inf], [1e-30],
    rng.normal(size=(3, 4)), rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 2, 2, 2)) * 100, rng.normal(size=(3, 30)), rng.normal(size=8) * 1e-6,
    np.arange(2000.0), np.arange(2000), rng.normal(size=(100, 20)), rng.uniform(1, 2, (10, 20, 7)), np.arange(100).reshape(10, 10), np.arange(25),
    rng.normal(size=(1200, 2)), rng.normal(size=50) > 0, np.zeros((0, 3)), np.zeros((2, 0, 4)),
]  # fmt: skip


@pytest.mark.parametrize("data", PRINTED, ids=range(len(PRINTED)))
def test_prints_as_pytorch(data):
    array = np.asarray(data)
    array = array.astype(np.float32) if array.dtype == np.float64 else array
    assert repr(mc.tensor(array)) == str(mc.tensor(array)) == repr(torch.tensor(array))


def test_prints_notes():
    assert repr(mc.tensor([1.5], dtype=mc.float64)) == "tensor([1.5000], dtype=float64)"
    assert repr(mc.tensor([1], dtype=mc.uint8)) == "tensor([1], dtype=uint8)"
    x = mc.tensor([1.5], requires_grad=True)
    assert repr(x) == "tensor([1.5000], requires_grad=True)"
    assert repr(x + 1) == "tensor([2.5000], grad_fn=<Add>)"
    assert repr(x.detach()) == "tensor([1.5000])"
