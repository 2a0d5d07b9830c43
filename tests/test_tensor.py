"""The Tensor itself: creation, memory, conversions."""

import copy
import math
import operator

import numpy as np
import pytest
import torch

import minicnn as mc
from both import agree, alike

inf, nan = math.inf, math.nan


@pytest.mark.parametrize(
    "data",
    [
        1, 1.5, True, [1, 2], [1.0, 2], [True, False], [True, 2], [True, 2.5], [], [[]], [[1, 2], [3, 4]],
        ((1.5,), (2,)), [1e300, -1e-300], np.float32(2), np.int32(3), np.arange(3), np.arange(3.0),
        np.array(2.5, np.float32), np.zeros((0, 2)), [[np.float32(1)], [2.5]],
        np.arange(6).reshape(2, 3)[:, ::-1], range(3), 2**40,
    ],
)  # fmt: skip
def test_tensor(data):
    if isinstance(data, np.ndarray):
        alike(mc.tensor(data), torch.tensor(data.copy()))
    else:
        alike(mc.tensor(data), torch.tensor(data))
    for dtype in ("float64", "int32"):
        if np.abs(np.array(data)).max(initial=0) < 1e9:
            alike(
                mc.tensor(data, dtype=getattr(mc, dtype)),
                torch.tensor(np.array(data), dtype=getattr(torch, dtype)),
            )


def test_tensor_of_tensors():
    agree(lambda m: m.tensor([m.tensor(1.0), m.tensor(2)]))
    alike(mc.tensor(mc.tensor([1, 2])), torch.tensor([1, 2]))
    alike(mc.tensor([[mc.tensor(1), 2], [3, mc.tensor([4])[0]]]), torch.tensor([[1, 2], [3, 4]]))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ([[1], [1, 2]], ValueError),
        ([[1], 2], (TypeError, ValueError)),
        ("a", TypeError),
        ({}, (TypeError, RuntimeError)),
    ],
)
def test_data_that_is_no_tensor(data, kind):
    for m in (mc, torch):
        with pytest.raises(kind):
            m.tensor(data)


@pytest.mark.parametrize(
    "function",
    [
        lambda m: m.zeros(2, 3), lambda m: m.zeros((2, 3)), lambda m: m.ones([2, 3], dtype=m.int64),
        lambda m: m.zeros(()), lambda m: m.ones(0), lambda m: m.ones(2, requires_grad=True),
        lambda m: m.full((2,), 3), lambda m: m.full((2, 1), 2.5), lambda m: m.full((), True),
        lambda m: m.full((2,), 3, dtype=m.float64), lambda m: m.zeros_like(m.ones(2, dtype=m.int32)),
        lambda m: m.ones_like(m.zeros(2, 0), dtype=m.float64), lambda m: m.arange(5),
        lambda m: m.arange(5.0), lambda m: m.arange(2, 5), lambda m: m.arange(5, 2, -2),
        lambda m: m.arange(0, 1, 0.1), lambda m: m.arange(3, dtype=m.float64), lambda m: m.arange(0),
        lambda m: m.arange(1, 2.5), lambda m: m.zeros(np.int64(2)), lambda m: m.zeros(m.tensor(2), 1),
    ],
)  # fmt: skip
def test_constants(function):
    agree(function)


def test_empty_has_a_shape_and_a_dtype():
    assert mc.empty(2, 3).shape == (2, 3)
    assert mc.empty((2,), dtype=mc.int64).dtype == mc.int64


def test_random_numbers_follow_the_seed():
    def draw():
        mc.manual_seed(3)
        return [
            mc.rand(100),
            mc.randn(2, 50),
            mc.randint(2, 5, (100,)),
            mc.randperm(50),
            mc.randn(3, dtype=mc.float64),
        ]

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
        lambda x: x[0], lambda x: x[1, 2], lambda x: x[..., 1], lambda x: x[1:], lambda x: x[:, None],
        lambda x: x.reshape(-1), lambda x: x.view(3, 2), lambda x: x.T, lambda x: x.transpose(0, 1),
        lambda x: x.permute(1, 0), lambda x: x.unsqueeze(0), lambda x: x.flatten(), lambda x: x.detach(),
        lambda x: x.data, lambda x: x.squeeze(), lambda x: x.movedim(0, 1), lambda x: x[0].reshape(3)[1:][0],
        lambda x: x.contiguous(), lambda x: x.to(x.dtype), lambda x: next(iter(x)), lambda x: x[0, 0],
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


@pytest.mark.parametrize(
    "copied",
    [
        lambda x: x.clone(),
        lambda x: x[[0, 1]],
        lambda x: x[x == 0],
        lambda x: x + 0,
        lambda x: x.T.reshape(-1),
        lambda x: x.double(),
    ],
)
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
        assert (float(m.tensor(2)), int(m.tensor(2.7)), bool(m.tensor([0.0])), bool(m.tensor(3))) == (
            2.0,
            2,
            False,
            True,
        )
        assert [10, 20, 30][m.tensor(1)] == 20
        assert list(range(m.tensor(3))) == [0, 1, 2]
        assert [row.tolist() for row in m.tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
        assert (
            f"{m.tensor(1.23456):.2f} {m.tensor(3):03d} {m.tensor(1.5, requires_grad=True):.1f}"
            == "1.23 003 1.5"
        )
        assert f"{m.tensor([1, 2])}" == "tensor([1, 2])"
        assert (2 in m.tensor([1, 2]), 3 in m.tensor([1, 2])) == (True, False)


@pytest.mark.parametrize(
    "name", ["add", "sub", "mul", "div", "matmul", "eq", "ne", "lt", "le", "gt", "ge", "pow"]
)
def test_operators_by_name(name):
    agree(lambda m: getattr(m.tensor([1.0, 2.0, 3.0]), name)(m.tensor([3.0, 2.0, 1.0])))
    agree(lambda m: m.tensor([1.0, 2.0]).neg())


def test_numpy_on_the_other_side():
    array, x = np.array([1.0, 2.0]), mc.tensor([3.0, 4.0], dtype=mc.float64)
    for function in (
        operator.add,
        operator.sub,
        operator.mul,
        operator.truediv,
        operator.pow,
        operator.matmul,
    ):
        for result in (function(array, x), function(x, array)):
            assert isinstance(result, mc.Tensor)
        np.testing.assert_allclose(function(array, x).numpy(), function(array, x.numpy()))
        np.testing.assert_allclose(function(x, array).numpy(), function(x.numpy(), array))
    assert isinstance(array < x, mc.Tensor)
    y = np.float64(2) * mc.tensor([1.0, 2.0])
    assert isinstance(y, mc.Tensor)
    assert y.dtype == mc.float32
    assert y.tolist() == [2, 4]
    z = mc.tensor([1.0, 2.0], requires_grad=True)  # np.float64 is a float, and counts as a number here
    for result in (
        z * np.float64(2),
        z - np.float64(2),
        z ** np.float64(2),
        z.clamp(np.float64(1)),
        z / np.float64(2),
    ):
        assert result.dtype == mc.float32
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


@pytest.mark.parametrize(
    "data",
    [[1.0, 3, 3], [[1, 2], [2, 1], [2, 2]], [[0.0, -0.0]], [2, nan, 3, nan], [[True, False], [True, True]]],
)
def test_first_of_ties(data):
    ours, theirs = mc.tensor(data), torch.tensor(data)
    for dim in range(-ours.ndim, ours.ndim):
        for keepdim in (False, True):
            for name in ("max", "min"):
                for a, b in zip(
                    getattr(ours, name)(dim, keepdim), getattr(theirs, name)(dim, keepdim), strict=True
                ):
                    alike(a, b)
            if ours.dtype != bool:
                alike(ours.argmax(dim, keepdim), theirs.argmax(dim, keepdim))
                alike(ours.argmin(dim, keepdim), theirs.argmin(dim, keepdim))
    if ours.dtype != bool:
        alike(ours.argmax(), theirs.argmax())
        alike(ours.argmin(), theirs.argmin())


def test_argmax_of_no_dimensions_and_of_no_rows():
    alike(mc.tensor(3.0).argmax(), torch.tensor(3.0).argmax())
    alike(mc.tensor(3.0).argmax(0), torch.tensor(3.0).argmax(0))
    alike(mc.zeros(0, 3).argmax(1), torch.zeros(0, 3).argmax(1))
    alike(mc.zeros(0, 3).argmax(1, keepdim=True), torch.zeros(0, 3).argmax(1, keepdim=True))


def test_all_and_any():
    for data in ([True, True], [True, False], [0, 0], [0.0, nan], []):
        alike(mc.tensor(data).all(), torch.tensor(data).all())
        alike(mc.tensor(data).any(), torch.tensor(data).any())
