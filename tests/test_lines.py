"""Layers of lines (N, C, L) or (C, L): convolution, pooling, padding and normalisation against PyTorch."""

import numpy as np
import pytest
import torch

import both
import minicnn as mc
import minicnn.nn as nn
from parity import assert_close, numbers


def twins(name, *args, **settings):
    """The layer in both libraries with the same state."""
    ours, theirs = (getattr(m.nn, name)(*args, **settings) for m in (mc, torch))
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({k: torch.tensor(v.array) for k, v in ours.state_dict().items()})
    return ours, theirs


def assert_alike(ours, theirs, *shape):
    """Results, gradients of the input and of all parameters, and the state afterwards."""
    x = both.draw(shape).astype(np.float32)
    results = []
    for m, layer in ((mc, ours), (torch, theirs)):
        line = m.tensor(x, requires_grad=True)
        out = layer(line)
        values, *indices = out if isinstance(out, tuple) else (out,)
        weights = np.cos(np.arange(values.numel())).reshape(tuple(values.shape)).astype(np.float32)
        (values * m.tensor(weights)).sum().backward()
        grads = [p.grad for p in layer.parameters()]
        results.append([values, *indices, line.grad, *grads, *layer.state_dict().values()])
    for mine, other in zip(*results, strict=True):
        if mine.dtype.kind == "f":
            assert_close(mine, other)
        else:
            assert mine.tolist() == other.tolist()


@pytest.mark.parametrize("shape", [(2, 4, 9), (4, 9), (3, 4, 16)])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("Conv1d", {"kernel_size": 3}),
        ("Conv1d", {"kernel_size": (4,), "stride": 2, "padding": 3, "dilation": 2, "groups": 2}),
        ("Conv1d", {"kernel_size": 4, "padding": "same", "padding_mode": "reflect", "bias": False}),
        ("Conv1d", {"kernel_size": 3, "padding": 2, "padding_mode": "circular"}),
        ("ConvTranspose1d", {"kernel_size": 3}),
        ("ConvTranspose1d", {"kernel_size": (3,), "stride": 2, "padding": 1, "output_padding": 1}),
        ("ConvTranspose1d", {"kernel_size": 2, "groups": 2, "dilation": 3, "bias": False}),
    ],
)
def test_convolution(name, settings, shape):
    assert_alike(*twins(name, 4, 6, **settings), *shape)


def test_output_size():
    ours, theirs = twins("ConvTranspose1d", 2, 2, 3, stride=2)
    x = numbers(1, 2, 4)
    assert_close(ours(mc.tensor(x), output_size=[10]), theirs(torch.tensor(x), output_size=[10]))
    for layer, m in ((ours, mc), (theirs, torch)):
        with pytest.raises(ValueError, match="output"):
            layer(m.tensor(x), output_size=(12,))


@pytest.mark.parametrize("shape", [(2, 3, 9), (3, 9), (1, 1, 6)])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("MaxPool1d", {"kernel_size": 2}),
        (
            "MaxPool1d",
            {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "return_indices": True},
        ),
        ("MaxPool1d", {"kernel_size": 2, "stride": 1, "dilation": 3}),
        ("AvgPool1d", {"kernel_size": 2}),
        ("AvgPool1d", {"kernel_size": (3,), "stride": 2, "padding": 1, "count_include_pad": False}),
        ("AvgPool1d", {"kernel_size": 4, "ceil_mode": True}),
        ("AdaptiveAvgPool1d", {"output_size": 4}),
        ("AdaptiveAvgPool1d", {"output_size": (1,)}),
        ("AdaptiveMaxPool1d", {"output_size": 4, "return_indices": True}),
        ("AdaptiveMaxPool1d", {"output_size": 7}),
        ("ZeroPad1d", {"padding": 2}),
        ("ConstantPad1d", {"padding": (1, -2), "value": 0.5}),
        ("ReflectionPad1d", {"padding": (2, 1)}),
        ("ReplicationPad1d", {"padding": (0, 3)}),
        ("CircularPad1d", {"padding": (3, 1)}),
        ("Upsample", {"scale_factor": 2, "mode": "linear"}),
    ],
)
def test_pooling_and_padding(name, settings, shape):
    if name != "Upsample" or len(shape) == 3:
        assert_alike(*twins(name, **settings), *shape)
    else:
        with pytest.raises(NotImplementedError):
            nn.Upsample(**settings)(mc.ones(shape))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("name", "settings", "shape"),
    [
        ("BatchNorm1d", {}, (4, 3)),
        ("BatchNorm1d", {"momentum": None}, (2, 3, 5)),
        ("InstanceNorm1d", {}, (2, 3, 5)),
        ("InstanceNorm1d", {"affine": True, "track_running_stats": True}, (2, 3, 5)),
        ("InstanceNorm1d", {"affine": True}, (3, 5)),
    ],
)
def test_norms(name, settings, shape, training):
    ours, theirs = twins(name, 3, **settings)
    assert_alike(ours.train(training), theirs.train(training), *shape)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda m: m.nn.functional.conv1d(m.ones(2, 3, 4, 5), m.ones(2, 3, 2)), r"input \(N, C, L\)"),
        (lambda m: m.nn.functional.conv1d(m.ones(2, 3, 4), m.ones(2, 2, 2)), "3 channels"),
        (lambda m: m.nn.functional.max_pool1d(m.ones(2, 3, 4, 5), 2), r"input \(N, C, L\)"),
        (lambda m: m.nn.functional.max_pool1d(m.ones(2, 3, 4), 5), "kernel spans"),
        (lambda m: m.nn.functional.avg_pool1d(m.ones(2, 3, 4), 0), "kernel_size must be at least 1"),
        (lambda m: m.nn.ConvTranspose1d(2, 2, 2, output_padding=1)(m.ones(1, 2, 3)), "smaller"),
        (lambda m: m.nn.InstanceNorm1d(3)(m.ones(2, 3, 4, 5)), "expected 2 or 3 dimensions"),
        (lambda m: m.nn.ReflectionPad1d(4)(m.ones(1, 2, 4)), "do not fit around 4"),
    ],
)
def test_they_refuse(make, words):
    with pytest.raises((RuntimeError, ValueError), match=words) as ours:
        make(mc)
    with pytest.raises((RuntimeError, ValueError)) as theirs:
        make(torch)
    assert isinstance(theirs.value, ours.type)


def test_two_numbers_are_too_many():
    """PyTorch takes them, and the layer fails when it is called."""
    with pytest.raises(ValueError, match=r"Conv1d: expected kernel_size as one number, got \(3, 3\)"):
        nn.Conv1d(2, 3, (3, 3))
