"""The named models: their sizes, their outputs, their names; LeNet-5 against a PyTorch program of it."""

import numpy as np
import pytest
import torch

import minicnn as mc
from minicnn import models
from parity import assert_close, numbers

MODELS = [
    ("lenet5", models.LeNet5, (1, 32, 32), 61_706),
    ("simplecnn", models.SimpleCNN, (1, 28, 28), 225_034),
    ("simplecnn_cifar", models.SimpleCNN, (3, 32, 32), 2_122_186),
    ("threeconv", models.ThreeConv, (1, 28, 28), 93_322),
    ("twolayer", models.TwoLayer, (1, 28, 28), 50_186),
]


def test_names():
    assert models.list() == sorted(models.list())
    assert {name for name, *_ in MODELS} < set(models.list())


@pytest.mark.parametrize(("name", "kind", "size", "parameters"), MODELS)
def test_sizes(name, kind, size, parameters):
    model = models.create(name)
    assert type(model) is kind
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert model(mc.randn(2, *size)).shape == (2, 10)
    assert models.create(name, num_classes=3)(mc.randn(1, *size)).shape == (1, 3)


def test_simple_cnn_of_other_sizes():
    model = models.SimpleCNN(num_classes=4, in_channels=2, image_size=21, padding=1, hidden=9)
    assert model(mc.randn(3, 2, 21, 21)).shape == (3, 4)
    with pytest.raises(ValueError, match="SimpleCNN: image_size 9 with padding 0 is too small"):
        models.SimpleCNN(image_size=9)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lenet", r"there is no model 'lenet'; did you mean 'lenet5'\?$"),
        ("SimpleCNN", "did you mean 'simplecnn'"),
        ("vgg16bn", "did you mean 'vgg16_bn'"),
        ("inception", "The models are alexnet, alexnet_2012, .*, threeconv, twolayer, "),
        (5, "there is no model 5"),
    ],
)
def test_unknown_names(name, words):
    with pytest.raises(ValueError, match=words):
        models.create(name)


def test_wrong_arguments_and_inputs():
    with pytest.raises(TypeError, match="classes"):
        models.create("lenet5", classes=3)
    with pytest.raises(RuntimeError, match=r"conv2d: x has 3 channels .* but weight expects 1"):
        models.LeNet5()(mc.zeros(1, 3, 32, 32))
    with pytest.raises(RuntimeError, match=r"linear: x has 256 features .* but weight expects 400"):
        models.LeNet5()(mc.zeros(1, 1, 28, 28))


class TorchLeNet5(torch.nn.Module):
    """LeNet-5 as a PyTorch tutorial writes it."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 6, 5)
        self.conv2 = torch.nn.Conv2d(6, 16, 5)
        self.fc1 = torch.nn.Linear(400, 120)
        self.fc2 = torch.nn.Linear(120, 84)
        self.fc3 = torch.nn.Linear(84, 10)

    def forward(self, x):
        x = torch.nn.functional.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = torch.nn.functional.avg_pool2d(torch.tanh(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        return self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))


class TorchSimpleCNN(torch.nn.Module):
    """The CIFAR-10 form of SimpleCNN as a PyTorch tutorial writes it."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 32, 3, padding=1)
        self.conv2 = torch.nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = torch.nn.Linear(4096, 512)
        self.fc2 = torch.nn.Linear(512, 10)

    def forward(self, x):
        x = torch.nn.functional.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = torch.nn.functional.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.fc2(torch.relu(self.fc1(torch.flatten(x, 1))))


@pytest.mark.parametrize(
    ("name", "theirs", "size"),
    [("lenet5", TorchLeNet5(), (1, 32, 32)), ("simplecnn_cifar", TorchSimpleCNN(), (3, 32, 32))],
)
def test_outputs_and_gradients(name, theirs, size):
    theirs = theirs.double()
    ours = models.create(name).double()
    ours.load_state_dict({key: mc.tensor(value.numpy()) for key, value in theirs.state_dict().items()})
    x, y = numbers(3, *size, dtype=np.float64), np.array([7, 0, 3])
    mine = mc.nn.functional.cross_entropy(ours(mc.Tensor(x)), mc.Tensor(y))
    reference = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(y))
    assert_close(mine, reference)
    mine.backward()
    reference.backward()
    for (key, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert_close(p.grad, q.grad, key)
