"""VGG: nothing but 3x3 convolutions, more of them than anybody had before.

Source: Simonyan and Zisserman, Very deep convolutional networks for large-scale image recognition, 2014.
The forms with batch normalisation, and the adaptive pooling, which lets in all sizes from 32x32 on, are
torchvision's.
"""

from typing import Any

from minicnn import nn
from minicnn.models.pretrained import takes_weights
from minicnn.tensor import Tensor

# The paper's table 1: channels of the convolutions, and "M" where a pool halves the picture.
CONFIGURATIONS: dict[str, list[int | str]] = {
    "A": [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "B": [64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "D": [64, 64, "M", 128, 128, "M", *[256] * 3, "M", *[512] * 3, "M", *[512] * 3, "M"],
    "E": [64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M"],
}


def make_layers(configuration: list[int | str], batch_norm: bool = False) -> nn.Sequential:
    """The convolutions and pools of one of `CONFIGURATIONS`, or of one of your own, for 3 channels."""
    layers: list[nn.Module] = []
    channels = 3
    for step in configuration:
        if isinstance(step, str):
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        else:
            layers.append(nn.Conv2d(channels, step, kernel_size=3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(step))
            layers.append(nn.ReLU(inplace=True))
            channels = step
    return nn.Sequential(*layers)


class VGG(nn.Module):
    """Convolutions to 512 channels at 7x7 positions, and three fully connected layers.

    Input (N, 3, H, W), 224x224 in the paper; output (N, num_classes), scores before softmax.

    Parameters
    ----------
    features : Module
        The convolutions, with 512 channels at the end.
    num_classes : int
        Of the output.
    init_weights : bool
        Start with the weights of torchvision's VGG; else each layer starts as it does on its own.
    dropout : float
        Probability, in the fully connected layers.
    """

    def __init__(
        self, features: nn.Module, num_classes: int = 1000, init_weights: bool = True, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            for m in self.modules():
                if isinstance(m, nn.Conv2d):
                    nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                elif isinstance(m, nn.Linear):
                    nn.init.normal_(m.weight, 0, 0.01)
                if isinstance(m, nn.Conv2d | nn.Linear) and m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


@takes_weights
def vgg11(**kwargs: Any) -> VGG:
    """VGG-11: 132,863,336 parameters for 1000 classes. Keywords are those of `VGG`."""
    return VGG(make_layers(CONFIGURATIONS["A"]), **kwargs)


@takes_weights
def vgg11_bn(**kwargs: Any) -> VGG:
    """VGG-11 with batch normalisation: 132,868,840 parameters for 1000 classes."""
    return VGG(make_layers(CONFIGURATIONS["A"], batch_norm=True), **kwargs)


@takes_weights
def vgg13(**kwargs: Any) -> VGG:
    """VGG-13: 133,047,848 parameters for 1000 classes. Keywords are those of `VGG`."""
    return VGG(make_layers(CONFIGURATIONS["B"]), **kwargs)


@takes_weights
def vgg13_bn(**kwargs: Any) -> VGG:
    """VGG-13 with batch normalisation: 133,053,736 parameters for 1000 classes."""
    return VGG(make_layers(CONFIGURATIONS["B"], batch_norm=True), **kwargs)


@takes_weights
def vgg16(**kwargs: Any) -> VGG:
    """VGG-16: 138,357,544 parameters for 1000 classes. Keywords are those of `VGG`."""
    return VGG(make_layers(CONFIGURATIONS["D"]), **kwargs)


@takes_weights
def vgg16_bn(**kwargs: Any) -> VGG:
    """VGG-16 with batch normalisation: 138,365,992 parameters for 1000 classes."""
    return VGG(make_layers(CONFIGURATIONS["D"], batch_norm=True), **kwargs)


@takes_weights
def vgg19(**kwargs: Any) -> VGG:
    """VGG-19: 143,667,240 parameters for 1000 classes. Keywords are those of `VGG`."""
    return VGG(make_layers(CONFIGURATIONS["E"]), **kwargs)


@takes_weights
def vgg19_bn(**kwargs: Any) -> VGG:
    """VGG-19 with batch normalisation: 143,678,248 parameters for 1000 classes."""
    return VGG(make_layers(CONFIGURATIONS["E"], batch_norm=True), **kwargs)
