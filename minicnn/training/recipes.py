"""How the named models are trained on MNIST."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minicnn import optim
from minicnn.data import MNIST, Normalize, Pad
from minicnn.nn import Module

LEARNING_RATES = {"adam": 1e-3, "adamw": 1e-3, "sgd": 1e-2}
MOMENTUM = 0.9  # of sgd


@dataclass(frozen=True)
class Recipe:
    """The settings of a training that reaches a model's usual accuracy.

    Attributes
    ----------
    transform : callable
        What is done to pictures (N, 1, 28, 28) in [0, 1] before the model sees them.
    """

    transform: Callable[[np.ndarray], np.ndarray]
    epochs: int = 5
    batch_size: int = 64
    optimizer: str = "adam"


NORMALIZE = Normalize(0.1307, 0.3081)  # the mean and standard deviation of MNIST's training pixels
RECIPES = {
    "lenet5": Recipe(Pad(2)),
    "simplecnn": Recipe(NORMALIZE),
    "threeconv": Recipe(NORMALIZE),
    "twolayer": Recipe(NORMALIZE),
}
INPUT_SIZES = {
    **dict.fromkeys(RECIPES, (1, 28, 28)),
    **dict.fromkeys(("simplecnn_cifar", "resnet20", "resnet18_cifar"), (3, 32, 32)),
    "lenet5": (1, 32, 32),
    "alexnet_2012": (3, 227, 227),
    "yolov1": (3, 448, 448),
}


def recipe(name: str) -> Recipe:
    """The recipe of the model of that name.

    Raises
    ------
    ValueError
        It has none, as no data that comes with minicnn fits it.
    """
    if name not in RECIPES:
        raise ValueError(
            f"{name} is not for MNIST, and no other data comes with minicnn; train it from Python"
        )
    return RECIPES[name]


def mnist(name: str, train: bool, root: str | None = None) -> MNIST:
    """MNIST, or IDX files like it from the folder ``root``, in the form that the named model takes."""
    data = MNIST(train=train, transform=recipe(name).transform, root=root)
    if len(data) == 0 or data.images.shape[1:] != (28, 28):
        raise ValueError(f"{root}: expected pictures (N, 28, 28) for {name}, got {data.images.shape}")
    return data


def make_optimizer(name: str, model: Module, lr: float, momentum: float) -> optim.Optimizer:
    """The optimizer of that name for all parameters of the model; momentum is for "sgd"."""
    if name == "sgd":
        return optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    return {"adam": optim.Adam, "adamw": optim.AdamW}[name](model.parameters(), lr=lr)
