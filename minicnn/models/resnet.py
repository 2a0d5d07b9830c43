"""Residual networks, whose layers learn what to add to their input.

Source: He, Zhang, Ren and Sun, Deep residual learning for image recognition, 2015. As in torchvision, a
bottleneck has its stride in the 3x3 convolution.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from minicnn import nn
from minicnn.models.pretrained import takes_weights
from minicnn.nn import functional as F
from minicnn.tensor import Tensor

NormLayer = Callable[[int], nn.Module]


def conv3x3(
    in_planes: int, out_planes: int, stride: int = 1, groups: int = 1, dilation: int = 1
) -> nn.Conv2d:
    """A 3x3 convolution with padding."""
    return nn.Conv2d(in_planes, out_planes, 3, stride, dilation, dilation, groups, bias=False)


def conv1x1(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """A 1x1 convolution."""
    return nn.Conv2d(in_planes, out_planes, kernel_size=1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut around them.

    Parameters
    ----------
    inplanes, planes : int
        Channels of the input and of the convolutions.
    stride : int
        Of the first convolution.
    downsample : Module, optional
        What brings the input to the shape of the output; without it, they have the same.
    groups, base_width, dilation : int
        Only for `Bottleneck`: of its 3x3 convolution, which has planes * base_width / 64 * groups channels.
    norm_layer : callable, optional
        Makes a normalisation of so many channels; BatchNorm2d unless given.
    """

    expansion: ClassVar[int] = 1  # channels of the output / planes

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: NormLayer | None = None,
    ) -> None:
        super().__init__()
        if (groups, base_width, dilation) != (1, 64, 1):
            raise ValueError(
                "BasicBlock: expected groups=1, base_width=64 and dilation=1, "
                f"got {groups}, {base_width} and {dilation}; networks of Bottleneck take others"
            )
        norm_layer = norm_layer or nn.BatchNorm2d
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm_layer(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm_layer(planes)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class Bottleneck(nn.Module):
    """Convolutions: 1x1 to few channels, 3x3, 1x1 to four times as many; and a shortcut around them.

    The parameters are those of `BasicBlock`; the stride is that of the 3x3 convolution.
    """

    expansion: ClassVar[int] = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: NormLayer | None = None,
    ) -> None:
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm_layer(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm_layer(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm_layer(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    """A stem that reduces the picture four times, four stages of blocks, and a linear layer.

    Input (N, 3, H, W), 224x224 in the paper; output (N, num_classes), scores before softmax.

    Parameters
    ----------
    block : type
        BasicBlock or Bottleneck.
    layers : list of int
        How many blocks each of the four stages has.
    num_classes : int
        Of the output.
    zero_init_residual : bool
        Start with each block as the identity: weight 0 in its last normalisation.
    groups, width_per_group : int
        Of the 3x3 convolutions of bottlenecks; the first stage has groups * width_per_group channels there.
    replace_stride_with_dilation : sequence of three bools, optional
        For the stages after the first: keep the size, and dilate the 3x3 convolutions instead.
    norm_layer : callable, optional
        Makes a normalisation of so many channels; BatchNorm2d unless given.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        layers: list[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        replace_stride_with_dilation: Sequence[bool] | None = None,
        norm_layer: NormLayer | None = None,
    ) -> None:
        super().__init__()
        dilate = (False, False, False)
        if replace_stride_with_dilation is not None:
            dilate = tuple(replace_stride_with_dilation)  # type: ignore[assignment]
        if len(dilate) != 3:
            raise ValueError(
                "ResNet: expected replace_stride_with_dilation None or three bools, "
                f"got {replace_stride_with_dilation}"
            )
        norm_layer = norm_layer or nn.BatchNorm2d
        self.groups, self.base_width = groups, width_per_group
        self.inplanes = 64  # channels so far
        self.dilation = 1  # so far
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)  # 224 -> 112
        self.bn1 = norm_layer(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool: nn.Module = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)  # -> 56
        self.layer1 = self._make_layer(block, 64, layers[0], 1, False, norm_layer)
        self.layer2 = self._make_layer(block, 128, layers[1], 2, dilate[0], norm_layer)  # -> 28
        self.layer3 = self._make_layer(block, 256, layers[2], 2, dilate[1], norm_layer)  # -> 14
        self.layer4 = self._make_layer(block, 512, layers[3], 2, dilate[2], norm_layer)  # -> 7
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        initialize(self, zero_init_residual)

    def _make_layer(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        planes: int,
        blocks: int,
        stride: int,
        dilate: bool,
        norm_layer: NormLayer,
    ) -> nn.Sequential:
        """A stage: blocks of equal size, of which the first may change the size."""
        downsample, channels = None, planes * block.expansion
        sizes: dict[str, Any] = {
            "groups": self.groups,
            "base_width": self.base_width,
            "dilation": self.dilation,
        }
        if dilate:
            self.dilation *= stride
            stride = 1
        if stride != 1 or self.inplanes != channels:
            downsample = nn.Sequential(conv1x1(self.inplanes, channels, stride), norm_layer(channels))
        first = block(self.inplanes, planes, stride, downsample, **sizes, norm_layer=norm_layer)
        self.inplanes = channels
        sizes["dilation"] = self.dilation
        return nn.Sequential(
            first, *(block(channels, planes, **sizes, norm_layer=norm_layer) for _ in range(1, blocks))
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def initialize(model: nn.Module, zero_init_residual: bool = False) -> None:
    """Start convolutions with normal weights that keep the variance of gradients."""
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
        elif zero_init_residual and isinstance(m, BasicBlock | Bottleneck):
            last: Any = m.bn2 if isinstance(m, BasicBlock) else m.bn3
            nn.init.zeros_(last.weight)


@takes_weights
def resnet18(**kwargs: Any) -> ResNet:
    """ResNet-18: 11,689,512 parameters for 1000 classes. Keywords are those of `ResNet`."""
    return ResNet(BasicBlock, [2, 2, 2, 2], **kwargs)


@takes_weights
def resnet34(**kwargs: Any) -> ResNet:
    """ResNet-34: 21,797,672 parameters for 1000 classes. Keywords are those of `ResNet`."""
    return ResNet(BasicBlock, [3, 4, 6, 3], **kwargs)


@takes_weights
def resnet50(**kwargs: Any) -> ResNet:
    """ResNet-50: 25,557,032 parameters for 1000 classes. Keywords are those of `ResNet`."""
    return ResNet(Bottleneck, [3, 4, 6, 3], **kwargs)


@takes_weights
def resnet101(**kwargs: Any) -> ResNet:
    """ResNet-101: 44,549,160 parameters for 1000 classes. Keywords are those of `ResNet`."""
    return ResNet(Bottleneck, [3, 4, 23, 3], **kwargs)


@takes_weights
def resnet152(**kwargs: Any) -> ResNet:
    """ResNet-152: 60,192,808 parameters for 1000 classes. Keywords are those of `ResNet`."""
    return ResNet(Bottleneck, [3, 8, 36, 3], **kwargs)


@takes_weights
def resnext50_32x4d(**kwargs: Any) -> ResNet:
    """ResNeXt-50, 32 groups of 4 channels: 25,028,904 parameters. Keywords are those of `ResNet`."""
    return ResNet(Bottleneck, [3, 4, 6, 3], **{"groups": 32, "width_per_group": 4, **kwargs})


@takes_weights
def wide_resnet50_2(**kwargs: Any) -> ResNet:
    """ResNet-50 with 3x3 convolutions twice as wide: 68,883,240 parameters."""
    return ResNet(Bottleneck, [3, 4, 6, 3], **{"width_per_group": 128, **kwargs})


def resnet18_cifar(num_classes: int = 10, in_channels: int = 3, **kwargs: Any) -> ResNet:
    """ResNet-18 for 32x32 pictures: 11,173,962 parameters for 10 classes.

    Its stem is one 3x3 convolution, so that the stages see 32x32, 16x16, 8x8 and 4x4 positions.
    """
    model = ResNet(BasicBlock, [2, 2, 2, 2], num_classes, **kwargs)
    model.conv1 = conv3x3(in_channels, 64)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.maxpool = nn.Identity()
    return model


class PadShortcut(nn.Module):
    """A shortcut without weights: every second position, and zeros for the channels there were not.

    Half of the zeros come before the channels of the input and half after them.
    """

    def __init__(self, new_channels: int) -> None:
        super().__init__()
        self.new_channels = new_channels

    def forward(self, x: Tensor) -> Tensor:
        before = self.new_channels // 2
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, before, self.new_channels - before))

    def extra_repr(self) -> str:
        return f"new_channels={self.new_channels}"


class SmallResNet(nn.Module):
    """The paper's networks for CIFAR-10 (section 4.2): three stages of n blocks, 6n + 2 layers with weights.

    Input (N, in_channels, 32, 32); output (N, num_classes), scores before softmax.

    Parameters
    ----------
    blocks : int
        n, the number of blocks in a stage.
    num_classes, in_channels : int
        Of the output and the input.
    """

    def __init__(self, blocks: int, num_classes: int = 10, in_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, 16)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        same = range(1, blocks)
        self.layer1 = nn.Sequential(BasicBlock(16, 16), *(BasicBlock(16, 16) for _ in same))
        self.layer2 = nn.Sequential(
            BasicBlock(16, 32, 2, PadShortcut(16)), *(BasicBlock(32, 32) for _ in same)
        )
        self.layer3 = nn.Sequential(
            BasicBlock(32, 64, 2, PadShortcut(32)), *(BasicBlock(64, 64) for _ in same)
        )
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(64, num_classes)
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.avgpool(x).flatten(1))


def resnet20(num_classes: int = 10, in_channels: int = 3) -> SmallResNet:
    """ResNet-20 for 32x32 pictures: 269,722 parameters for 10 classes."""
    return SmallResNet(3, num_classes, in_channels)
