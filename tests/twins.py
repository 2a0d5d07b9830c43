"""The named models once more, in plain PyTorch: what minicnn's are compared with."""

import torch
import torch.nn.functional as TF
from torch import nn

import minicnn as mc


class LeNet5(nn.Module):
    """For pictures (N, 1, 32, 32)."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = TF.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = TF.avg_pool2d(torch.tanh(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        return self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))


class SimpleCNN(nn.Module):
    """For pictures (N, 1, 28, 28)."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.fc1 = nn.Linear(1600, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = TF.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = TF.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.fc2(torch.relu(self.fc1(torch.flatten(x, 1))))


class SimpleCNNForCIFAR(SimpleCNN):
    """For pictures (N, 3, 32, 32)."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = nn.Linear(4096, 512)
        self.fc2 = nn.Linear(512, 10)


class TwoLayer(nn.Module):
    """For pictures (N, 1, 28, 28)."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc = nn.Linear(3136, 10)

    def forward(self, x):
        x = TF.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = TF.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.fc(torch.flatten(x, 1))


class ThreeConv(nn.Module):
    """For pictures (N, 1, 28, 28)."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.conv3 = nn.Conv2d(64, 64, 3)
        self.fc1 = nn.Linear(576, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = TF.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = TF.max_pool2d(torch.relu(self.conv2(x)), 2)
        x = torch.flatten(torch.relu(self.conv3(x)), 1)
        return self.fc2(torch.relu(self.fc1(x)))


TWINS = {
    "lenet5": LeNet5,
    "simplecnn": SimpleCNN,
    "simplecnn_cifar": SimpleCNNForCIFAR,
    "threeconv": ThreeConv,
    "twolayer": TwoLayer,
}


def twins(name: str) -> tuple[mc.nn.Module, torch.nn.Module]:
    """The model of that name in minicnn and in PyTorch, with the same weights."""
    ours, theirs = mc.models.create(name), TWINS[name]()
    ours.load_state_dict({key: mc.tensor(value.numpy()) for key, value in theirs.state_dict().items()})
    return ours, theirs
