"""Operations in place: their gradients, and values changed behind the graph's back."""

import numpy as np
import pytest

import minicnn as mc
from both import BOTH, check, draw, leaf, values

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


PAIRS = [
    ((2, 3), (2, 3)),
    ((2, 3), (3,)),
    ((2, 3), (2, 1)),
    ((2, 3), ()),
    ((), ()),
    ((1,), ()),
    ((0, 2), (2,)),
]


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place(name):
    def function(m, x, y):
        z = x.clone()
        old = z * 3  # z is kept by no node here
        result = IN_PLACE[name](z, y)
        assert result is z
        return z * z, old * old, y * 1

    for shapes in PAIRS:
        check(function, *(draw(shape, "positive") for shape in shapes))


def test_in_place_on_a_constant_makes_it_a_result():
    def function(m, x):
        z = m.ones(2, 3, dtype=x.dtype)
        z += x
        z *= x
        return z

    check(function, draw((3,)))


@BOTH
def test_leaf_that_requires_grad_cannot_be_changed_in_place(m):
    x = leaf(m, 1.0, 2.0)
    writes = [
        lambda: x.__iadd__(1), lambda: x.__imul__(x.detach()), lambda: x.zero_(), lambda: x.fill_(2),
        lambda: x.copy_(m.ones(2)), lambda: x.add_(1), lambda: x.__setitem__(0, 1),
        lambda: x.__setitem__([0], 1.5), lambda: x.__setitem__(slice(0, 1), x[1:]), lambda: x.div_(2),
    ]  # fmt: skip
    for write in writes:
        with pytest.raises(RuntimeError, match="leaf"):
            write()
    assert values(x) == [1, 2]
    with m.no_grad():
        for write in writes[:3]:
            write()
        x[0] = 5
        x += 1
    assert values(x) == [6, 1]
    assert x.requires_grad
    assert x.is_leaf
    (x * x).sum().backward()
    assert values(x.grad) == [12, 2]


@BOTH
def test_in_place_chain(m):
    x = leaf(m, 2.0, 3.0)
    y = x * 1
    same = y
    y += x
    y -= 1
    y *= 3
    y /= 2
    assert y is same
    y.sum().backward()
    assert values(x.grad) == [3, 3]


def test_in_place_keeps_gradients_that_need_the_old_value():
    """PyTorch raises here; our nodes keep the old arrays."""
    x = leaf(mc, 2.0, 3.0)
    y = x * 1
    z = y * y  # keeps y
    y *= 10
    y.mul_(y)
    (z + y).sum().backward()  # x^2 + 100 x^2
    assert values(x.grad) == [4 + 400, 6 + 600]


@BOTH
def test_zeroed_and_filled_results_pass_no_gradient(m):
    for write in (
        lambda y: y.zero_(),
        lambda y: y.fill_(2),
        lambda y: y.copy_(m.ones(2)),
        lambda y: y.__setitem__(..., 0),
    ):
        x = leaf(m, 2.0, 3.0)
        y = x * x
        write(y)
        assert y.requires_grad
        (y * y).sum().backward()
        assert values(x.grad) == [0, 0]


@BOTH
def test_constant_takes_part_after_it_took_a_tracked_value(m):
    x = leaf(m, 2.0)
    total = m.zeros(1, dtype=m.float64)
    for i in range(3):
        total += x * i
    history = m.zeros(3, dtype=m.float64)
    for i in range(3):
        history[i] = total[0] * i
    assert total.requires_grad
    assert history.requires_grad
    history.sum().backward()
    assert values(x.grad) == [9]


@BOTH
def test_under_no_grad_results_are_written_in_place(m):
    x = leaf(m, 1.0, 2.0)
    y = x + 1
    view = y.detach()
    with m.no_grad():
        y *= 10
    assert values(view) == [20, 30]
    y.sum().backward()  # the write is not recorded, and add needs no values
    assert values(x.grad) == [1, 1]


STALE = {
    "an input, in no_grad": lambda m, x, w, y, z: x.add_(1),
    "an input that needs no gradient": lambda m, x, w, y, z: w.mul_(2),
    "an input, by an element": lambda m, x, w, y, z: w.__setitem__(0, 7),
    "an input, by a mask": lambda m, x, w, y, z: w.__setitem__(w > 0, 7),
    "an input, through a view": lambda m, x, w, y, z: w.reshape(2, 1)[0].zero_(),
    "an input, through an element's view": lambda m, x, w, y, z: w[1].zero_(),
    "an input, through detach": lambda m, x, w, y, z: x.detach().fill_(3),
    "a result, through detach": lambda m, x, w, y, z: z.detach().zero_(),
    "a result, in no_grad": lambda m, x, w, y, z: z.copy_(w),
    "a result between": lambda m, x, w, y, z: y.detach()[:1].add_(1),
    "first the one part, then the other": lambda m, x, w, y, z: (w[:1].add_(1), w[1:].add_(1)),
}


@BOTH
@pytest.mark.parametrize("name", STALE)
def test_values_changed_behind_the_graph_are_noticed(m, name):
    x, w = leaf(m, 1.0, 2.0), m.tensor([3.0, 4.0], dtype=m.float64)
    y = x * w  # keeps w
    z = (y * y * x).exp()  # keeps y, x and z
    with m.no_grad():
        STALE[name](m, x, w, y, z)
    with pytest.raises(RuntimeError, match=r"modified by an in-?place"):
        z.sum().backward()


@BOTH
def test_earlier_write_to_a_kept_part_is_noticed(m):
    """A node keeps a part of the memory: whatever is written last, an earlier write to that part counts."""
    x, w = leaf(m, 1.0, 2.0), m.arange(6, dtype=m.float64)
    y = x * w[0:2]
    w[0:2].mul_(10)
    w[4:6].mul_(10)
    with pytest.raises(RuntimeError, match=r"modified by an in-?place"):
        y.sum().backward()


@BOTH
def test_harmless_writes_are_allowed(m):
    x, w = leaf(m, 1.0, 2.0), m.tensor([3.0, 4.0], dtype=m.float64)
    y = x + w  # keeps nothing
    z = y * w.clone()
    a = x.relu() * 2
    with m.no_grad():
        w.zero_()
        y.zero_()
        a.zero_()
    (z + a).sum().backward()
    assert values(x.grad) == [5, 6]


@BOTH
def test_copying_reshape_is_memory_of_its_own(m):
    x, w = leaf(m, 1.0, 2.0, 3.0, 4.0), m.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=m.float64)
    copied = w.T.reshape(-1)
    y = x * copied
    w.zero_()
    y.sum().backward()
    assert values(x.grad) == [1, 3, 2, 4]
    y = x * copied
    copied.zero_()
    w.zero_()  # the last write, but not the one that matters
    with pytest.raises(RuntimeError, match=r"modified by an in-?place"):
        y.sum().backward()


@BOTH
def test_in_place_keeps_the_dtype(m):
    x, y = leaf(m, 1.0, 2.0, dtype="float32"), leaf(m, 3.0, 4.0)
    z, constant = x * 1, m.zeros(2)
    z += y
    constant += y
    z[0] = y[1]
    assert z.dtype == constant.dtype == m.float32
    (z + constant).sum().backward()
    assert values(x.grad) == [0, 1]
    assert values(y.grad) == [1, 3]
    assert x.grad.dtype == m.float32
    assert y.grad.dtype == m.float64


def test_gradient_in_a_graph_is_guarded_too():
    x, w = leaf(mc, 1.0, 2.0), leaf(mc, 3.0, 4.0)
    x.sum().backward()
    penalty = x.grad * w
    x.sum().backward()  # adds to x.grad in place
    with pytest.raises(RuntimeError, match="in-place"):
        penalty.sum().backward()


def test_index_changed_later_does_not_matter():
    x, index = leaf(mc, 1.0, 2.0, 3.0), mc.tensor([0, 0, 2])
    array = index.numpy()
    y, z = x[index] * 2, x[array] * 3
    index.fill_(1)
    (y.sum() + z.sum()).backward()
    assert values(x.grad) == [10, 0, 5]


def test_every_operator_is_in_place():
    x = mc.tensor([3.0, 2.0])
    alias, view = x, x[:1]
    x **= 2
    assert x is alias
    assert view.tolist() == [9]
    mask = mc.tensor([True, False])
    alias = mask
    mask &= mc.tensor([True, True])
    mask |= mc.tensor([False, False])
    mask ^= mc.tensor([True, False])
    assert mask is alias
    assert mask.tolist() == [False, False]
    leaf = mc.tensor([3.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        leaf **= 2


@pytest.mark.parametrize("holder", ["numpy", "detach", "view", "data", "array"])
def test_whoever_sees_the_memory_sees_what_is_written(holder):
    x = mc.zeros(3, 4)
    seen = {
        "numpy": lambda: x.numpy(),
        "detach": lambda: x.detach(),
        "view": lambda: x[1:],
        "data": lambda: x.data,
        "array": lambda: x.array,
    }[holder]()
    with mc.no_grad():
        x += 1
        x.mul_(2).relu_()
    np.testing.assert_array_equal(np.asarray(seen), 2)


def test_memory_that_only_one_tensor_sees_is_exchanged_rather_than_copied():
    x, kept = mc.zeros(3, 4), mc.ones(4, 3).t()
    where = x.array.ctypes.data
    x += 1
    assert x.array.ctypes.data != where
    strides = kept.array.strides
    kept += 1  # not row by row: stays as it is
    assert kept.array.strides == strides
    np.testing.assert_array_equal(kept.array, 2)


def test_out_does_not_make_two_tensors_share_memory():
    x, out = mc.ones(3), mc.zeros(3)
    mc.abs(x, out=out)
    x += 1
    np.testing.assert_array_equal(out.array, 1)
