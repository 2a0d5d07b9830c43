"""Reshaping, joining, indexing and setting elements: values and gradients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minicnn as mc
from both import check, compare, draw


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
    """Against NumPy; as in PyTorch, steps are positive."""
    x = draw(data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)))
    index = data.draw(hnp.basic_indices(x.shape, allow_newaxis=True))
    t = mc.tensor(x, requires_grad=True)
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(i, slice) and (i.step or 1) < 1 for i in parts):
        with pytest.raises(ValueError, match="step"):
            t[index]
        return
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
    compare(lambda m, x: x[tuple(m.tensor(np.asarray(i, np.int64)) for i in arrays)], x)


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
        (lambda m: (slice(None), 2), (3, 2)), (lambda m: (..., slice(0, 1)), (3, 4, 1)),
        (lambda m: ..., (3, 1, 2)), (lambda m: (1, 2, 0), ()), (lambda m: (1, 2, 0), (1,)),
        (lambda m: slice(1, 1), (2,)), (lambda m: None, (1, 3, 4, 2)), (lambda m: [2, 0], (2, 4, 2)),
        (lambda m: m.tensor([2, 0]), (2,)), (lambda m: ([0, 1], [1, 3]), (2, 2)),
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
