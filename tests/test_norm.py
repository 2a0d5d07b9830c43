"""Normalising functions and layers against PyTorch's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import minicnn as mc
import minicnn.nn as nn
import minicnn.nn.functional as F
from both import outcome
from minicnn.testing import gradcheck
from parity import assert_close, assert_same, numbers

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SHAPES = pytest.mark.parametrize("shape", [(2, 4, 5, 7), (3, 4, 6), (9, 4), (1, 4, 1, 3), (2, 4, 2, 3, 2)])


def theirs_of(x):
    return None if x is None else torch.tensor(x.array)


@DTYPES
@SHAPES
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(shape, training, dtype):
    x, weight, bias = numbers(*shape, dtype=dtype) + 3, numbers(4, dtype=dtype), numbers(4, dtype=dtype)
    ours = mc.Tensor(numbers(4, dtype=dtype)), mc.Tensor(abs(numbers(4, dtype=dtype)) + 1)
    theirs = tuple(torch.tensor(a.array.copy()) for a in ours)
    for parameters in ((weight, bias), (weight,), ()):
        assert_same(
            lambda x, *p: F.batch_norm(x, *ours, *p, training=training, momentum=0.3, eps=1e-3),
            lambda x, *p: TF.batch_norm(x, *theirs, *p, training=training, momentum=0.3, eps=1e-3),
            *(x, *parameters),
        )
    for a, b in zip(ours, theirs, strict=True):
        assert_close(a, b)


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


@DTYPES
@pytest.mark.parametrize("shape", [(2, 4, 5, 7), (3, 4, 6)])
@pytest.mark.parametrize("own", [True, False])
def test_instance_norm(shape, own, dtype):
    x, weight, bias = numbers(*shape, dtype=dtype) - 2, numbers(4, dtype=dtype), numbers(4, dtype=dtype)
    ours = mc.Tensor(numbers(4, dtype=dtype)), mc.Tensor(abs(numbers(4, dtype=dtype)) + 1)
    theirs = tuple(torch.tensor(a.array.copy()) for a in ours)
    for parameters in ((weight, bias), ()):
        assert_same(
            lambda x, *p: F.instance_norm(x, *ours, *p, use_input_stats=own),
            lambda x, *p: TF.instance_norm(x, *theirs, *p, use_input_stats=own),
            *(x, *parameters),
        )
    for a, b in zip(ours, theirs, strict=True):
        assert_close(a, b)


@DTYPES
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("shape", [(2, 6, 5, 3), (3, 6, 7), (4, 6, 3, 2, 2)])
def test_group_norm(shape, groups, dtype):
    arrays = numbers(*shape, dtype=dtype), numbers(6, dtype=dtype), numbers(6, dtype=dtype)
    for some in (arrays, arrays[:2], arrays[:1]):
        assert_same(
            lambda x, *p: F.group_norm(x, groups, *p), lambda x, *p: TF.group_norm(x, groups, *p), *some
        )


@DTYPES
@pytest.mark.parametrize(
    ("shape", "last"), [((2, 3, 7), (7,)), ((4, 5), (4, 5)), ((2, 3, 5, 4), (3, 5, 4)), ((0, 3), (3,))]
)
def test_layer_norm(shape, last, dtype):
    arrays = numbers(*shape, dtype=dtype) + 2, numbers(*last, dtype=dtype), numbers(*last, dtype=dtype)
    for some in (arrays, arrays[:2], arrays[:1]):
        assert_same(
            lambda x, *p: F.layer_norm(x, last, *p, eps=1e-3),
            lambda x, *p: TF.layer_norm(x, last, *p, eps=1e-3),
            *some,
        )


@DTYPES
@pytest.mark.parametrize("size", [1, 2, 3, 5, 11])
@pytest.mark.parametrize("shape", [(2, 6, 5, 3), (3, 6, 7), (2, 1, 3, 3)])
def test_local_response_norm(shape, size, dtype):
    x = 3 * numbers(*shape, dtype=dtype)
    settings = {"size": size, "alpha": 0.3, "beta": 0.6, "k": 1.5}
    assert_same(
        lambda x: F.local_response_norm(x, **settings), lambda x: TF.local_response_norm(x, **settings), x
    )


@pytest.mark.parametrize(
    "function",
    [
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        lambda x, w, b: F.batch_norm(x, mc.zeros(4).double(), 2 * mc.ones(4).double(), w, b),
        lambda x, w, b: F.group_norm(x, 2, w, b),
        lambda x, w, b: F.instance_norm(x, None, None, w, b),
        lambda x, w, b: F.layer_norm(x.transpose(1, 2), (4,), w, b),
        lambda x, w, b: F.local_response_norm(x * w[0] + b[0], 3, alpha=0.5),
    ],
)
def test_gradients_by_differences(function):
    arrays = numbers(3, 4, 5, dtype=float), numbers(4, dtype=float), numbers(4, dtype=float)
    assert gradcheck(function, [mc.Tensor(a, requires_grad=True) for a in arrays])


# layers

LAYERS = [
    ("BatchNorm1d", (4,), {}, (5, 4)),
    ("BatchNorm1d", (4,), {"momentum": None}, (2, 4, 5)),
    ("BatchNorm2d", (4, 1e-3, 0.2), {}, (3, 4, 5, 2)),
    ("BatchNorm2d", (4,), {"affine": False}, (3, 4, 5, 2)),
    ("BatchNorm2d", (4,), {"bias": False, "momentum": 0.0}, (3, 4, 5, 2)),
    ("BatchNorm2d", (4,), {"track_running_stats": False}, (3, 4, 5, 2)),
    ("InstanceNorm2d", (4,), {}, (3, 4, 5, 2)),
    ("InstanceNorm2d", (4,), {"affine": True, "track_running_stats": True}, (3, 4, 5, 2)),
    ("InstanceNorm2d", (4,), {"affine": True}, (4, 5, 2)),
    ("GroupNorm", (2, 4), {}, (3, 4, 5, 2)),
    ("GroupNorm", (4, 4), {"affine": False, "eps": 0.1}, (3, 4, 5)),
    ("LayerNorm", (4,), {}, (3, 5, 4)),
    ("LayerNorm", ([5, 4],), {"bias": False}, (3, 5, 4)),
    ("LayerNorm", ((5, 4),), {"elementwise_affine": False}, (3, 5, 4)),
    ("LocalResponseNorm", (5,), {"k": 2, "alpha": 0.1}, (3, 7, 5, 4)),
]


@DTYPES
@pytest.mark.parametrize(("name", "args", "settings", "shape"), LAYERS)
def test_layer(name, args, settings, shape, dtype):
    ours, theirs = getattr(nn, name)(*args, **settings), getattr(torch.nn, name)(*args, **settings)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        assert np.array_equal(ours.state_dict()[key].array, value.numpy())
    ours.to(dtype)
    theirs.to(torch.float64 if dtype is np.float64 else torch.float32)
    draws = {k: abs(numbers(*v.shape, dtype=dtype)) + 1 for k, v in theirs.state_dict().items() if v.ndim}
    ours.load_state_dict({k: mc.Tensor(v) for k, v in draws.items()}, strict=False)
    theirs.load_state_dict({k: torch.tensor(v) for k, v in draws.items()}, strict=False)
    for _ in range(3):
        assert_same(ours, theirs, numbers(*shape, dtype=dtype) + 1)
    for mode in (False, True):
        ours.train(mode)
        theirs.train(mode)
        assert_same(ours, theirs, numbers(*shape, dtype=dtype) + 1)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(p.grad, q.grad)
    for (key, p), (other, q) in zip(ours.named_buffers(), theirs.named_buffers(), strict=True):
        assert key == other
        assert p.dtype == q.numpy().dtype
        np.testing.assert_allclose(p.array, q.numpy(), rtol=2e-6, err_msg=key)


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
