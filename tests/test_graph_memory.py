"""Long graphs, and what a graph keeps in memory."""

import gc
import weakref

import numpy as np
import pytest

import minicnn as mc
from both import leaf, values
from minicnn.autograd import Function


def test_chain_of_100_000_nodes():
    x = leaf(mc, 1.0)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.backward()
    assert values(x.grad) == [1]
    for _ in range(10):
        y = y * 1
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()


def test_long_chain_is_let_go_without_backward():
    x = leaf(mc, 1.0)
    y = x
    for _ in range(100_000):
        y = y * 1
    z = y.exp()
    del y, z
    gc.collect()
    assert values(x * 2) == [2]


def test_long_chain_in_place():
    x = leaf(mc, 1.0)
    y = x * 1
    for i in range(5_000):
        y *= 1
        y[0] = y[0] + (i == 0)
    y.backward()
    assert values(x.grad) == [1]


def kept(result):
    """The arrays that the graph behind a result holds on to."""
    arrays, nodes = [], [result.grad_fn]
    while nodes:
        node = nodes.pop()
        arrays += [value for value in vars(node).values() if isinstance(value, np.ndarray)]
        nodes += [need[0] for need in node.needs or () if need is not None and isinstance(need[0], Function)]
    return arrays


def test_nodes_and_arrays_go_with_backward():
    x = leaf(mc, 1.0, 2.0)
    y = (x * x).exp()
    loss = (y * 3).sum()
    arrays = [weakref.ref(array) for array in kept(loss) if array is not x.array]
    nodes = [weakref.ref(y.grad_fn), weakref.ref(loss.grad_fn)]
    assert len(arrays) == 1
    del y
    assert arrays[0]() is not None
    gc.disable()
    try:
        loss.backward()
        assert arrays[0]() is None
        assert nodes[0]() is None  # it was below; the loss holds its own node only
        del loss
        assert nodes[1]() is None
    finally:
        gc.enable()


def test_arrays_go_with_backward_although_the_node_stays():
    x = leaf(mc, 1.0, 2.0)
    y = (x * 2) ** 2
    array = weakref.ref(y.grad_fn.x)
    assert array() is not None
    y.sum().backward(retain_graph=True)
    assert array() is not None
    y.sum().backward()
    assert array() is None


def test_no_cycles():
    """A graph that nobody needs goes at once, without the garbage collector."""
    x = leaf(mc, 1.0, 2.0)
    y = x * 2
    y += x
    y[0] = x[1]
    node = weakref.ref(y.grad_fn)
    gc.disable()
    try:
        del y
        assert node() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (lambda x, w: x + w, 0), (lambda x, w: x - w, 0), (lambda x, w: x.sum(), 0),
        (lambda x, w: x.mean(0), 0), (lambda x, w: x.reshape(-1), 0), (lambda x, w: x.T, 0),
        (lambda x, w: x[0], 0), (lambda x, w: x * 3, 0), (lambda x, w: x / 3, 0),
        (lambda x, w: x.expand(2, 2, 2), 0), (lambda x, w: mc.cat([x, w]), 0), (lambda x, w: -x, 0),
        (lambda x, w: x.clone(), 0), (lambda x, w: x.double().float(), 0), (lambda x, w: x * w, 1),
        (lambda x, w: w * x, 1), (lambda x, w: x / w, 1), (lambda x, w: x @ w, 1), (lambda x, w: w @ x, 1),
        (lambda x, w: x.exp(), 1), (lambda x, w: x * x, 1), (lambda x, w: w / x, 2),
        (lambda x, w: w * w, None),
    ],
)  # fmt: skip
def test_no_more_is_kept_than_needed(function, count):
    x, w = mc.ones(2, 2, requires_grad=True), mc.ones(2, 2)
    result = function(x, w)
    if count is None:
        assert result.grad_fn is None
    else:
        assert len({id(array) for array in kept(result)}) == count


def test_nothing_is_recorded_without_need():
    x = mc.ones(2, requires_grad=True)
    with mc.no_grad():
        y = (x * x).exp()
    assert y.grad_fn is None
    assert not y.requires_grad
    reference = weakref.ref(y)
    del y
    assert reference() is None
