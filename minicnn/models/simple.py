"""Small networks of 3x3 convolutions, ReLU and max pooling, as tutorials train them on MNIST and CIFAR-10."""

from typing import Any

from minicnn import nn
from minicnn.models.pretrained import takes_weights


class SimpleCNN(nn.Sequential):
    """Two convolutions and two fully connected layers: 225,034 parameters for MNIST.

    Input (N, in_channels, image_size, image_size); output (N, num_classes), scores before softmax.

    Parameters
    ----------
    num_classes : int
        Of the output.
    in_channels, image_size : int
        Of the input; MNIST's unless given.
    padding : int
        Of both convolutions.
    hidden : int
        Width of the first fully connected layer.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 1,
        image_size: int = 28,
        padding: int = 0,
        hidden: int = 128,
    ) -> None:
        side = image_size
        for _ in range(2):  # a 3x3 convolution, then a pool that halves
            side = (side + 2 * padding - 2) // 2
        if side < 1:
            raise ValueError(
                f"SimpleCNN: image_size {image_size} with padding {padding} is too small for its pools"
            )
        super().__init__(
            {
                "conv1": nn.Conv2d(in_channels, 32, kernel_size=3, padding=padding),  # MNIST (N, 32, 26, 26)
                "relu1": nn.ReLU(),
                "pool1": nn.MaxPool2d(2),  # (N, 32, 13, 13)
                "conv2": nn.Conv2d(32, 64, kernel_size=3, padding=padding),  # (N, 64, 11, 11)
                "relu2": nn.ReLU(),
                "pool2": nn.MaxPool2d(2),  # (N, 64, 5, 5)
                "flatten": nn.Flatten(),
                "fc1": nn.Linear(64 * side * side, hidden),
                "relu3": nn.ReLU(),
                "fc2": nn.Linear(hidden, num_classes),
            }
        )


def simplecnn_cifar(num_classes: int = 10) -> SimpleCNN:
    """SimpleCNN for CIFAR-10, input (N, 3, 32, 32): padding 1 and 512 hidden units, 2,122,186 parameters."""
    return SimpleCNN(num_classes, in_channels=3, image_size=32, padding=1, hidden=512)


class TwoLayer(nn.Sequential):
    """Two convolutions with padding and one fully connected layer, for MNIST: 50,186 parameters.

    Input (N, 1, 28, 28); output (N, num_classes), scores before softmax.
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(
            {
                "conv1": nn.Conv2d(1, 32, kernel_size=3, padding=1),  # (N, 32, 28, 28)
                "relu1": nn.ReLU(),
                "pool1": nn.MaxPool2d(2),  # (N, 32, 14, 14)
                "conv2": nn.Conv2d(32, 64, kernel_size=3, padding=1),  # (N, 64, 14, 14)
                "relu2": nn.ReLU(),
                "pool2": nn.MaxPool2d(2),  # (N, 64, 7, 7)
                "flatten": nn.Flatten(),
                "fc": nn.Linear(64 * 7 * 7, num_classes),
            }
        )


class ThreeConv(nn.Sequential):
    """Three convolutions and two fully connected layers, for MNIST: 93,322 parameters.

    Input (N, 1, 28, 28); output (N, num_classes), scores before softmax.

    Source: Chollet, Deep Learning with Python, 2018, listings 5.1 and 5.2.
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(
            {
                "conv1": nn.Conv2d(1, 32, kernel_size=3),  # (N, 32, 26, 26)
                "relu1": nn.ReLU(),
                "pool1": nn.MaxPool2d(2),  # (N, 32, 13, 13)
                "conv2": nn.Conv2d(32, 64, kernel_size=3),  # (N, 64, 11, 11)
                "relu2": nn.ReLU(),
                "pool2": nn.MaxPool2d(2),  # (N, 64, 5, 5)
                "conv3": nn.Conv2d(64, 64, kernel_size=3),  # (N, 64, 3, 3)
                "relu3": nn.ReLU(),
                "flatten": nn.Flatten(),
                "fc1": nn.Linear(64 * 3 * 3, 64),
                "relu4": nn.ReLU(),
                "fc2": nn.Linear(64, num_classes),
            }
        )


@takes_weights
def simplecnn(*args: Any, **kwargs: Any) -> SimpleCNN:
    """`SimpleCNN`, with its arguments."""
    return SimpleCNN(*args, **kwargs)


@takes_weights
def twolayer(*args: Any, **kwargs: Any) -> TwoLayer:
    """`TwoLayer`, with its arguments."""
    return TwoLayer(*args, **kwargs)


@takes_weights
def threeconv(*args: Any, **kwargs: Any) -> ThreeConv:
    """`ThreeConv`, with its arguments."""
    return ThreeConv(*args, **kwargs)
