"""Layers against PyTorch's with the same weights, their starting values, and what they refuse."""

import numpy as np
import pytest
import torch

import minicnn as mc
import minicnn.nn as nn


def test_dropout_acts_in_training_only():
    layer, x = nn.Dropout(0.5), mc.ones(40, 40)
    assert 0.4 < (layer(x).array == 0).mean() < 0.6
    assert layer.eval()(x) is x


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, ["in_channels", "divisible", "3 and 2 groups"]),
        (lambda: nn.Conv2d(4, 3, 3, groups=2), ValueError, ["out_channels", "divisible", "3 and 2 groups"]),
        (lambda: nn.Conv2d(4, 4, 3, groups=0), ValueError, ["groups", "at least 1", "got 0"]),
        (lambda: nn.Conv2d(0, 4, 3), ValueError, ["in_channels", "at least 1", "got 0"]),
        (lambda: nn.Conv2d(1, -4, 3), ValueError, ["out_channels", "at least 1", "got -4"]),
        (lambda: nn.Conv2d(1, 4, 0), ValueError, ["kernel_size", "at least 1", "got 0"]),
        (lambda: nn.Conv2d(1, 4, (3, 3, 3)), ValueError, ["kernel_size", "one number or two"]),
        (lambda: nn.Conv2d(1, 4, 3.0), TypeError, ["kernel_size", "int", "3.0"]),
        (lambda: nn.Conv2d(1, 4, 3, stride=0), ValueError, ["stride", "at least 1", "got 0"]),
        (lambda: nn.Conv2d(1, 4, 3, padding=-1), ValueError, ["padding", "at least 0", "got -1"]),
        (lambda: nn.Conv2d(1, 4, 3, padding="full"), ValueError, ["padding", "same", "'full'"]),
        (lambda: nn.Conv2d(1, 4, 3, stride=2, padding="same"), ValueError, ["same", "stride 1", "(2, 2)"]),
        (lambda: nn.Conv2d(1, 4, 3, dilation=0), ValueError, ["dilation", "at least 1", "got 0"]),
        (lambda: nn.Linear(0, 4), ValueError, ["in_features", "at least 1", "got 0"]),
        (lambda: nn.Linear(4, 2.0), TypeError, ["out_features", "int", "2.0"]),
        (lambda: nn.MaxPool2d(0), ValueError, ["kernel_size", "at least 1", "got 0"]),
        (lambda: nn.MaxPool2d(2, 0), ValueError, ["stride", "at least 1", "got 0"]),
        (lambda: nn.AvgPool2d(2, padding=-1), ValueError, ["padding", "at least 0", "got -1"]),
        (lambda: nn.Dropout(1.5), ValueError, ["probability", "between 0 and 1", "1.5"]),
        (lambda: nn.CrossEntropyLoss(reduction="average"), ValueError, ["reduction", "mean", "'average'"]),
        (lambda: nn.CrossEntropyLoss(label_smoothing=2), ValueError, ["label_smoothing", "got 2"]),
        (lambda: nn.CrossEntropyLoss(weight=[1, 2]), TypeError, ["weight", "Tensor", "list"]),
        (lambda: nn.NLLLoss(reduction=None), ValueError, ["reduction", "None"]),
        (lambda: nn.MSELoss(reduction="average"), ValueError, ["reduction", "'average'"]),
    ],
)
def test_layers_refuse(make, kind, words):
    with pytest.raises(kind) as error:
        make()
    assert all(word in str(error.value) for word in words), str(error.value)


# starting values


@pytest.mark.parametrize(
    ("layer", "fan_in"), [(lambda: nn.Conv2d(6, 64, (5, 3), groups=2), 45), (lambda: nn.Linear(70, 200), 70)]
)
def test_default_starting_values(layer, fan_in):
    layer, bound = layer(), fan_in**-0.5
    for values in (layer.weight.array, layer.bias.array):
        assert values.dtype == np.float32
        assert np.abs(values).max() <= bound
        spread = 5 * bound / np.sqrt(values.size)
        assert abs(values.mean()) < spread
        assert abs(np.abs(values).mean() - bound / 2) < spread


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("uniform_", {"a": -2, "b": 3}),
        ("normal_", {"mean": 1, "std": 3}),
        ("constant_", {"val": 0.3}),
        ("zeros_", {}),
        ("ones_", {}),
        ("xavier_uniform_", {"gain": 2}),
        ("xavier_normal_", {}),
        ("kaiming_uniform_", {"a": 0.5}),
        ("kaiming_uniform_", {"nonlinearity": "tanh"}),
        ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}),
    ],
)
def test_init(name, arguments):
    ours = nn.Parameter(mc.zeros(40, 20, 5, 3))
    theirs = torch.zeros(40, 20, 5, 3)
    assert getattr(nn.init, name)(ours, **arguments) is ours
    assert ours.requires_grad
    assert ours.is_leaf
    getattr(torch.nn.init, name)(theirs, **arguments)
    a, b = ours.array, theirs.numpy()
    assert a.dtype == b.dtype
    np.testing.assert_allclose(
        [a.mean(), a.std()], [b.mean(), b.std()], rtol=0.03, atol=0.03 * b.std() + 1e-6
    )
    if "normal" not in name:
        np.testing.assert_allclose([a.min(), a.max()], [b.min(), b.max()], rtol=1e-3)


def test_init_follows_the_seed():
    layers = []
    for seed in (7, 7, 8):
        mc.manual_seed(seed)
        layers.append(nn.Linear(3, 3).weight.tolist())
    assert layers[0] == layers[1] != layers[2]


def test_gains():
    for name, param in (
        ("linear", None),
        ("tanh", None),
        ("relu", None),
        ("leaky_relu", None),
        ("leaky_relu", 0.2),
    ):
        assert nn.init.calculate_gain(name, param) == torch.nn.init.calculate_gain(name, param)
    with pytest.raises(ValueError, match=r"calculate_gain: expected one of .*leaky_relu.*got 'gelu'"):
        nn.init.calculate_gain("gelu")


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: nn.init.kaiming_uniform_(mc.zeros(3)), ValueError, r"2 dimensions or more, got \(3,\)"),
        (lambda: nn.init.kaiming_normal_(mc.zeros(3, 3), mode="fan"), ValueError, "fan_out.*got 'fan'"),
        (lambda: nn.init.normal_(mc.zeros(3), std=-1), RuntimeError, "std of at least 0, got -1"),
        (lambda: nn.init.uniform_(mc.zeros(3).long()), RuntimeError, "floating point numbers, got int64"),
    ],
)
def test_init_refuses(make, kind, words):
    with pytest.raises(kind, match=words):
        make()
