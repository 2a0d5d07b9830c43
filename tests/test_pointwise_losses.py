"""Losses of elements, and cross-entropy with probabilities, against PyTorch; and what they refuse."""

import numpy as np
import pytest
import torch

import both
import minicnn as mc
import minicnn.nn.functional as F
from minicnn.testing import gradcheck

TF = torch.nn.functional


def functional(m):
    return F if m is mc else TF


def targets(shape):
    return np.random.default_rng(3).random(shape)


@pytest.mark.parametrize("name", ["smooth_l1_loss", "huber_loss", "l1_loss"])
def test_borders_and_extremes(name):
    x = np.array([0.0, -0.0, 1, -1, 2, -3, 1e18, np.inf, -np.inf])
    for dtype in ("float32", "float64"):
        both.compare(
            lambda m, x: getattr(functional(m), name)(x, m.zeros_like(x), reduction="none"), x, dtype=dtype
        )


@pytest.mark.filterwarnings("ignore:Using a target size:UserWarning")
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_broadcasting_warns(name):
    with pytest.warns(UserWarning, match=rf"{name}: input \(3, 5\) and target \(5,\) differ in shape"):
        both.compare(lambda m, x, y: getattr(functional(m), name)(x, y), both.draw((3, 5)), both.draw((5,)))


def constant(m, values, like):
    return None if values is None else m.tensor(values, dtype=like.dtype)


def test_binary_cross_entropy_of_certain_probabilities():
    """Logarithms stop at -100, and the gradient is finite."""
    p, t = np.array([0.0, 0, 1, 1, 0.5, 1e-30]), np.array([0.0, 1, 0, 1, 1, 1])
    (ours, grads), (theirs, expected) = (
        both.run(
            m,
            lambda m, p, t: functional(m).binary_cross_entropy(p, t, reduction="none"),
            [p, t],
            "float64",
            constant=1,
        )
        for m in (mc, torch)
    )
    both.same(ours[0], theirs[0])
    np.testing.assert_allclose(grads[0], expected[0], rtol=1e-7)  # PyTorch's 1e-12 has float32's digits


def test_gradient_of_pos_weight():
    x, t, v = (mc.tensor(a, requires_grad=True) for a in (both.draw((3, 4)), targets((3, 4)), targets(4)))
    assert gradcheck(lambda *xs: F.binary_cross_entropy_with_logits(*xs[:2], pos_weight=xs[2]), [x, t, v])


def test_logits_that_overflow():
    x = np.array([90.0, -90, 1e4, -1e4, 0, 800, -800])
    for dtype in ("float32", "float64"):
        for t in (0.0, 1.0, 0.3):
            both.compare(
                lambda m, x, t=t: functional(m).binary_cross_entropy_with_logits(
                    x, m.full_like(x, t), reduction="none"
                ),
                x,
                dtype=dtype,
            )


def test_kl_div_where_the_target_is_zero():
    both.compare(
        lambda m, x, t: functional(m).kl_div(x, t, reduction="none"),
        np.array([-1.0, -2, -3]),
        np.array([0.0, 1, 0.5]),
        constant=1,
    )


def test_kl_div_warns_of_its_mean():
    with pytest.warns(UserWarning, match='"batchmean" is the KL divergence'):
        F.kl_div(mc.zeros(2), mc.ones(2))


# probabilities of classes


def loss(name, *shapes, **settings):
    return lambda m: getattr(functional(m), name)(*(m.ones(*shape) for shape in shapes), **settings)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (loss("l1_loss", (3,), (4,)), r"sub: the shapes \(3,\) and \(4,\) do not broadcast"),
        (loss("l1_loss", (3,), (3,), reduction="average"), "l1_loss: expected reduction .*'average'"),
        (loss("smooth_l1_loss", (3,), (3,), beta=-1), "smooth_l1_loss: beta must be at least 0, got -1"),
        (loss("huber_loss", (3,), (3,), delta=0), "huber_loss: delta must be above 0, got 0"),
        (lambda m: functional(m).huber_loss(m.ones(3), 1.0), "huber_loss: expected target to be a Tensor"),
        (
            lambda m: functional(m).l1_loss(m.ones(3), m.ones(3), weight=m.ones(1)),
            r"l1_loss: expected weight in the shape \(3,\), got \(1,\)",
        ),
        (loss("binary_cross_entropy", (3, 4), (3, 1)), r"in one shape, got \(3, 4\) and \(3, 1\)"),
        (loss("binary_cross_entropy_with_logits", (3, 4), (4,)), r"in one shape, got \(3, 4\) and \(4,\)"),
        (
            lambda m: functional(m).binary_cross_entropy(m.ones(2) * 1.5, m.ones(2)),
            "expected all elements of input between 0 and 1",
        ),
        (
            lambda m: functional(m).binary_cross_entropy(m.ones(2), m.ones(2) * -1),
            "expected all elements of target between 0 and 1",
        ),
        (
            lambda m: functional(m).binary_cross_entropy(m.ones(2) * float("nan"), m.ones(2)),
            "expected all elements of input between 0 and 1",
        ),
        (
            lambda m: functional(m).binary_cross_entropy_with_logits(m.ones(2), m.ones(2).long()),
            "expected target as floating point numbers, got int64",
        ),
        (
            lambda m: functional(m).binary_cross_entropy(m.ones(2), m.ones(2).double()),
            "of one dtype, got float32 and float64",
        ),
        (
            lambda m: functional(m).binary_cross_entropy_with_logits(
                m.ones(3, 4), m.ones(3, 4), pos_weight=m.ones(3)
            ),
            r"pos_weight \(3,\) does not broadcast to input \(3, 4\)",
        ),
        (loss("kl_div", (3,), (3,), reduction="total"), "kl_div: expected reduction .*'total'"),
        (loss("kl_div", (3,), (4,)), "do not broadcast"),
        (
            loss("cross_entropy", (3, 4), (3, 4), ignore_index=1),
            "cross_entropy: ignore_index 1 needs class indices",
        ),
        (
            lambda m: functional(m).cross_entropy(m.ones(3, 4), m.ones(3, 4), m.ones(3)),
            r"a weight for each of 4 classes, got shape \(3,\)",
        ),
    ],
)
def test_losses_refuse(make, words):
    with pytest.raises((RuntimeError, TypeError, ValueError), match=words) as ours:
        make(mc)
    with pytest.raises((RuntimeError, TypeError, ValueError, AttributeError)) as theirs:
        make(torch)
    assert isinstance(theirs.value, (ours.type, AttributeError))
