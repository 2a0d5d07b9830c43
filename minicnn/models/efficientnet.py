"""EfficientNet: one small network found by search, and seven larger ones by scaling depth, width and picture.

Source: Tan and Le, EfficientNet: rethinking model scaling for convolutional neural networks, 2019. Names and
details as torchvision's.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from minicnn import nn
from minicnn.models.blocks import Conv2dNormActivation, make_divisible
from minicnn.models.pretrained import takes_weights
from minicnn.nn import init
from minicnn.tensor import Tensor

NormLayer = Callable[[int], nn.Module]


class SqueezeExcitation(nn.Module):
    """Each channel times a number between 0 and 1, which depends on the means of all channels.

    Source: Hu et al., Squeeze-and-excitation networks, 2018.
    """

    def __init__(self, input_channels: int, squeeze_channels: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation = nn.SiLU(inplace=True)
        self.scale_activation = nn.Sigmoid()

    def forward(self, input: Tensor) -> Tensor:
        scale = self.fc2(self.activation(self.fc1(self.avgpool(input))))  # (N, C, 1, 1)
        return self.scale_activation(scale) * input


class MBConvConfig(NamedTuple):
    """A row of the paper's table 1: one stage of equal blocks."""

    expand_ratio: int  # how many times wider a block is inside
    kernel: int
    stride: int  # of the first block
    input_channels: int
    out_channels: int
    num_layers: int  # blocks

    def scaled(self, width_mult: float, depth_mult: float) -> "MBConvConfig":
        """The same stage with more channels and more blocks."""
        return self._replace(
            input_channels=make_divisible(self.input_channels * width_mult),
            out_channels=make_divisible(self.out_channels * width_mult),
            num_layers=math.ceil(self.num_layers * depth_mult),
        )


class MBConv(nn.Module):
    """Widen by a 1x1 convolution, filter each channel by itself, weigh the channels, narrow by a 1x1 one.

    Where input and output have one shape, they are added; stochastic depth leaves the branch out at times.
    """

    def __init__(self, cnf: MBConvConfig, stochastic_depth_prob: float, norm_layer: NormLayer) -> None:
        super().__init__()
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        wide = make_divisible(cnf.input_channels * cnf.expand_ratio)
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        layers: list[nn.Module] = []
        if wide != cnf.input_channels:
            layers.append(conv(cnf.input_channels, wide, kernel_size=1))
        layers += [
            conv(wide, wide, kernel_size=cnf.kernel, stride=cnf.stride, groups=wide),
            SqueezeExcitation(wide, max(1, cnf.input_channels // 4)),
            conv(wide, cnf.out_channels, kernel_size=1, activation_layer=None),
        ]
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = nn.StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        if self.use_res_connect:
            result = self.stochastic_depth(result) + input
        return result


STAGES = (  # of B0
    MBConvConfig(1, 3, 1, 32, 16, 1),
    MBConvConfig(6, 3, 2, 16, 24, 2),
    MBConvConfig(6, 5, 2, 24, 40, 2),
    MBConvConfig(6, 3, 2, 40, 80, 3),
    MBConvConfig(6, 5, 1, 80, 112, 3),
    MBConvConfig(6, 5, 2, 112, 192, 4),
    MBConvConfig(6, 3, 1, 192, 320, 1),
)


class EfficientNet(nn.Module):
    """Input (N, 3, H, W); output (N, num_classes), scores before softmax.

    Parameters
    ----------
    inverted_residual_setting : sequence of MBConvConfig
        The stages.
    dropout : float
        Before the last layer.
    stochastic_depth_prob : float
        Block i of n is left out with i / n of it.
    num_classes : int
        Of the output.
    norm_layer : callable, optional
        Makes a normalisation of so many channels; BatchNorm2d unless given.
    """

    def __init__(
        self,
        inverted_residual_setting: list[MBConvConfig],
        dropout: float,
        stochastic_depth_prob: float = 0.2,
        num_classes: int = 1000,
        norm_layer: NormLayer | None = None,
    ) -> None:
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        layers: list[nn.Module] = [conv(3, inverted_residual_setting[0].input_channels, stride=2)]
        blocks = sum(cnf.num_layers for cnf in inverted_residual_setting)
        block = 0
        for cnf in inverted_residual_setting:
            stage = nn.Sequential()
            for _ in range(cnf.num_layers):
                stage.append(MBConv(cnf, stochastic_depth_prob * block / blocks, norm_layer))
                cnf = cnf._replace(input_channels=cnf.out_channels, stride=1)  # only the first one narrows
                block += 1
            layers.append(stage)
        last = inverted_residual_setting[-1].out_channels
        layers.append(conv(last, 4 * last, kernel_size=1))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout, inplace=True), nn.Linear(4 * last, num_classes))
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                bound = 1 / math.sqrt(module.out_features)
                init.uniform_(module.weight, -bound, bound)
            else:
                continue
            if module.bias is not None:
                init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


SLOW_NORM = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)  # of the three largest


def _efficientnet(width_mult: float, depth_mult: float, dropout: float, /, **kwargs: Any) -> EfficientNet:
    """B0 with more channels and more blocks."""
    stages = [stage.scaled(width_mult, depth_mult) for stage in STAGES]
    return EfficientNet(stages, **{"dropout": dropout, **kwargs})


@takes_weights
def efficientnet_b0(**kwargs: Any) -> EfficientNet:
    """EfficientNet-B0, in the paper for pictures of 224x224: 5,288,548 parameters."""
    return _efficientnet(1.0, 1.0, 0.2, **kwargs)


@takes_weights
def efficientnet_b1(**kwargs: Any) -> EfficientNet:
    """EfficientNet-B1, in the paper for pictures of 240x240: 7,794,184 parameters."""
    return _efficientnet(1.0, 1.1, 0.2, **kwargs)


@takes_weights
def efficientnet_b2(**kwargs: Any) -> EfficientNet:
    """EfficientNet-B2, in the paper for pictures of 260x260: 9,109,994 parameters."""
    return _efficientnet(1.1, 1.2, 0.3, **kwargs)


@takes_weights
def efficientnet_b3(**kwargs: Any) -> EfficientNet:
    """EfficientNet-B3, in the paper for pictures of 300x300: 12,233,232 parameters."""
    return _efficientnet(1.2, 1.4, 0.3, **kwargs)


@takes_weights
def efficientnet_b4(**kwargs: Any) -> EfficientNet:
    """EfficientNet-B4, in the paper for pictures of 380x380: 19,341,616 parameters."""
    return _efficientnet(1.4, 1.8, 0.4, **kwargs)


@takes_weights
def efficientnet_b5(**kwargs: Any) -> EfficientNet:
    """EfficientNet-B5, in the paper for pictures of 456x456: 30,389,784 parameters."""
    return _efficientnet(1.6, 2.2, 0.4, **{"norm_layer": SLOW_NORM, **kwargs})


@takes_weights
def efficientnet_b6(**kwargs: Any) -> EfficientNet:
    """EfficientNet-B6, in the paper for pictures of 528x528: 43,040,704 parameters."""
    return _efficientnet(1.8, 2.6, 0.5, **{"norm_layer": SLOW_NORM, **kwargs})


@takes_weights
def efficientnet_b7(**kwargs: Any) -> EfficientNet:
    """EfficientNet-B7, in the paper for pictures of 600x600: 66,347,960 parameters."""
    return _efficientnet(2.0, 3.1, 0.5, **{"norm_layer": SLOW_NORM, **kwargs})
