"""Gradients asked for in other ways than backward and .grad; and values written into views."""

import copy
import pickle

import numpy as np
import pytest
import torch

import minicnn as mc
from both import BOTH, leaf, values

WRITES = {
    "multiply a row": lambda m, y, w: y[0].mul_(2),
    "set in a row": lambda m, y, w: y[0].__setitem__(1, 7),
    "part of a flat view": lambda m, y, w: y.view(-1)[2:5].mul_(w),
    "add to a column": lambda m, y, w: y.t()[1].add_(5),
    "a view twice": lambda m, y, w: y[1].mul_(w).add_(1),
    "zero": lambda m, y, w: y[0].zero_(),
    "activation in place": lambda m, y, w: m.nn.functional.relu(y[:, 1:].sub_(3), inplace=True),
    "diagonal": lambda m, y, w: y.diagonal().mul_(w[:2]),
    "permuted": lambda m, y, w: y.unsqueeze(0).permute(2, 0, 1)[2].copy_(w[None, :2]),
}


@pytest.mark.parametrize("name", WRITES)
def test_write_into_a_view_of_a_result(name):
    """The Tensor that the view shows has the new values, and their gradients."""
    found = []
    for m in (mc, torch):
        x, w = leaf(m, 0, 1, 2, 3, 4, 5), leaf(m, 2, 3, 4)
        y = x.reshape(2, 3) * 1
        WRITES[name](m, y, w)
        (y * m.arange(6).reshape(2, 3)).sum().backward()
        found.append((values(y), values(x.grad), values(w.grad)))
    assert found[0] == found[1]


@BOTH
def test_write_into_a_view_of_a_constant(m):
    """The constant becomes a result of what is written."""
    w, buffer = leaf(m, 2, 3), m.zeros(3, 2, dtype=m.float64)
    buffer.view(-1)[2:4] = w
    buffer[2].copy_(w * 2)
    (buffer * m.arange(6).reshape(3, 2)).sum().backward()
    assert values(buffer) == [[0, 0], [2, 3], [4, 6]]
    assert values(w.grad) == [2 + 2 * 4, 3 + 2 * 5]


@BOTH
def test_a_view_of_a_leaf_is_not_written(m):
    x = leaf(m, 1, 2, 3)
    with pytest.raises(RuntimeError, match="leaf"):
        x[:2].mul_(2)
    with m.no_grad():
        x[:2].mul_(2)
    assert values(x) == [2, 4, 3]


@BOTH
def test_views_see_what_is_written_into_their_base(m):
    x = leaf(m, 1, 2, 3, 4)
    y = x * 1
    row, flat = y.view(2, 2)[0], y.view(-1)
    y.mul_(2)
    flat.squeeze().add_(1)
    y[3] = 5
    assert (values(row), values(flat)) == ([3, 5], [3, 5, 7, 5])
    empty = y[4:]
    empty *= 2
    (row.sum() + (flat * flat).sum()).backward()
    assert values(x.grad) == [2 + 2 * 3 * 2, 2 + 2 * 5 * 2, 2 * 7 * 2, 0]


def test_a_view_of_a_constant_that_has_new_memory_is_not_written():
    x, y = leaf(mc, 1, 2), mc.zeros(2, dtype=mc.float64)
    row = y[:1]
    y += x
    with pytest.raises(RuntimeError, match="view"):
        row *= x[:1]


@BOTH
def test_grad(m):
    x, unused = leaf(m, 1, 2), leaf(m, 1)
    y = x * x
    z = (y * 3).sum()
    by_x, by_y = m.autograd.grad(z, (x, y), retain_graph=True)
    assert (values(by_x), values(by_y)) == ([6, 12], [3, 3])
    assert x.grad is None
    (by_x,) = m.autograd.grad([y, z], x, [m.ones(2, dtype=m.float64), None], retain_graph=True)
    assert values(by_x) == [8, 16]
    assert m.autograd.grad(z, [unused], allow_unused=True, retain_graph=True) == (None,)
    for outputs, inputs in ((z, unused), (x.detach(), x), (y, x), (z, x.detach())):
        with pytest.raises(RuntimeError):
            m.autograd.grad(outputs, inputs, retain_graph=True)
    m.autograd.grad(z, x)
    with pytest.raises(RuntimeError):  # its graph is gone
        m.autograd.grad(z, x)


def test_gradients_of_gradients_are_refused():
    x = leaf(mc, 1)
    with pytest.raises(NotImplementedError, match="create_graph"):
        mc.autograd.grad(x * x, x, create_graph=True)
    with pytest.raises(NotImplementedError, match="create_graph"):
        (x * x).backward(create_graph=True)
    with pytest.raises(NotImplementedError, match="only_inputs"):
        mc.autograd.grad(x * x, x, only_inputs=False)
    (by_x,) = mc.autograd.grad((x * x).sum(), x, only_inputs=True)
    assert np.array_equal(by_x.numpy(), 2 * x.detach().numpy())


@BOTH
def test_backward_of_several(m):
    x = leaf(m, 1, 2)
    m.autograd.backward([x.sum(), x * x], [None, m.ones(2, dtype=m.float64)])
    assert values(x.grad) == [3, 5]


@BOTH
def test_hooks_and_kept_gradients(m):
    x, seen = leaf(m, 1, 2), []
    y = x * x
    y.retain_grad()
    assert y.retains_grad
    assert not x.retains_grad
    first = x.register_hook(lambda grad: seen.append(values(grad)))
    x.register_hook(lambda grad: grad * 2)
    y.register_hook(lambda grad: grad + 1)
    y.sum().backward(retain_graph=True)
    assert (values(y.grad), values(x.grad), seen) == ([2, 2], [8, 16], [[4, 8]])
    first.remove()
    y.sum().backward()
    assert (values(y.grad), values(x.grad), len(seen)) == ([4, 4], [16, 32], 1)
    with pytest.raises(RuntimeError):
        m.ones(1).register_hook(print)
    with pytest.raises(RuntimeError):
        m.ones(1).retain_grad()


def square(m, new):
    """x * x * k in PyTorch's form of a user's function, the older and the newer."""

    class Square(m.autograd.Function):
        @staticmethod
        def forward(*args):
            ctx, x, k = (None, *args) if new else args
            if not new:
                ctx.save_for_backward(x)
                ctx.k = k
            return x * x * k

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            assert ctx.needs_input_grad == (True, False)
            return grad * 2 * x * ctx.k, None

    if new:

        def setup_context(ctx, inputs, output):
            x, ctx.k = inputs
            ctx.save_for_backward(x)

        Square.setup_context = staticmethod(setup_context)
    return Square


@pytest.mark.parametrize("new", [False, True])
@BOTH
def test_function_of_a_user(m, new):
    x, function = leaf(m, 1, 2), square(m, new)
    y = function.apply(x, 3)
    assert y.requires_grad
    (y * m.tensor([1.0, 10.0])).sum().backward()
    assert (values(y), values(x.grad)) == ([3, 12], [6, 120])
    with m.no_grad():
        assert not function.apply(x, 3).requires_grad
    assert not function.apply(x.detach(), 3).requires_grad


def test_function_of_a_user_refuses():
    class Pair(mc.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x, x

    class Short(mc.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, grad):
            return grad

    x = leaf(mc, 1)
    with pytest.raises(NotImplementedError, match=r"Pair: expected one Tensor .* got tuple"):
        Pair.apply(x)
    with pytest.raises(RuntimeError, match=r"Short\.backward: expected 2 gradients, got 1"):
        Short.apply(x, x).backward()


@BOTH
def test_what_may_not_be_set(m):
    x = leaf(m, 1, 2)
    with pytest.raises(RuntimeError):
        m.ones(2, dtype=m.int64).requires_grad = True
    with pytest.raises(RuntimeError):
        (x * 2).requires_grad = False
    with pytest.raises(RuntimeError):
        x.grad = m.ones(3, dtype=m.float64)
    with pytest.raises(RuntimeError):
        x.grad = m.ones(2)
    with pytest.raises(TypeError):
        x.grad = np.ones(2)
    with pytest.raises(RuntimeError):
        copy.deepcopy(x * 2)
    x.grad = m.ones(2, dtype=m.float64)
    other = copy.deepcopy(x)
    other.grad.zero_()
    assert (values(other), values(x.grad), other.requires_grad) == ([1, 2], [1, 1], True)


@BOTH
def test_taken_out_of_the_graph(m):
    x = leaf(m, 1, 2)
    y = x * 2
    assert y.detach_() is y
    assert (y.requires_grad, y.is_leaf, y.grad_fn) == (False, True, None)


def test_pickle():
    parameter = mc.nn.Parameter(mc.arange(6.0).reshape(2, 3))
    parameter.grad = mc.ones(2, 3)
    for x in (parameter, parameter[1:] * 2, mc.arange(3)):
        again = pickle.loads(pickle.dumps(x))
        assert type(again) is type(x)
        assert (values(again), again.dtype, again.requires_grad) == (values(x), x.dtype, x.requires_grad)
        assert again.is_leaf
        assert again.grad is None
