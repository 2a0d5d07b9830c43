"""The smallest tests from end to end, which can be read as first examples: if they pass, most things work."""

import numpy as np
import pytest

import minicnn as mc
import minicnn.nn as nn
import minicnn.nn.functional as F
import minicnn.optim as optim
from minicnn.data import MNIST, DataLoader, TensorDataset


def test_sum():
    assert (mc.tensor([1.0, 2.0, 3.0]) + mc.tensor([10.0, 20.0, 30.0])).tolist() == [11.0, 22.0, 33.0]


def test_gradient():
    x = mc.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0, 6.0]


def test_convolution():
    picture = mc.tensor([[[[0.0, 0.0, 5.0, 5.0], [0.0, 0.0, 5.0, 5.0]]]])  # (N, C, H, W): dark, then light
    edges = mc.tensor([[[[-1.0, 1.0]]]])  # (O, C, KH, KW): right minus left
    assert F.conv2d(picture, edges).tolist() == [[[[0.0, 5.0, 0.0], [0.0, 5.0, 0.0]]]]


@pytest.fixture
def digits():
    """The first 640 of MNIST's 60,000 training pictures (N, 1, 28, 28) and their labels (N)."""
    images, labels = MNIST(train=True).batch(np.arange(640))
    return TensorDataset(mc.tensor(images), mc.tensor(labels))


def tiny_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 8, kernel_size=3),  # (N, 8, 26, 26)
        nn.ReLU(),
        nn.MaxPool2d(2),  # (N, 8, 13, 13)
        nn.Flatten(),
        nn.Linear(8 * 13 * 13, 10),
    )


def test_a_cnn_learns_digits(digits):
    model = tiny_cnn()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(5):
        for images, labels in DataLoader(digits, batch_size=32, shuffle=True):
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert losses[0] > 2  # guessing among ten digits costs log(10) = 2.3
    assert sum(losses[-20:]) / 20 < 0.3  # the mean of the last epoch

    images, labels = next(iter(DataLoader(MNIST(train=False), batch_size=1000)))  # never seen before
    with mc.no_grad():
        guesses = model(images).argmax(dim=1)
    assert (guesses == labels).float().mean().item() > 0.8


def test_the_same_in_short_and_kept_in_a_file(digits, tmp_path):
    model = tiny_cnn()
    history = model.fit(digits, epochs=5, optimizer=optim.Adam(model.parameters(), lr=0.01), verbose=False)
    assert history["accuracy"][-1] > 0.9
    mc.save(model.state_dict(), tmp_path / "tiny.safetensors")
    again = tiny_cnn()
    again.load_state_dict(mc.load(tmp_path / "tiny.safetensors"))
    assert again.evaluate(digits) == model.evaluate(digits)
