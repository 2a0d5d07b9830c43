"""Normalisation: numbers far from zero, starting values, running statistics, and what is refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import minicnn as mc
import minicnn.nn as nn
import minicnn.nn.functional as F
from both import BOTH, outcome
from parity import assert_same, numbers


def test_batch_norm_keeps_digits_of_data_far_from_zero():
    x = numbers(4, 3, 5, 7) + 1e4
    expected = TF.batch_norm(torch.tensor(x.astype(float)), None, None, training=True)
    np.testing.assert_allclose(
        F.batch_norm(mc.Tensor(x), None, None, training=True).array, expected, atol=2e-3
    )


def test_batch_norm_backward_after_the_running_statistics_moved():
    data = numbers(3, 2, 4)
    x, mean, var = mc.tensor(data, requires_grad=True), mc.zeros(2), mc.ones(2)
    y = F.batch_norm(x, mean, var, training=False)
    F.batch_norm(mc.tensor(data + 9), mean, var, training=True)
    (y * y).sum().backward()
    np.testing.assert_allclose(x.grad.array, 2 * data, rtol=1e-4)


def test_batch_norm_takes_any_layout():
    x = numbers(3, 5, 4, 2)
    assert_same(
        lambda x: F.batch_norm(x.permute(0, 3, 1, 2), None, None, training=True),
        lambda x: TF.batch_norm(x.permute(0, 3, 1, 2), None, None, training=True),
        x,
    )


# layers


@BOTH
def test_layers_start_from_ones_and_zeros(m):
    layers = [
        m.nn.BatchNorm2d(4),
        m.nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
        m.nn.GroupNorm(2, 4),
        m.nn.LayerNorm((5, 4)),
    ]
    for key, value in m.nn.ModuleList(layers).state_dict().items():
        expected = 1.0 if key.endswith(("weight", "var")) else 0.0
        assert (value == expected).all(), key


def test_running_statistics_are_reset():
    layer = nn.BatchNorm2d(3)
    layer(mc.Tensor(numbers(2, 3, 4, 5)))
    assert layer.num_batches_tracked.item() == 1
    assert layer.running_mean.array.any()
    layer.reset_running_stats()
    assert layer.num_batches_tracked.item() == 0
    assert not layer.running_mean.array.any()
    assert (layer.running_var.array == 1).all()


# errors

X, ONE = (2, 4, 3, 5), (1, 4, 1, 1)
WRONG = {
    "batch_norm of one number": lambda m, f: f.batch_norm(m.ones(*ONE), None, None, training=True),
    "batch_norm without statistics": lambda m, f: f.batch_norm(m.ones(*X), None, None),
    "batch_norm of ints": lambda m, f: f.batch_norm(m.ones(*X).long(), None, None, training=True),
    "batch_norm weight": lambda m, f: f.batch_norm(m.ones(*X), None, None, m.ones(3), training=True),
    "batch_norm bias": lambda m, f: f.batch_norm(m.ones(*X), None, None, None, m.ones(3), training=True),
    "batch_norm mean": lambda m, f: f.batch_norm(m.ones(*X), m.ones(3), m.ones(4)),
    "batch_norm dtype": lambda m, f: f.batch_norm(m.ones(*X), None, None, m.ones(4).double(), training=True),
    "instance_norm of one number": lambda m, f: f.instance_norm(m.ones(2, 4, 1, 1)),
    "instance_norm weight": lambda m, f: f.instance_norm(m.ones(*X), weight=m.ones(3)),
    "group_norm groups": lambda m, f: f.group_norm(m.ones(*X), 3),
    "group_norm of one number": lambda m, f: f.group_norm(m.ones(1, 4), 4),
    "group_norm of a vector": lambda m, f: f.group_norm(m.ones(4), 2),
    "group_norm weight": lambda m, f: f.group_norm(m.ones(*X), 2, m.ones(2)),
    "layer_norm shape": lambda m, f: f.layer_norm(m.ones(*X), (4,)),
    "layer_norm weight": lambda m, f: f.layer_norm(m.ones(*X), (5,), m.ones(4)),
    "layer_norm bias": lambda m, f: f.layer_norm(m.ones(*X), (5,), None, m.ones(3, 5)),
    "layer_norm int": lambda m, f: f.layer_norm(m.ones(*X), 5),
    "layer_norm nothing": lambda m, f: f.layer_norm(m.ones(*X), ()),
    "local_response_norm of a matrix": lambda m, f: f.local_response_norm(m.ones(2, 3), 3),
    "BatchNorm2d of a sequence": lambda m, f: m.nn.BatchNorm2d(4)(m.ones(2, 4, 3)),
    "BatchNorm1d of pictures": lambda m, f: m.nn.BatchNorm1d(4)(m.ones(*X)),
    "BatchNorm2d of other channels": lambda m, f: m.nn.BatchNorm2d(3)(m.ones(*X)),
    "InstanceNorm2d of a matrix": lambda m, f: m.nn.InstanceNorm2d(4)(m.ones(2, 4)),
    "InstanceNorm2d of other channels": lambda m, f: m.nn.InstanceNorm2d(3, affine=True)(m.ones(*X)),
    "GroupNorm groups": lambda m, f: m.nn.GroupNorm(3, 4),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name):
    expected = outcome(lambda m: WRONG[name](m, TF), torch)
    assert isinstance(expected, type), "PyTorch accepts this"
    with pytest.raises((RuntimeError, TypeError, ValueError)) as error:
        WRONG[name](mc, F)
    assert issubclass(expected, error.type)  # PyTorch has NotImplementedError where we have RuntimeError
    words = str(error.value).partition(":")[0].replace("_", "")
    assert words.lower() in name.split()[0].replace("_", "").lower()


def test_errors_of_what_pytorch_does_not_check():
    with pytest.raises(RuntimeError, match=r"batch_norm: expected x \(N, C, ...\) .* got \(4,\)"):
        F.batch_norm(mc.ones(4), None, None, training=True)
    with pytest.raises(TypeError, match="batch_norm: expected input to be a Tensor, got list"):
        F.batch_norm([1.0], None, None, training=True)
    with pytest.raises(TypeError, match="layer_norm: expected weight to be a Tensor, got float"):
        F.layer_norm(mc.ones(4), (4,), 1.0)
    with pytest.raises(RuntimeError, match="batch_norm: expected running_mean and running_var, or neither"):
        F.batch_norm(mc.ones(4, 2), mc.ones(2), None, training=True)
    with pytest.raises(TypeError, match=r"BatchNorm2d: expected num_features as an int, got 2\.5"):
        nn.BatchNorm2d(2.5)
