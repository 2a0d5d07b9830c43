"""The graph: how gradients flow and add up, what is freed, Functions of one's own."""

import numpy as np
import pytest
import torch

import minicnn as mc
from both import BOTH, leaf, values
from minicnn.autograd import Function
from minicnn.tensor import apply


@BOTH
def test_diamond(m):
    x = leaf(m, 1.0, 2.0)
    y = x * 3
    a, b = y * y, y + 1
    (a * b + y).sum().backward()  # f = 27 x^3 + 9 x^2 + 3 x
    assert values(x.grad) == [81 + 18 + 3, 81 * 4 + 18 * 2 + 3]


@BOTH
def test_deep_diamonds_are_visited_once(m):
    x = leaf(m, 1.0)
    y = x
    for _ in range(60):  # 2 ** 60 paths
        y = y + y
    y.backward()
    assert values(x.grad) == [2.0**60]


@BOTH
def test_same_tensor_twice(m):
    x = leaf(m, 2.0, 3.0)
    (x * x + x - x / x).sum().backward()
    assert values(x.grad) == [5, 7]


@BOTH
def test_gradients_add_up_until_they_are_reset(m):
    x = leaf(m, 1.0, 2.0)
    for _ in range(3):
        (x * x).sum().backward()
    assert values(x.grad) == [6, 12]
    first = x.grad
    x.sum().backward()
    assert x.grad is first
    x.grad.zero_()
    x.sum().backward()
    assert values(x.grad) == [1, 1]
    x.grad = None
    x.sum().backward()
    assert values(x.grad) == [1, 1]


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: x + y, lambda x, y: x - y, lambda x, y: (x + y) + (x + y),
        lambda x, y: x.reshape(2, 2) + y.reshape(2, 2), lambda x, y: (x.clone() + y).clone(),
        lambda x, y: x.reshape(4).expand(1, 4) + y, lambda x, y: x[...] + y[...],
    ],
)  # fmt: skip
def test_no_two_gradients_share_memory(function):
    """PyTorch lets some of these share it."""
    x, y = leaf(mc, 1.0, 2.0, 3.0, 4.0), leaf(mc, 5.0, 6.0, 7.0, 8.0)
    z = function(x, y)
    upstream = mc.ones(*z.shape, dtype=mc.float64)
    z.backward(upstream)
    before = values(y.grad)
    x.grad.zero_()
    upstream.zero_()
    assert values(y.grad) == before
    y.grad.fill_(7)
    assert values(x.grad) == [0, 0, 0, 0]
    assert not upstream.any()


@pytest.mark.parametrize(
    "function", [lambda x: x.clone(), lambda x: x.clone().clone(), lambda x: x.reshape(2)]
)
def test_upstream_gradient_is_not_taken_over(function):
    x, upstream = leaf(mc, 1.0, 2.0), mc.tensor([3.0, 4.0], dtype=mc.float64)
    function(x).backward(upstream)
    function(x).backward(upstream)
    assert values(x.grad) == [6, 8]
    assert values(upstream) == [3, 4]


@BOTH
def test_gradient_of_a_leaf_is_not_the_upstream(m):
    x, upstream = leaf(m, 1.0, 2.0), m.tensor([3.0, 4.0], dtype=m.float64)
    x.backward(upstream)
    x.backward(upstream)
    assert values(x.grad) == [6, 8]
    assert values(upstream) == [3, 4]


@BOTH
def test_gradients_through_branches_of_other_lengths(m):
    x, y = leaf(m, 2.0), leaf(m, 3.0)
    a = x * y
    b = a
    for _ in range(5):
        b = b * 1
    (a * b).sum().backward()
    assert values(x.grad) == [2 * 2 * 9]
    assert values(y.grad) == [2 * 3 * 4]


@BOTH
def test_backward_wants_a_gradient_unless_there_is_one_element(m):
    x = leaf(m, 1.0, 2.0)
    with pytest.raises(RuntimeError):
        (x * 2).backward()
    (x * 2).backward(m.tensor([1.0, 10.0], dtype=m.float64))
    assert values(x.grad) == [2, 20]
    (x[:1].reshape(1, 1) * 3).backward()
    assert values(x.grad) == [5, 20]
    with pytest.raises(RuntimeError, match="shape"):
        (x * 2).backward(m.ones(3, dtype=m.float64))


@BOTH
def test_backward_without_anything_that_requires_grad(m):
    x = m.ones(1)
    for y in (x, x * 2, leaf(m, 1.0).detach() * 2, leaf(m, 1.0) > 0):
        with pytest.raises(RuntimeError, match="does not require grad"):
            y.sum().backward()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_have_their_inputs_dtypes(dtype):
    for m in (mc, torch):
        x, y = leaf(m, 1.0, 2.0, 4.0, dtype=dtype), m.tensor(3.0, dtype=m.float64, requires_grad=True)
        z = (
            x.mean() * x.var() / 3
            + (x * y / 2).sum()
            + (x.double() * y).float().sum()
            + x.std() ** 2
            + x.softmax(0)[0]
        )
        (
            z + x.max() + x.log_softmax(0)[1] + m.maximum(x, x * 2).sum() + m.where(x > 1, x, 1.0).mean()
        ).backward()
        assert x.grad.dtype == x.dtype
        assert y.grad.dtype == y.dtype
        if m is mc:
            ours = values(x.grad), values(y.grad)
    np.testing.assert_allclose(ours[0], values(x.grad), rtol=1e-5)
    np.testing.assert_allclose(ours[1], values(y.grad), rtol=1e-5)


@BOTH
def test_only_what_requires_grad_gets_one(m):
    x, y, frozen = leaf(m, 2.0), leaf(m, 3.0), m.tensor([5.0], dtype=m.float64)
    z = x * frozen + y.detach() * x
    z.sum().backward()
    assert values(x.grad) == [8]
    assert y.grad is None
    assert frozen.grad is None
    assert not (frozen * 2).requires_grad
    assert x.is_leaf
    assert not z.is_leaf


def test_gradients_of_results_are_not_kept():
    x = leaf(mc, 2.0)
    y = x * x
    y.sum().backward()
    assert y.grad is None


@BOTH
def test_requires_grad_can_be_set_and_unset(m):
    x = m.ones(2)
    assert x.requires_grad_() is x
    assert (x * 2).requires_grad
    x.requires_grad_(False)
    assert not (x * 2).requires_grad
    x.requires_grad = True
    y = x * 2
    assert y.requires_grad
    with pytest.raises(RuntimeError):
        y.requires_grad_(False)
    x.requires_grad_(False)  # frozen after the forward pass: no gradient any more
    y.sum().backward()
    assert x.grad is None


@BOTH
def test_detach_cuts_the_graph_and_shares_the_memory(m):
    x = leaf(m, 2.0, 3.0)
    y = x * x
    z = y.detach()
    assert z.is_leaf
    assert not z.requires_grad
    (y * z).sum().backward()
    assert values(x.grad) == [4 * 4, 6 * 9]
    z.requires_grad_()
    (z * 2).sum().backward()
    assert values(z.grad) == [2, 2]
    assert values(x.grad) == [16, 54]


# freed graphs


def test_freed_graph_says_so():
    x = leaf(mc, 2.0)
    y = x * x
    y.backward()
    for z in (y, y * 2, (y + 1).exp()):
        with pytest.raises(RuntimeError, match=r"Mul was freed.*retain_graph=True"):
            z.backward()
    assert values(x.grad) == [4]


@BOTH
def test_retain_graph(m):
    x = leaf(m, 2.0)
    y = x * x
    z = y.exp()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    z.backward()
    np.testing.assert_allclose(values(x.grad), 4 + 4 + 4 * np.exp(4))
    with pytest.raises(RuntimeError):
        y.backward()


@BOTH
def test_results_that_were_not_part_of_it_stay(m):
    x = leaf(m, 2.0)
    y, other = x * x, x * 3
    y.backward()
    other.backward()
    assert values(x.grad) == [7]


class Scale(Function):
    def forward(self, x, factor):
        self.factor = factor
        return x * factor

    def backward(self, grad):
        assert [need is not None for need in self.needs] == [True]
        return grad * self.factor


class Shared(Function):
    """x + y; both get the very same array as their gradient."""

    def forward(self, x, y, nothing=None):
        return x + y

    def backward(self, grad):
        out = grad * 2
        return out, out


def test_function_of_ones_own():
    x = leaf(mc, 1.0, 2.0)
    apply(Scale, x, factor=3).sum().backward()
    assert values(x.grad) == [3, 3]


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: apply(Shared, x, y, None) + x * 0,
        lambda x, y: x * 0 + apply(Shared, x, y, None),
        lambda x, y: apply(Shared, x, y),
        lambda x, y: apply(Shared, y, x) + y * 0,
    ],
)
def test_function_may_give_one_array_twice(function):
    x, y = leaf(mc, 1.0, 2.0), leaf(mc, 3.0, 4.0)
    function(x, y).sum().backward()
    assert values(x.grad) == values(y.grad) == [2, 2]
    x.grad.zero_()
    assert values(y.grad) == [2, 2]
    z = leaf(mc, 1.0)
    apply(Shared, z, z).backward()
    assert values(z.grad) == [4]


class Views(Function):
    """x; `of` says what its gradient, which is 1 everywhere, is a view of."""

    def forward(self, x, of, seen):
        self.of, self.seen = of, seen
        return x * 1

    def backward(self, grad):
        whole = np.ones((grad.size + 1 if self.of == "a larger array" else grad.size,), grad.dtype)
        self.seen.append(whole.ctypes.data)
        if self.of == "an array that is kept":
            self.seen.append(whole)
        if self.of == "a view that is kept":
            self.seen.append(whole[::-1])
        return whole[: grad.size].reshape(grad.shape)


@pytest.mark.parametrize("of", ["its own", "a larger array", "an array that is kept", "a view that is kept"])
def test_a_leaf_takes_a_gradient_that_nobody_else_has(of):
    """Its memory, that is, in whatever shape; the others are copied."""
    x, seen = mc.ones(2, 3).requires_grad_(), []
    apply(Views, x, of=of, seen=seen).sum().backward()
    assert (x.grad.numpy().ctypes.data == seen[0]) == (of == "its own")
    x.grad.mul_(2)
    assert all((kept == 1).all() for kept in seen[1:])


def test_function_without_a_derivative():
    class Nothing(Function):
        def forward(self, x):
            return x * 2

        def backward(self, grad):
            return None

    x = leaf(mc, 1.0)
    (apply(Nothing, x) + x).sum().backward()
    assert values(x.grad) == [1]


@pytest.mark.parametrize("shape", [(3,), (), (1, 2, 2), (2, 1)])
def test_gradient_of_a_wrong_shape_is_refused(shape):
    class Wrong(Function):
        def forward(self, x):
            return x * 2

        def backward(self, grad):
            return np.zeros(shape)

    x = mc.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"Wrong.backward: gradient has shape .*, its input has \(2, 3\)"):
        apply(Wrong, x).sum().backward()


def test_failure_in_forward_leaves_nothing_behind():
    x = mc.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError):
        x @ x
    (x * 2).sum().backward()
    assert values(x.grad) == [[2] * 3] * 2


def test_users_floating_point_settings_stay():
    with np.errstate(all="raise"):
        y = 1 / mc.zeros(2, requires_grad=True)
        y.log().sum().backward()
        assert y.tolist() == [np.inf] * 2
        with pytest.raises(FloatingPointError):
            np.ones(1) / np.zeros(1)
