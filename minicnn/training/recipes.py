"""How the named models are trained: which pictures they take, and the settings that serve."""

from dataclasses import dataclass
from typing import Any

from minicnn import models, optim
from minicnn.data import transforms as T
from minicnn.nn import Module

LEARNING_RATES = {"adam": 1e-3, "adamw": 1e-3, "sgd": 1e-2}
MOMENTUM = 0.9  # of sgd


@dataclass(frozen=True)
class Recipe:
    """The settings of a training.

    Attributes
    ----------
    channels : int
        Of the pictures that the model takes.
    usual_size : int
        Side of the pictures that it was made for.
    mnist_size : int
        To which side MNIST's 28x28 are brought: a small one, as a step on 224x224 takes 50 times as long.
    fixed : bool
        Whether the model takes pictures of no other size.
    epochs : int
        On MNIST enough for the usual accuracy, or for much of it where an epoch takes long.
    lr : float
        Of Adam; less for wide linear layers and for attention, which it would throw off in the first steps.
    """

    channels: int = 3
    usual_size: int = 224
    mnist_size: int = 32
    fixed: bool = False
    epochs: int = 1
    batch_size: int = 64
    optimizer: str = "adam"
    lr: float = LEARNING_RATES["adam"]


def _family(start: str) -> list[str]:
    return [name for name in models.list() if name.startswith(start)]


SMALL = Recipe(channels=1, usual_size=28, mnist_size=28, fixed=True, epochs=5)
RECIPES = {
    "lenet5": Recipe(channels=1, usual_size=32, fixed=True, epochs=5),
    **dict.fromkeys(("simplecnn", "threeconv", "twolayer"), SMALL),
    "simplecnn_cifar": Recipe(usual_size=32, fixed=True, epochs=5),
    **dict.fromkeys(("resnet20", "resnet18_cifar"), Recipe(usual_size=32)),
    "alexnet": Recipe(mnist_size=64, lr=1e-4),
    "alexnet_2012": Recipe(usual_size=227, mnist_size=227, fixed=True, lr=1e-4),
    **dict.fromkeys(_family("vgg"), Recipe(lr=1e-4)),
    **dict.fromkeys(_family("convnext"), Recipe(lr=1e-4)),
    **dict.fromkeys(_family("vit"), Recipe(mnist_size=64, lr=1e-4)),
}  # every other classifier: Recipe()
ELSEWHERE = {"unet": "examples/segment_digits.py", "yolov1": "examples/detect_digits.py"}


def recipe(name: str) -> Recipe:
    """The recipe of the model of that name.

    Raises
    ------
    ValueError
        It is no classifier.
    """
    if name in ELSEWHERE:
        raise ValueError(f"{name} is no classifier; {ELSEWHERE[name]} shows how to train such a model")
    return RECIPES.get(name, Recipe())


def input_size(name: str) -> tuple[int, int, int]:
    """The pictures (C, H, W) that the model was made for."""
    if name == "yolov1":
        return (3, 448, 448)
    usual = RECIPES.get(name, Recipe())
    return (usual.channels, usual.usual_size, usual.usual_size)


def side(name: str, size: int | None, photos: bool) -> int:
    """The side of the pictures for the model: `size`, or what serves for photos or for MNIST.

    Raises
    ------
    ValueError
        The model does not take pictures of this size.
    """
    usual = recipe(name)
    if usual.fixed and size not in (None, usual.usual_size):
        raise ValueError(f"{name} takes pictures of {usual.usual_size}x{usual.usual_size}, got size {size}")
    return size or (usual.usual_size if photos else usual.mnist_size)


def create(name: str, size: int, num_classes: int) -> Module:
    """The model for pictures of that side."""
    of_its_own = {"image_size": size} if name.startswith("vit_") else {}
    return models.create(name, num_classes=num_classes, **of_its_own)


def digit_transform(name: str, size: int) -> T.Transform:
    """What is done to MNIST's pictures (N, 1, 28, 28) in [0, 1] before the model sees them."""
    if name == "lenet5":
        return T.Pad(2)
    steps: list[Any] = [] if size == 28 else [T.Resize(size)]
    if recipe(name).channels == 3:
        steps.append(T.Grayscale(3))  # three equal ones
    return T.Compose([*steps, T.Normalize(0.1307, 0.3081)])  # the training pixels' mean and deviation


def photo_transform(name: str, size: int) -> T.Transform:
    """What is done to single PIL pictures in colour."""
    steps: list[Any] = [T.Resize(size), T.CenterCrop(size)]
    if recipe(name).channels == 1:
        return T.Compose([*steps, T.Grayscale(), T.ToTensor(), T.Normalize(0.449, 0.226)])
    imagenet = T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    return T.Compose([*steps, T.ToTensor(), imagenet])


def make_optimizer(name: str, model: Module, lr: float, momentum: float) -> optim.Optimizer:
    """The optimizer of that name for all parameters of the model; momentum is for "sgd"."""
    if name == "sgd":
        return optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    return {"adam": optim.Adam, "adamw": optim.AdamW}[name](model.parameters(), lr=lr)
