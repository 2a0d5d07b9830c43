"""MobileNet: convolutions of one channel each, and 1x1 convolutions to mix the channels.

Sources: Howard et al., MobileNets: efficient convolutional neural networks for mobile vision applications,
2017; Sandler, Howard, Zhu, Zhmoginov and Chen, MobileNetV2: inverted residuals and linear bottlenecks, 2018.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from minicnn import nn
from minicnn.models.blocks import Conv2dNormActivation, make_divisible
from minicnn.models.pretrained import takes_weights
from minicnn.tensor import Tensor

NormLayer = Callable[[int], nn.Module]

# The paper's table 2: expansion t, channels c, repetitions n, stride s of the first.
BLOCKS = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]
# MobileNet's table 1: channels and stride of the depthwise separable blocks.
FIRST = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
SEPARABLE_BLOCKS = [*FIRST, *[(512, 1)] * 5, (1024, 2), (1024, 1)]


def depthwise_separable(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """The block of the first MobileNet: 3x3 for each channel on its own, then 1x1 across the channels.

    A 3x3 convolution multiplies 9 C O times at each position, this block 9 C + C O times.
    """
    return nn.Sequential(
        Conv2dNormActivation(in_channels, in_channels, stride=stride, groups=in_channels),
        Conv2dNormActivation(in_channels, out_channels, kernel_size=1),
    )


class InvertedResidual(nn.Module):
    """The block of V2: 1x1 to many channels, 3x3 for each on its own, 1x1 to few, without ReLU at the end.

    Parameters
    ----------
    inp, oup : int
        Channels of the input and the output; where they are equal and the stride is 1, the input is added.
    stride : int
        Of the 3x3 convolution, 1 or 2.
    expand_ratio : int
        How many times as many channels there are inside; with 1, the first convolution is left out.
    norm_layer : callable, optional
        Makes a normalisation of so many channels; BatchNorm2d unless given.
    """

    def __init__(
        self, inp: int, oup: int, stride: int, expand_ratio: int, norm_layer: NormLayer | None = None
    ) -> None:
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.ReLU6)
        self.use_res_connect = stride == 1 and inp == oup
        hidden = inp * expand_ratio
        layers: list[nn.Module] = []
        if expand_ratio != 1:
            layers.append(conv(inp, hidden, kernel_size=1))
        layers += [
            conv(hidden, hidden, stride=stride, groups=hidden),
            nn.Conv2d(hidden, oup, kernel_size=1, bias=False),
            norm_layer(oup),
        ]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """Seventeen inverted residuals between two convolutions, and a linear layer.

    Input (N, 3, H, W), 224x224 in the paper; output (N, num_classes), scores before softmax.

    Parameters
    ----------
    num_classes : int
        Of the output.
    width_mult : float
        Multiplies the number of channels of every layer, which is rounded to multiples of `round_nearest`.
    inverted_residual_setting : list, optional
        Expansion, channels, repetitions and stride of each stage, in the place of the paper's.
    round_nearest : int
        See width_mult.
    dropout : float
        Probability, before the linear layer.
    norm_layer : callable, optional
        Makes a normalisation of so many channels; BatchNorm2d unless given.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: list[tuple[int, int, int, int]] | None = None,
        round_nearest: int = 8,
        dropout: float = 0.2,
        norm_layer: NormLayer | None = None,
    ) -> None:
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.ReLU6)
        channels = make_divisible(32 * width_mult, round_nearest)
        # Narrow networks keep a wide end: the paper's section 6.1.
        self.last_channel = make_divisible(1280 * max(1.0, width_mult), round_nearest)
        features: list[nn.Module] = [conv(3, channels, stride=2)]
        for t, c, n, s in inverted_residual_setting or BLOCKS:
            wide = make_divisible(c * width_mult, round_nearest)
            for i in range(n):
                features.append(InvertedResidual(channels, wide, s if i == 0 else 1, t, norm_layer))
                channels = wide
        features.append(conv(channels, self.last_channel, kernel_size=1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout), nn.Linear(self.last_channel, num_classes))
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


class MobileNetV1(nn.Module):
    """A convolution, thirteen depthwise separable blocks, and a linear layer.

    Input (N, 3, H, W), 224x224 in the paper; output (N, num_classes), scores before softmax.

    Parameters
    ----------
    num_classes : int
        Of the output.
    width_mult : float
        Multiplies the number of channels of every layer: the paper's alpha.
    """

    def __init__(self, num_classes: int = 1000, width_mult: float = 1.0) -> None:
        super().__init__()
        channels = int(32 * width_mult)
        features: list[nn.Module] = [Conv2dNormActivation(3, channels, stride=2)]
        for c, s in SEPARABLE_BLOCKS:
            features.append(depthwise_separable(channels, int(c * width_mult), s))
            channels = int(c * width_mult)
        self.features = nn.Sequential(*features)
        self.classifier = nn.Linear(channels, num_classes)
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def initialize(model: nn.Module) -> None:
    """torchvision's initial weights."""
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out")
        elif isinstance(m, nn.Linear) and m.bias is not None:
            nn.init.normal_(m.weight, 0, 0.01)
            nn.init.zeros_(m.bias)


def mobilenet_v1(num_classes: int = 1000, width_mult: float = 1.0) -> MobileNetV1:
    """MobileNet, the first: 4,231,976 parameters for 1000 classes."""
    return MobileNetV1(num_classes, width_mult)


@takes_weights
def mobilenet_v2(**kwargs: Any) -> MobileNetV2:
    """MobileNetV2: 3,504,872 parameters for 1000 classes. Keywords are those of `MobileNetV2`."""
    return MobileNetV2(**kwargs)
