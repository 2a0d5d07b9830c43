"""Along one dimension: ties, zeros, infinities, dtypes and what is refused, as in PyTorch."""

import math

import numpy as np
import pytest

import minicnn as mc
from both import agree, check, compare, refuse


@pytest.mark.parametrize(
    "data", [[2.0, math.nan, 1.0, math.inf, 2.0, -math.inf, 1.0], [3, 1, 3, 2, 1], [True, False, True]]
)
def test_order_of_ties_and_nan(data):
    for descending in (False, True):
        for i in range(2):
            agree(lambda m, d=descending, i=i: m.tensor(data).sort(stable=True, descending=d)[i])


@pytest.mark.parametrize(
    ("largest", "dtype"), [(1, np.float32), (1e-44, np.float32), (1, np.float64), (1e300, np.float64)]
)
def test_sums_at_places_have_the_same_bits_in_any_order(largest, dtype, cuda):
    rng = np.random.default_rng(1)
    index, scales = rng.integers(0, 3, 300), largest * 10 ** rng.uniform(-9, 0, 300)
    values = (rng.standard_normal(300) * scales).astype(dtype)
    expected = np.array([math.fsum(values[index == place]) for place in range(3)], dtype)
    for _ in range(3):
        order = rng.permutation(300)
        places, x = mc.tensor(index[order], device=cuda), mc.tensor(values[order], device=cuda)
        sums = mc.zeros(3, dtype=x.dtype, device=cuda).index_add(0, places, x)
        np.testing.assert_array_equal(sums.numpy(force=True), expected)


def test_sums_at_places_of_what_is_not_finite(cuda):
    values = mc.tensor([1, math.inf, math.nan, -math.inf, 2, math.inf], device=cuda)
    places = mc.tensor([0, 1, 2, 3, 0, 3], device=cuda)
    sums = mc.zeros(5, device=cuda).index_add(0, places, values).tolist()
    assert sums[:2] == [3, math.inf] and sums[4] == 0 and all(map(math.isnan, sums[2:4]))


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


def test_norm_of_zeros_has_no_gradient():
    for p in (0.5, 1, 2, 3, math.inf):
        compare(lambda m, x, p=p: x.norm(p, 1), np.zeros((2, 3)))
        compare(lambda m, x, p=p: x.norm(p), np.array([0.0, 2.0, -2.0, 0.0]))


def test_logsumexp_far_out():
    for data in ([1000.0, 1000.0], [-math.inf, -math.inf], [math.inf, 1.0], [-2000.0, 0.0]):
        compare(lambda m, x: x.logsumexp(0), np.array(data))


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
def test_dtype_of_results(function):
    for dtype in ("bool", "uint8", "int32", "int64", "float32", "float64"):
        agree(lambda m, dtype=dtype: function(m.tensor([3, 1, 2, 1], dtype=getattr(m, dtype))))


def test_scatter_makes_one_hot_rows():
    for m in (mc, __import__("torch")):
        labels = m.tensor([2, 0, 1])
        rows = m.zeros(3, 4).scatter_(1, labels.unsqueeze(1), 1)
        assert rows.argmax(1).tolist() == [2, 0, 1]
        assert rows.sum().item() == 3


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
    "index_add of one row": lambda m: m.zeros(3, 4).index_add(0, m.tensor([0, 1]), m.ones(1, 4)),
    "index_add of one column": lambda m: m.zeros(3, 4).index_add(0, m.tensor([0, 1]), m.ones(2, 1)),
    "index_add of a number": lambda m: m.zeros(3).index_add(0, m.tensor([0, 1]), m.ones(1)),
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
    refuse(ERRORS[name])
