"""Dropout of elements, channels and branches: what is dropped together, how often, and the gradient."""

import numpy as np
import pytest
import torch

import minicnn as mc
import minicnn.nn as nn
import minicnn.nn.functional as F

# function, shape, axes along which all elements share one fate
CASES = [
    (lambda x, p: F.dropout(x, p), (30, 40), ()),
    (lambda x, p: F.dropout1d(x, p), (20, 30, 5), (2,)),
    (lambda x, p: F.dropout1d(x, p), (600, 5), (1,)),
    (lambda x, p: F.dropout2d(x, p), (20, 30, 3, 5), (2, 3)),
    (lambda x, p: F.dropout2d(x, p), (20, 30, 5), (2,)),
    (lambda x, p: F.stochastic_depth(x, p, "row"), (600, 3, 5), (1, 2)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
@pytest.mark.parametrize(("function", "shape", "together"), CASES)
def test_what_is_dropped(function, shape, together, p, dtype):
    x = mc.Tensor(np.full(shape, 3, dtype), requires_grad=True)
    y = function(x, p)
    out = y.detach().numpy()
    assert out.dtype == dtype
    np.testing.assert_allclose(np.unique(out), [0, 3 / (1 - p)], rtol=1e-6)
    assert (np.ptp(out, axis=together) == 0).all() if together else True
    fates = out.min(axis=together) == 0
    assert abs(fates.mean() - p) < 5 * np.sqrt(p * (1 - p) / fates.size)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), out / 3, rtol=1e-6)


def test_batches_are_dropped_whole():
    means = [F.stochastic_depth(mc.ones(5, 3), 0.5, "batch").array for _ in range(60)]
    assert all(np.ptp(y) == 0 for y in means)
    assert sorted(set(y[0, 0] for y in means)) == [0, 2]


@pytest.mark.parametrize(("function", "shape", "together"), CASES)
def test_certain_cases(function, shape, together):
    x = mc.ones(*shape)
    assert not function(x, 1.0).array.any()
    assert function(x, 0.0) is x


@pytest.mark.parametrize("name", ["dropout", "dropout1d", "dropout2d"])
def test_outside_training_and_in_place(name):
    x = mc.ones(30, 20, 5)
    assert getattr(F, name)(x, 0.5, training=False) is x
    y = getattr(F, name)(x, 0.5, inplace=True)
    assert y is x
    assert set(np.unique(x.array)) == {0, 2}
    assert F.stochastic_depth(x, 0.5, "row", training=False) is x


@pytest.mark.parametrize("name", ["Dropout", "Dropout1d", "Dropout2d"])
def test_layers(name):
    for settings in ({}, {"p": 0.3, "inplace": True}):
        assert repr(getattr(nn, name)(**settings)) == repr(getattr(torch.nn, name)(**settings))
    layer, x = getattr(nn, name)(0.5), mc.ones(20, 30, 5)
    assert 0.3 < (layer(x).array == 0).mean() < 0.7
    assert layer.eval()(x) is x


def test_stochastic_depth_layer():
    layer, x = nn.StochasticDepth(0.5, "row"), mc.ones(400, 2)
    assert repr(layer) == "StochasticDepth(p=0.5, mode=row)"  # as torchvision prints it
    assert 0.4 < (layer(x).array[:, 0] == 0).mean() < 0.6
    assert layer.eval()(x) is x


def test_the_seed_decides():
    drawn = []
    for seed in (5, 5, 6):
        mc.manual_seed(seed)
        drawn.append(F.dropout2d(mc.ones(9, 9, 2, 2)).tolist())
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: F.dropout2d(mc.ones(3)), RuntimeError, r"dropout2d: expected at least 2 dim.*\(3,\)"),
        (lambda: F.dropout1d(mc.ones(3)), RuntimeError, r"dropout1d: expected .*got \(3,\)"),
        (lambda: F.dropout2d(mc.ones(2, 2), -0.1), ValueError, "dropout2d: the probability .*-0.1"),
        (lambda: F.dropout2d(mc.ones(2, 2).long()), RuntimeError, "dropout2d: .*floating point.*int64"),
        (lambda: F.stochastic_depth(mc.ones(2), 1.5, "row"), ValueError, "stochastic_depth: .*got 1.5"),
        (lambda: F.stochastic_depth(mc.ones(2), 0.5, "column"), ValueError, "mode .*got 'column'"),
        (lambda: F.stochastic_depth([1.0], 0.5, "row"), TypeError, "Tensor, got list"),
        (lambda: nn.Dropout2d(2), ValueError, "Dropout2d: the probability .*got 2"),
    ],
)
def test_dropout_refuses(make, kind, words):
    with pytest.raises(kind, match=words):
        make()
