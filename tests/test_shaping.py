"""Any index against NumPy and PyTorch, and elements that are set."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minicnn as mc
from both import BOTH, check, compare, draw


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


@BOTH
def test_any_sequence_of_places_is_written(m):
    x, w = m.zeros(5), m.zeros(3, 3, 2, 2)
    x[range(3)] = 1.0
    w[range(3), (0, 1, 2), :, :] = m.ones(2, 2)
    y = m.ones(4, requires_grad=True)
    z = y * 2
    z[range(2)] = 0.0
    z.sum().backward()
    assert (x.tolist(), w.sum().item(), y.grad.tolist()) == ([1, 1, 1, 0, 0], 12, [0, 0, 2, 2])
    assert x[range(0)].shape == (0,)


class Places:
    """A sequence of no type that is known."""

    def __len__(self):
        return 2

    def __getitem__(self, i):
        return [0, 2][i]


def test_a_sequence_of_any_type_is_written_as_it_is_read():
    x = mc.zeros(4)
    x[Places()] = 1.0
    assert (x.tolist(), x[Places()].tolist()) == ([1, 0, 1, 0], [1, 1])
    with pytest.raises(IndexError, match="index: expected integers"):
        x["a"] = 1.0
