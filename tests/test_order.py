"""Along one dimension: sorting, picking, sums and products; reductions beyond the plain ones."""

import math

import numpy as np
import pytest

import minicnn as mc
from both import agree, check, compare, draw

LAYOUTS = [((5,), 0), ((4, 3), 1), ((4, 3), -2), ((2, 1, 4), 1), ((2, 3, 4), 2)]
EMPTY = [((), 0), ((), -1), ((0,), 0), ((0, 3), 1), ((2, 0, 3), 2), ((2, 0, 3), 0)]

ALONG = {
    "sort": lambda m, x, dim: tuple(x.sort(dim)),
    "sort down": lambda m, x, dim: tuple(m.sort(x, dim=dim, descending=True)),
    "argsort": lambda m, x, dim: (x * 1, m.argsort(x, dim, True)),
    "cumsum": lambda m, x, dim: m.cumsum(x, dim),
    "cumprod": lambda m, x, dim: x.cumprod(dim),
    "prod": lambda m, x, dim: x.prod(dim),
    "prod, kept": lambda m, x, dim: m.prod(x, dim, keepdim=True),
    "logsumexp": lambda m, x, dim: m.logsumexp(x, dim),
    "logsumexp, kept": lambda m, x, dim: x.logsumexp(dim, keepdim=True),
    "flip": lambda m, x, dim: m.flip(x, (dim,)),
    "norm": lambda m, x, dim: x.norm(dim=dim),
    "norm 1": lambda m, x, dim: m.norm(x, 1, dim, keepdim=True),
    "norm 3": lambda m, x, dim: x.norm(3, dim),
    "norm 0.5": lambda m, x, dim: x.norm(p=0.5, dim=dim) * 0.01,
    "norm 0": lambda m, x, dim: x.norm(p=0, dim=dim) * x.sum(),
    "var, biased": lambda m, x, dim: x.var(dim, unbiased=False),
    "var, biased, kept": lambda m, x, dim: m.var(x, dim, False, True),
    "std, biased": lambda m, x, dim: x.std(dim, False),
    "mean by NumPy's names": lambda m, x, dim: m.mean(x, axis=dim, keepdims=True),
    "sum of an input": lambda m, x, dim: m.sum(input=x, dim=dim),
}
NOT_OF_NOTHING = {
    "topk": lambda m, x, dim: tuple(x.topk(1, dim)),
    "topk, smallest": lambda m, x, dim: tuple(m.topk(x, 1, dim, largest=False)),
    "median": lambda m, x, dim: tuple(m.median(x, dim)),
    "median, kept": lambda m, x, dim: tuple(x.median(dim, True)),
    "kthvalue": lambda m, x, dim: tuple(x.kthvalue(1, dim)),
    "max by NumPy's names": lambda m, x, dim: tuple(m.max(x, axis=dim, keepdims=True)),
    "norm inf": lambda m, x, dim: x.norm(math.inf, dim),
    "norm -inf": lambda m, x, dim: x.norm(-math.inf, dim, keepdim=True),
    "var_mean": lambda m, x, dim: m.var_mean(x, dim),
    "std_mean, biased": lambda m, x, dim: m.std_mean(x, dim, unbiased=False, keepdim=True),
}


@pytest.mark.parametrize(("shape", "dim"), LAYOUTS)
@pytest.mark.parametrize("name", ALONG | NOT_OF_NOTHING)
@pytest.mark.filterwarnings("ignore:.*degrees of freedom:UserWarning")
def test_along(name, shape, dim):
    function = (ALONG | NOT_OF_NOTHING)[name]
    if ("var" in name or "std" in name) and shape[dim] == 1:
        return  # the spread of one element is not a number
    check(lambda m, x: function(m, x, dim), draw(shape))


@pytest.mark.parametrize(("shape", "dim"), EMPTY)
@pytest.mark.parametrize("name", [name for name in ALONG if "var" not in name and "std" not in name])
def test_along_nothing(name, shape, dim):
    agree_all(lambda m: ALONG[name](m, m.tensor(draw(shape)), dim))


def agree_all(function):
    """`agree` for functions with several results."""
    parts = function(mc)
    if not isinstance(parts, tuple):
        agree(function)
        return
    for i in range(len(parts)):
        agree(lambda m, i=i: function(m)[i])


@pytest.mark.parametrize(
    ("shape", "k", "dim"), [((5,), 3, 0), ((3, 7), 4, 1), ((4, 2), 2, 0), ((2, 5), 0, 1), ((2, 5), 5, -1)]
)
def test_topk(shape, k, dim):
    check(lambda m, x: tuple(x.topk(k, dim)), draw(shape))
    check(lambda m, x: tuple(m.topk(x, k, dim=dim, largest=False)), draw(shape))


@pytest.mark.parametrize(
    "data", [[2.0, math.nan, 1.0, math.inf, 2.0, -math.inf, 1.0], [3, 1, 3, 2, 1], [True, False, True]]
)
def test_order_of_ties_and_nan(data):
    for descending in (False, True):
        for i in range(2):
            agree(lambda m, d=descending, i=i: m.tensor(data).sort(stable=True, descending=d)[i])


def test_products_with_zeros():
    for data in ([2.0, 0.0, 3.0], [0.0, 5.0, 0.0], [[1.0, 0.0], [2.0, 3.0]]):
        x = np.array(data)
        for function in (
            lambda m, x: x.prod(),
            lambda m, x: x.prod(0),
            lambda m, x: x.cumprod(-1),
            lambda m, x: x.prod(-1, True),
        ):
            check(function, x)


def test_whole_products_and_norms():
    for shape in ((), (1,), (2, 3), (0,)):
        for function in (
            lambda m, x: x.prod(),
            lambda m, x: m.norm(x),
            lambda m, x: x.norm(1),
            lambda m, x: x.std(unbiased=False) if x.numel() > 1 else x * 1,
            lambda m, x: m.dist(x, x * 3 - 1),
        ):
            check(function, draw(shape))


def test_norm_of_zeros_has_no_gradient():
    for p in (0.5, 1, 2, 3, math.inf):
        compare(lambda m, x, p=p: x.norm(p, 1), np.zeros((2, 3)))
        compare(lambda m, x, p=p: x.norm(p), np.array([0.0, 2.0, -2.0, 0.0]))


def test_logsumexp_far_out():
    for data in ([1000.0, 1000.0], [-math.inf, -math.inf], [math.inf, 1.0], [-2000.0, 0.0]):
        compare(lambda m, x: x.logsumexp(0), np.array(data))


@pytest.mark.parametrize("shape", [(2, 3), (), (0,), (2, 0, 3)])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
def test_all_and_any(shape, dtype):
    data = np.arange(math.prod(shape)).reshape(shape) % 3
    for name in ("all", "any"):
        for kwargs in (
            {},
            {"dim": -1},
            {"dim": -1, "keepdim": True},
            {"dim": tuple(range(len(shape)))},
            {"axis": 0},
        ):
            agree(lambda m, n=name, k=kwargs: getattr(m.tensor(data, dtype=getattr(m, dtype)), n)(**k))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.prod(), lambda x: x.prod(0), lambda x: x.cumsum(0), lambda x: x.cumprod(0),
        lambda x: x.norm(),
        lambda x: x.logsumexp(0), lambda x: x.sort()[0], lambda x: x.sort()[1], lambda x: x.topk(2)[0],
        lambda x: x.count_nonzero(), lambda x: x.count_nonzero(0), lambda x: x.flip(0),
        lambda x: x.float().median(),
        lambda x: x.nonzero(), lambda x: x.unique(), lambda x: x.prod(dtype=x.float().dtype),
        lambda x: x.float().mean(dtype=x.double().dtype), lambda x: x.softmax(0, dtype=x.double().dtype),
    ],
)  # fmt: skip
def test_dtype_of_results(function, dtype):
    agree(lambda m: function(m.tensor([3, 1, 2, 1], dtype=getattr(m, dtype))))


INDEX = {
    "gather": lambda m, x: x.gather(1, m.tensor([[0, 2, 2], [1, 1, 1]])),
    "gather fewer": lambda m, x: m.gather(x, 0, m.tensor([[0, 1], [2, 2], [0, 0], [1, 0]])),
    "gather none": lambda m, x: x.gather(1, m.zeros(3, 0, dtype=m.int64)),
    "take_along_dim": lambda m, x: m.take_along_dim(x, m.tensor([[0], [3], [1]]), 1),
    "index_select": lambda m, x: m.index_select(x, 1, m.tensor([3, 0, 3])),
    "index_select of rows": lambda m, x: x.index_select(0, m.tensor([2])),
    "masked_select": lambda m, x: m.masked_select(x, x > 0),
    "scatter a number": lambda m, x: x.scatter(1, m.tensor([[0, 3], [1, 2]]), 2.5) * x,
    "scatter": lambda m, x: m.scatter(x, 0, m.tensor([[2, 0, 1]]), x[:1, :3] * 3),
    "scatter_add": lambda m, x: m.scatter_add(x, 1, m.tensor([[0, 0, 1], [3, 3, 3]]), x[1:, 1:] * 2),
    "index_add": lambda m, x: x.index_add(0, m.tensor([1, 1]), x[:2] * 3, alpha=0.5),
    "flip both": lambda m, x: x.flip(0, 1) * 2,
    "flip left": lambda m, x: m.fliplr(x) + m.flipud(x),
    "roll": lambda m, x: m.roll(x, 5),
    "roll two": lambda m, x: x.roll((1, -2), (0, 1)),
    "where": lambda m, x: (x * 1, *m.where(x > 0)),
    "nonzero": lambda m, x: (x * 1, m.nonzero(x > 0), *(x > 0).nonzero(as_tuple=True)),
}


@pytest.mark.parametrize("name", INDEX)
def test_index(name):
    check(INDEX[name], draw((3, 4)))


def test_scatter_makes_one_hot_rows():
    for m in (mc, __import__("torch")):
        labels = m.tensor([2, 0, 1])
        rows = m.zeros(3, 4).scatter_(1, labels.unsqueeze(1), 1)
        assert rows.argmax(1).tolist() == [2, 0, 1]
        assert rows.sum().item() == 3


def test_unique_and_bincount():
    data = [3, 1, 3, 2, 1]
    agree(lambda m: m.unique(m.tensor(data)))
    for i in range(3):
        agree(lambda m, i=i: m.unique(m.tensor(data), return_inverse=True, return_counts=True)[i])
    agree(lambda m: m.bincount(m.tensor(data)))
    agree(lambda m: m.bincount(m.tensor(data), minlength=7))
    for dtype in ("float32", "float64", "int64"):
        agree(lambda m, dtype=dtype: m.bincount(m.tensor(data), m.arange(5, dtype=getattr(m, dtype)), 6))


ERRORS = {
    "topk of too many": lambda m: m.ones(3).topk(4),
    "topk of less than none": lambda m: m.ones(3).topk(-1),
    "topk dim": lambda m: m.ones(3).topk(1, 1),
    "sort dim": lambda m: m.ones(3).sort(1),
    "cumsum without dim": lambda m: m.ones(3).cumsum(),
    "cumsum dim": lambda m: m.cumsum(m.ones(3), 1),
    "prod dims": lambda m: m.ones(2, 3).prod((0, 1)),
    "flip twice": lambda m: m.ones(3).flip(0, 0),
    "flip dim": lambda m: m.ones(3).flip(1),
    "norm of integers": lambda m: m.tensor([1, 2]).norm(),
    "norm in letters": lambda m: m.ones(2, 2).norm("abc"),
    "norm inf of nothing": lambda m: m.zeros(0).norm(math.inf),
    "gather beyond": lambda m: m.ones(3).gather(0, m.tensor([3])),
    "gather before": lambda m: m.ones(3).gather(0, m.tensor([-1])),
    "gather by fractions": lambda m: m.ones(3).gather(0, m.tensor([0.0])),
    "gather by more dimensions": lambda m: m.ones(3).gather(0, m.tensor([[0]])),
    "gather by a larger index": lambda m: m.ones(2, 3).gather(1, m.zeros(3, 1, dtype=m.int64)),
    "gather dim": lambda m: m.ones(3).gather(1, m.tensor([0])),
    "gather by a list": lambda m: m.ones(3).gather(0, [0]),
    "scatter beyond": lambda m: m.ones(3).scatter(0, m.tensor([3]), 1.0),
    "scatter too few": lambda m: m.ones(3).scatter(0, m.tensor([0, 1]), m.ones(1)),
    "scatter of another dtype": lambda m: m.ones(3).scatter(0, m.tensor([0]), m.ones(1).double()),
    "scatter_add of a number": lambda m: m.ones(3).scatter_add(0, m.tensor([0]), 1.0),
    "index_select beyond": lambda m: m.ones(3).index_select(0, m.tensor([3])),
    "index_select by a matrix": lambda m: m.ones(3).index_select(0, m.tensor([[0]])),
    "masked_select by integers": lambda m: m.ones(3).masked_select(m.tensor([1, 0, 1])),
    "roll by unequal": lambda m: m.ones(3).roll((1, 2), 0),
    "median along nothing": lambda m: m.zeros(0, 3).median(0),
    "kthvalue 0": lambda m: m.ones(3).kthvalue(0),
    "var, both": lambda m: m.ones(3).var(0, unbiased=False, correction=1),
    "bincount of a matrix": lambda m: m.bincount(m.zeros(2, 2, dtype=m.int64)),
    "bincount with other weights": lambda m: m.bincount(m.tensor([1, 2]), m.ones(3)),
    "bincount of length -1": lambda m: m.bincount(m.tensor([1, 2]), minlength=-1),
    "two dims to sum": lambda m: m.ones(2, 3).sum(0, 1),
    "two dims to amax": lambda m: m.ones(2, 3).amax(0, 1),
    "two dims to any": lambda m: m.ones(2, 3).any(0, 1),
    "two dims to argmax": lambda m: m.ones(2, 3).argmax(0, 1),
    "any dim": lambda m: m.ones(3).any(1),
    "logsumexp dim": lambda m: m.ones(3).logsumexp(1),
    "softmax dim": lambda m: m.softmax(m.ones(3), axis=1),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name):
    agree(ERRORS[name])
