"""Dropout, and losses of classes: any settings against PyTorch, and what they refuse."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from hypothesis import assume, given
from hypothesis import strategies as st

import minicnn as mc
import minicnn.nn.functional as F
from parity import assert_close, assert_same, numbers

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
X = mc.zeros(2, 3, 5, 7)

# activations


def test_relu_in_place():
    x = mc.tensor([[-1.0, 2.0], [3.0, -4.0]])
    assert F.relu(x, inplace=True) is x
    assert x.tolist() == [[0, 2], [3, 0]]
    assert_same(lambda x: F.relu(x * 2, inplace=True), lambda x: TF.relu(x * 2, inplace=True), numbers(3, 5))
    with pytest.raises(RuntimeError, match="relu: a leaf"):
        F.relu(mc.ones(2, requires_grad=True), inplace=True)


@pytest.mark.parametrize("function", [F.relu, F.tanh, F.sigmoid, F.dropout])
def test_activations_want_tensors(function):
    with pytest.raises(TypeError, match=f"{function.__name__}: expected input to be a Tensor, got ndarray"):
        function(np.zeros(3))


# dropout


@DTYPES
def test_dropout_keeps_the_mean_and_passes_gradients_where_it_kept(dtype):
    x = mc.Tensor(np.full((300, 400), 2, dtype), requires_grad=True)
    out = F.dropout(x, 0.3)
    assert out.dtype == dtype
    kept = out.array != 0
    assert abs(kept.mean() - 0.7) < 5 * np.sqrt(0.3 * 0.7 / kept.size)
    np.testing.assert_allclose(out.array[kept], 2 / 0.7, rtol=1e-6)
    out.sum().backward()
    np.testing.assert_allclose(x.grad.array, kept / 0.7, rtol=1e-6)


def test_dropout_follows_the_seed():
    masks = []
    for seed in (1, 1, 2):
        mc.manual_seed(seed)
        masks.append(F.dropout(mc.ones(50)).tolist())
    assert masks[0] == masks[1] != masks[2]


def test_dropout_at_its_limits():
    x = mc.randn(3, 4)
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0) is x
    assert F.dropout(x, 1.0).tolist() == [[0] * 4] * 3
    assert F.dropout(x, 0.5, inplace=True) is x
    assert 0 in x.array


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_dropout_errors(p):
    with pytest.raises(ValueError, match="dropout: the probability must be between 0 and 1, got"):
        F.dropout(X, p)


def test_dropout_of_integers():
    with pytest.raises(RuntimeError, match="dropout: expected input as floating point numbers, got int64"):
        F.dropout(X.long())


# losses

CLASSES = st.sampled_from([(5, 3), (1, 2), (2, 3, 4), (2, 4, 3, 2), (3,)])


@given(
    seed=st.integers(0, 99),
    shape=CLASSES,
    weighted=st.booleans(),
    ignored=st.sampled_from([-100, 1]),
    smoothing=st.sampled_from([0.0, 0.2, 1.0]),
    reduction=st.sampled_from(["mean", "sum", "none"]),
    double=st.booleans(),
)
def test_class_losses(seed, shape, weighted, ignored, smoothing, reduction, double):
    mc.manual_seed(seed)
    dtype = np.float64 if double else np.float32
    classes = shape[1] if len(shape) > 1 else shape[0]
    target = mc.randint(0, classes, shape[:1] + shape[2:] if len(shape) > 1 else ()).array
    assume((target != ignored).any())  # else the mean is that of nothing
    weight = abs(numbers(classes, dtype=dtype)) + dtype(0.1)
    ours, theirs = (mc.Tensor(weight), torch.tensor(weight)) if weighted else (None, None)
    arguments = {"ignore_index": ignored, "reduction": reduction}
    x = 3 * numbers(*shape, dtype=dtype)
    for name, more in (("cross_entropy", {"label_smoothing": smoothing}), ("nll_loss", {})):
        assert_same(
            partial(getattr(F, name), target=mc.Tensor(target), weight=ours, **arguments, **more),
            partial(getattr(TF, name), target=torch.tensor(target), weight=theirs, **arguments, **more),
            x,
        )


def test_cross_entropy_of_large_scores():
    x = np.array([[1e4, 0, -1e4], [-1e4, 0, 1e4]], np.float32)
    target = np.array([0, 1])
    assert_same(F.cross_entropy, TF.cross_entropy, x, target)


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
def test_losses_of_nothing(loss):
    assert np.isnan(loss(mc.zeros(2, 3), mc.full((2,), -100)).item())
    assert loss(mc.zeros(2, 3), mc.full((2,), -100), reduction="sum").item() == 0
    assert np.isnan(loss(mc.zeros(0, 3), mc.zeros(0, dtype=mc.int64)).item())


SCORES, TARGETS = mc.zeros(3, 4), mc.tensor([0, 3, 1])


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"target": mc.tensor([0, 4, 1])}, IndexError, ["target 4", "4 classes"]),
        ({"target": mc.tensor([0, -1, 1])}, IndexError, ["target -1", "4 classes"]),
        ({"target": mc.tensor([0, 1])}, ValueError, ["(3, 4)", "(2,)"]),
        ({"target": mc.tensor([0.0, 1.0, 2.0])}, RuntimeError, ["integer", "float32"]),
        ({"target": mc.zeros(3, 5)}, RuntimeError, ["class indices", "(3, 5)"]),
        ({"target": [0, 1, 2]}, TypeError, ["target", "Tensor", "list"]),
        ({"input": mc.zeros(3, 4, 2)}, RuntimeError, ["(3, 4, 2)", "(3,)"]),
        ({"input": mc.zeros(())}, RuntimeError, ["(N, C, d1, ...)", "()"]),
        ({"input": SCORES.long()}, RuntimeError, ["floating point", "int64"]),
        ({"weight": mc.ones(3)}, RuntimeError, ["weight", "4 classes", "(3,)"]),
        ({"weight": [1, 1, 1, 1]}, TypeError, ["weight", "Tensor", "list"]),
        ({"reduction": "average"}, ValueError, ["reduction", "mean", "'average'"]),
    ],
)
def test_class_loss_errors(loss, arguments, kind, words):
    with pytest.raises(kind) as error:
        loss(**{"input": SCORES, "target": TARGETS, **arguments})
    assert all(word in str(error.value) for word in [loss.__name__, *words]), str(error.value)


def test_label_smoothing_error():
    with pytest.raises(RuntimeError, match=r"label_smoothing must be between 0 and 1, got 1\.5"):
        F.cross_entropy(SCORES, TARGETS, label_smoothing=1.5)


def test_mse_loss_warns_of_broadcasting():
    x, target = numbers(3, 1), numbers(3)
    with pytest.warns(UserWarning, match=r"mse_loss: .*\(3, 1\).*\(3,\)"):
        ours = F.mse_loss(mc.Tensor(x), mc.Tensor(target))
    with pytest.warns(UserWarning):
        theirs = TF.mse_loss(torch.tensor(x), torch.tensor(target))
    assert_close(ours, theirs)


def test_mse_loss_errors():
    with pytest.raises(ValueError, match="mse_loss: expected reduction"):
        F.mse_loss(X, X, reduction="average")
    with pytest.raises(RuntimeError, match="do not broadcast"), pytest.warns(UserWarning):
        F.mse_loss(mc.zeros(3), mc.zeros(2))
    with pytest.raises(TypeError, match="mse_loss: expected target to be a Tensor, got float"):
        F.mse_loss(X, 1.0)


@pytest.mark.parametrize("again", [1, 2])
def test_a_loss_may_be_followed_back_again(again, device):
    x = mc.tensor([[0.5, -1.0, 2.0], [0.0, 1.0, 1.0]], device=device, requires_grad=True)
    target = mc.tensor([2, 0], device=device)
    loss = F.cross_entropy(x, target)
    for _ in range(again):
        loss.backward(retain_graph=True)
    (F.cross_entropy(x, target) * 0.5).backward()
    theirs = torch.tensor(x.tolist(), requires_grad=True)
    (torch.nn.functional.cross_entropy(theirs, torch.tensor([2, 0])) * (again + 0.5)).backward()
    np.testing.assert_allclose(x.grad.numpy(force=True), theirs.grad.numpy(), rtol=1e-5)
    seen = []
    loss.register_hook(lambda grad: seen.append(grad.item()) or grad * 3)
    x.grad = None
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy(force=True), 3 / (again + 0.5) * theirs.grad.numpy(), rtol=1e-5)
    assert seen == [1]
