"""minicnn and PyTorch train the same networks on the same pictures: the losses and the accuracy must be the same.

PyTorch's side has its own networks (see twins.py) and prepares the pictures itself. It trains first, then minicnn:
the threads of the two would disturb each other.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import minicnn as mc
import minicnn.nn.functional as F
from minicnn.data import MNIST, DataLoader
from minicnn.training import recipes
from twins import twins

# As in the recipes.
OPTIMIZERS = {
    "adam": lambda optim, model: optim.Adam(model.parameters(), lr=1e-3),
    "sgd": lambda optim, model: optim.SGD(model.parameters(), lr=1e-2, momentum=0.9),
}


def prepare(name, pictures):
    """Pictures (N, 1, 28, 28) in [0, 1] as the network wants them, without minicnn's transforms."""
    return TF.pad(pictures, (2, 2, 2, 2)) if name == "lenet5" else (pictures - 0.1307) / 0.3081


def mnist_batches(name, steps):
    """For each step, a batch of MNIST for minicnn and one for PyTorch."""
    data = recipes.mnist(name, train=True)
    for indices in np.random.default_rng(0).permutation(60_000)[: 64 * steps].reshape(steps, 64):
        pictures = torch.from_numpy(data.images[indices])[:, None] / 255
        labels = torch.from_numpy(data.targets[indices])
        yield data.batch(indices), (prepare(name, pictures), labels)


def random_batches(steps):
    """The same with noise over a pattern for each class, (N, 3, 32, 32)."""
    rng = np.random.default_rng(0)
    patterns = rng.standard_normal((10, 3, 32, 32), np.float32)
    for _ in range(steps):
        labels = rng.integers(0, 10, 64)
        pictures = patterns[labels] / 4 + rng.standard_normal((64, 3, 32, 32), np.float32)
        yield (pictures, labels), (torch.from_numpy(pictures), torch.from_numpy(labels))


def losses(model, optimizer, cross_entropy, batches):
    """The loss of each step of a training; the same words for both libraries."""
    history = []
    for pictures, labels in batches:
        loss = cross_entropy(model(pictures), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return history


# LeNet-5 is smooth: rounding stays rounding. A network with ReLU and max pooling has kinks, where a last digit
# decides which way the gradient goes. In float32 this makes PyTorch leave its own float64 run by 6 % within 100
# steps of SimpleCNN, so float32 is compared as long as it is meaningful, and float64 all the way.
@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize(
    ("name", "dtype", "steps", "tolerance"),
    [
        ("lenet5", "float32", 100, 1e-3),
        ("lenet5", "float64", 100, 1e-6),
        ("simplecnn", "float32", 20, 1e-3),
        ("simplecnn", "float64", 100, 1e-6),
        ("simplecnn_cifar", "float64", 20, 1e-6),
        ("threeconv", "float64", 100, 1e-6),
        ("twolayer", "float64", 100, 1e-6),
    ],
)
def test_loss_of_every_step(name, dtype, steps, tolerance, optimizer):
    ours, theirs = (model.to(dtype) for model, dtype in zip(twins(name), (dtype, getattr(torch, dtype)), strict=True))
    batches = list(random_batches(steps) if name == "simplecnn_cifar" else mnist_batches(name, steps))
    make = OPTIMIZERS[optimizer]
    expected = losses(
        theirs, make(torch.optim, theirs), TF.cross_entropy, [(x.to(getattr(torch, dtype)), y) for _, (x, y) in batches]
    )
    found = losses(
        ours, make(mc.optim, ours), F.cross_entropy, [(mc.tensor(x, dtype), mc.tensor(y)) for (x, y), _ in batches]
    )
    assert expected[-1] < expected[0]
    np.testing.assert_allclose(found, expected, rtol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet5", "simplecnn"])
def test_accuracy_after_an_epoch(name):
    ours, theirs = twins(name)
    optimizer = OPTIMIZERS["adam"](torch.optim, theirs)
    losses(
        theirs,
        optimizer,
        TF.cross_entropy,
        (
            (prepare(name, torch.from_numpy(x.array)), torch.from_numpy(y.array))
            for x, y in DataLoader(MNIST(), batch_size=64, shuffle=True, seed=0)
        ),
    )
    right = 0
    with torch.no_grad():
        for x, y in DataLoader(MNIST(train=False), batch_size=500):
            guesses = theirs(prepare(name, torch.from_numpy(x.array))).argmax(1)
            right += (guesses.numpy() == y.array).sum()
    expected = 100 * right / 10_000

    trainer = mc.Trainer(ours, OPTIMIZERS["adam"](mc.optim, ours))
    train = DataLoader(recipes.mnist(name, train=True), batch_size=64, shuffle=True, seed=0)
    trainer.fit(train, epochs=1, verbose=False)
    found = 100 * trainer.evaluate(recipes.mnist(name, train=False))["accuracy"]
    print(f"{name}: PyTorch {expected:.2f} %, minicnn {found:.2f} %")
    assert expected > 95
    assert abs(found - expected) <= 0.5
