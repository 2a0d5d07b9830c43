"""LeNet-5, the network that read the digits on cheques."""

from typing import Any

from minicnn import nn
from minicnn.models.pretrained import takes_weights


class LeNet5(nn.Sequential):
    """Two convolutions and three fully connected layers: 61,706 parameters.

    Input (N, 1, 32, 32), pictures in [0, 1]; output (N, num_classes), scores before softmax.

    Source: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998,
    in the form that is taught: every filter of the second convolution sees all channels, pooling has no
    weights, and a linear layer takes the place of the Gaussian one.
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(
            {
                "conv1": nn.Conv2d(1, 6, kernel_size=5),  # (N, 6, 28, 28)
                "tanh1": nn.Tanh(),
                "pool1": nn.AvgPool2d(2),  # (N, 6, 14, 14)
                "conv2": nn.Conv2d(6, 16, kernel_size=5),  # (N, 16, 10, 10)
                "tanh2": nn.Tanh(),
                "pool2": nn.AvgPool2d(2),  # (N, 16, 5, 5)
                "flatten": nn.Flatten(),
                "fc1": nn.Linear(16 * 5 * 5, 120),
                "tanh3": nn.Tanh(),
                "fc2": nn.Linear(120, 84),
                "tanh4": nn.Tanh(),
                "fc3": nn.Linear(84, num_classes),
            }
        )


@takes_weights
def lenet5(*args: Any, **kwargs: Any) -> LeNet5:
    """`LeNet5`, with its arguments."""
    return LeNet5(*args, **kwargs)
