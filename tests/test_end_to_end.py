"""Whole trainings on real digits: the same numbers every time, and what stops them."""

import numpy as np
import pytest

import minicnn as mc
from minicnn import nn, optim
from minicnn.data import MNIST, TensorDataset
from minicnn.kernels import threads
from minicnn.kernels.cpu import runner
from minicnn.training.pictures import pictures
from minicnn.training.recipes import input_size


def weights(model):
    return {name: value.array.copy() for name, value in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.skipif(runner.POOL < 2, reason="needs two threads")
@pytest.mark.parametrize("name", ["lenet5", "simplecnn"])
def test_the_seed_decides_every_bit(name, monkeypatch):
    images, labels = pictures(name, None, train=True).batch(np.arange(1280))
    digits = TensorDataset(mc.tensor(images), mc.tensor(labels))

    def trained(seed, count):
        """Weights after 20 steps; starting values, the order of the digits and dropout are random."""
        monkeypatch.setattr(threads, "count", count)
        mc.manual_seed(seed)
        model = nn.Sequential(nn.Dropout(0.1), mc.models.create(name))
        start = weights(model)
        trainer = mc.Trainer(model, optim.Adam(model.parameters()))
        trainer.fit(digits, epochs=1, batch_size=64, verbose=False)
        assert not same(start, weights(model))
        return weights(model)

    alone, shared = trained(0, 1), trained(0, 2)
    assert same(alone, trained(0, 1))
    assert same(shared, trained(0, 2))
    assert same(alone, shared)
    assert not same(alone, trained(1, 1))


# bad input

PICTURES, LABELS = MNIST(train=False).batch(np.arange(4))


@pytest.mark.parametrize(
    ("name", "x", "y", "kind", "words"),
    [
        ("lenet5", PICTURES[:, :, :4, :4], LABELS, RuntimeError, ["conv2d", "(5, 5)", "(4, 4)"]),
        ("simplecnn", PICTURES[:, :, :3, :3], LABELS, RuntimeError, ["max_pool2d", "(2, 2)", "(1, 1)"]),
        ("simplecnn", PICTURES[:, :, :5, :5], LABELS, RuntimeError, ["conv2d", "(3, 3)", "(1, 1)"]),
        ("simplecnn", np.tile(PICTURES, (1, 3, 1, 1)), LABELS, RuntimeError, ["3 channels", "expects 1"]),
        ("simplecnn_cifar", PICTURES, LABELS, RuntimeError, ["1 channels", "expects 3", "(4, 1, 28, 28)"]),
        ("simplecnn", PICTURES.transpose(0, 2, 3, 1), LABELS, RuntimeError, ["28 channels", "expects 1"]),
        ("simplecnn", PICTURES.reshape(4, 784), LABELS, RuntimeError, ["(N, C, H, W)", "(4, 784)"]),
        ("twolayer", PICTURES.astype(np.uint8), LABELS, RuntimeError, ["conv2d", "uint8", "float32"]),
        ("twolayer", PICTURES.astype(np.float64), LABELS, RuntimeError, ["conv2d", "float64", "float32"]),
        ("threeconv", PICTURES, LABELS + 4, IndexError, ["target 11", "10 classes"]),  # the first is a 7
        ("threeconv", PICTURES, LABELS - 8, IndexError, ["target -1", "10 classes"]),
        ("threeconv", PICTURES, LABELS[:3], ValueError, ["(4, 10)", "(3,)"]),
        ("threeconv", PICTURES, LABELS.astype(np.float32), RuntimeError, ["integer", "float32"]),
        (
            "threeconv",
            PICTURES,
            np.eye(9, dtype=np.float32)[LABELS],
            RuntimeError,
            ["(4, 9)", "(4, 10)"],
        ),
    ],
)
def test_batches_that_do_not_fit_are_named_and_change_nothing(name, x, y, kind, words):
    model = mc.models.create(name)
    start = weights(model)
    trainer = mc.Trainer(model, optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(kind) as error:
        trainer.fit([(x, y)], epochs=1, verbose=False)
    assert all(word in str(error.value) for word in words), str(error.value)
    assert same(start, weights(model))
    assert trainer.history.epochs == 0


@pytest.mark.parametrize("name", ["lenet5", "simplecnn"])
def test_one_nan_pixel_reaches_the_loss(name):
    images, labels = pictures(name, None, train=True).batch(np.arange(128))
    images[100, 0, 17, 14] = np.nan
    clean, poisoned = (images[:64], labels[:64]), (images[64:], labels[64:])
    model = mc.models.create(name)
    trainer = mc.Trainer(model, optim.Adam(model.parameters()))
    trainer.fit([clean], epochs=1, verbose=False)
    with pytest.raises(FloatingPointError, match="the loss is nan in epoch 2, step 3"):
        trainer.fit([clean, clean, poisoned], epochs=1, verbose=False)
    assert all(np.isfinite(values).all() for values in weights(model).values())


def test_a_learning_rate_that_blows_up_is_told():
    model = mc.models.SimpleCNN()
    trainer = mc.Trainer(model, optim.SGD(model.parameters(), lr=1e20))
    with pytest.raises(FloatingPointError, match=r"epoch 1, step [23],.* below 1e\+20"):
        trainer.fit([(PICTURES, LABELS)] * 9, epochs=1, verbose=False)


@pytest.mark.parametrize("name", ["lenet5", "simplecnn", "threeconv", "twolayer", "simplecnn_cifar"])
def test_no_pictures_give_no_scores(name):
    model = mc.models.create(name)
    scores = model(mc.zeros(0, *input_size(name)))
    assert scores.shape == (0, 10)
    scores.sum().backward()
    assert all((p.grad.array == 0).all() for p in model.parameters())
