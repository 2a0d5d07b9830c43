"""minicnn and PyTorch train the same networks on the same pictures: losses and accuracy must be the same.

PyTorch has its own networks (twins.py) and prepares the pictures itself. The two train one after the other,
as their threads would disturb each other.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import minicnn as mc
import minicnn.nn.functional as F
from minicnn.data import MNIST, DataLoader, Subset
from minicnn.training.pictures import pictures
from twins import twins

# with the learning rates of the recipes
OPTIMIZERS = {
    "adam": lambda optim, model: optim.Adam(model.parameters(), lr=1e-3),
    "sgd": lambda optim, model: optim.SGD(model.parameters(), lr=1e-2, momentum=0.9),
}


def train(model, optimizer, cross_entropy, batches):
    """Train, and return the loss of each step: the same words for both libraries."""
    losses = []
    for x, y in batches:
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def prepared(name, x):
    """PyTorch's pictures (N, 1, 28, 28) in [0, 1] as the network of that name takes them."""
    return TF.pad(x, (2, 2, 2, 2)) if name == "lenet5" else (x - 0.1307) / 0.3081


def mnist_batches(name, steps):
    """A batch of MNIST for each step; first all of minicnn's, by its recipe, then all of PyTorch's."""
    data = pictures(name, None, train=True)
    places = np.random.default_rng(0).permutation(len(data))[: steps * 64].reshape(steps, 64)
    labels = data.targets[places]
    digits = torch.from_numpy(data.images[places])[:, :, None] / 255
    theirs = [(prepared(name, x), torch.from_numpy(y)) for x, y in zip(digits, labels, strict=True)]
    return [data.batch(batch) for batch in places], theirs


def random_batches(steps):
    """The same of noise (N, 3, 32, 32) over a faint pattern for each class."""
    rng = np.random.default_rng(0)
    patterns, labels = rng.standard_normal((10, 3, 32, 32), np.float32), rng.integers(0, 10, (steps, 64))
    ours = [(patterns[y] / 4 + rng.standard_normal((64, 3, 32, 32), np.float32), y) for y in labels]
    return ours, [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in ours]


# LeNet-5 is smooth, and rounding stays rounding. ReLU and max pooling have kinks, where the last digit
# decides which way a gradient goes: within 100 steps of SimpleCNN, PyTorch's own float32 leaves its
# float64 by 6 %. So float32 is compared while that has a meaning, and float64 all the way.
@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize(
    ("name", "dtype", "steps", "tolerance"),
    [
        ("lenet5", "float32", 100, 1e-5),
        ("lenet5", "float64", 100, 1e-6),
        ("simplecnn", "float32", 20, 1e-3),
        ("simplecnn", "float64", 40, 1e-6),
        ("simplecnn_cifar", "float64", 20, 1e-6),
        ("threeconv", "float64", 30, 1e-6),
        ("twolayer", "float64", 30, 1e-6),
    ],
)
def test_the_loss_of_every_step(name, dtype, steps, tolerance, optimizer):
    make, torch_dtype = OPTIMIZERS[optimizer], getattr(torch, dtype)
    ours, theirs = twins(name)
    ours.to(dtype)
    theirs.to(torch_dtype)
    mine, reference = random_batches(steps) if name == "simplecnn_cifar" else mnist_batches(name, steps)
    reference = [(x.to(torch_dtype), y) for x, y in reference]
    mine = [(mc.tensor(x, dtype), mc.tensor(y)) for x, y in mine]
    expected = train(theirs, make(torch.optim, theirs), TF.cross_entropy, reference)
    losses = train(ours, make(mc.optim, ours), F.cross_entropy, mine)
    np.testing.assert_allclose(losses, expected, rtol=tolerance)
    assert np.mean(expected[-5:]) < expected[0] - 0.01  # it was no flat line


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("lenet5", 60_000), ("simplecnn", 30_000)])
def test_the_accuracy_after_an_epoch_of_mnist(name, count):
    ours, theirs = twins(name)

    def prepared_batches(data, **order):
        for x, y in DataLoader(data, batch_size=64, **order):
            yield prepared(name, torch.from_numpy(x.array)), torch.from_numpy(y.array)

    order, test = {"shuffle": True, "seed": 0}, MNIST(train=False)
    batches = prepared_batches(Subset(MNIST(), range(count)), **order)
    train(theirs, OPTIMIZERS["adam"](torch.optim, theirs), TF.cross_entropy, batches)
    with torch.no_grad():
        right = sum((theirs(x).argmax(1) == y).sum().item() for x, y in prepared_batches(test))
    expected = right / len(test)

    trainer = mc.Trainer(ours, OPTIMIZERS["adam"](mc.optim, ours))
    digits = Subset(pictures(name, None, train=True), range(count))
    trainer.fit(DataLoader(digits, batch_size=64, **order), epochs=1, verbose=False)
    accuracy = trainer.evaluate(pictures(name, None, train=False))["accuracy"]
    assert expected > 0.95
    assert abs(accuracy - expected) < 0.005, f"minicnn {accuracy:.2%}, PyTorch {expected:.2%}"
