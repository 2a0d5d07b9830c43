"""DenseNet: every layer sees the results of all layers before it.

Sources: Huang, Liu, van der Maaten and Weinberger, Densely connected convolutional networks, 2016;
Pleiss et al., Memory-efficient implementation of DenseNets, 2017.

Layer after layer, a dense block concatenates the same results once more. Kept for the gradient, these copies
would take memory that grows with the square of the number of layers. So they are made again in backward.
"""

from collections.abc import Sequence
from typing import Any

from minicnn import nn
from minicnn.autograd import Function, enable_grad, grad
from minicnn.models.pretrained import takes_weights
from minicnn.nn import functional as F
from minicnn.tensor import Tensor, cat


class Bottleneck(Function):
    """The first half of a dense layer in training: keeps its inputs only, and computes the rest anew."""

    @staticmethod
    def forward(ctx: Any, layer: "_DenseLayer", *inputs: Tensor) -> Tensor:
        ctx.layer = layer
        ctx.save_for_backward(*inputs)
        return layer.bottleneck(inputs[:-3])  # without the parameters

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        inputs = [x.detach().requires_grad_(x.requires_grad) for x in ctx.saved_tensors]
        *features, weight, bias, filters = inputs
        with enable_grad():  # the running statistics have followed the batch's already
            x = F.batch_norm(cat(features, 1), None, None, weight, bias, True, eps=ctx.layer.norm1.eps)
            y = F.conv2d(F.relu(x, inplace=True), filters)
        found = iter(grad(y, [x for x in inputs if x.requires_grad], gradient))
        return None, *(next(found) if x.requires_grad else None for x in inputs)


class _DenseLayer(nn.Module):
    """A 1x1 convolution to few channels, then a 3x3 one, each after batch normalisation and ReLU.

    Input: list of Tensors with `num_input_features` channels together; output (N, growth_rate, H, W).
    """

    def __init__(
        self,
        num_input_features: int,
        growth_rate: int,
        bn_size: int,
        drop_rate: float,
        memory_efficient: bool,
    ) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(num_input_features)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(num_input_features, bn_size * growth_rate, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth_rate)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(bn_size * growth_rate, growth_rate, kernel_size=3, padding=1, bias=False)
        self.drop_rate = drop_rate
        self.memory_efficient = memory_efficient

    def bottleneck(self, features: Sequence[Tensor]) -> Tensor:
        """The first half."""
        return self.conv1(self.relu1(self.norm1(cat(features, 1))))

    def forward(self, features: list[Tensor]) -> Tensor:
        if self.memory_efficient and self.norm1.training:
            parameters = self.norm1.weight, self.norm1.bias, self.conv1.weight
            x = Bottleneck.apply(self, *features, *parameters)
        else:
            x = self.bottleneck(features)
        x = self.conv2(self.relu2(self.norm2(x)))
        return F.dropout(x, self.drop_rate, self.training) if self.drop_rate else x


class _DenseBlock(nn.ModuleDict):
    """Layers that each take the block's input and the results of all layers before; output: all of these."""

    def __init__(
        self,
        num_layers: int,
        num_input_features: int,
        bn_size: int,
        growth_rate: int,
        drop_rate: float,
        memory_efficient: bool,
    ) -> None:
        super().__init__()
        for i in range(num_layers):
            self[f"denselayer{i + 1}"] = _DenseLayer(
                num_input_features + i * growth_rate, growth_rate, bn_size, drop_rate, memory_efficient
            )

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return cat(features, 1)


class _Transition(nn.Sequential):
    """Between two blocks: fewer channels, and half the width and height."""

    def __init__(self, num_input_features: int, num_output_features: int) -> None:
        super().__init__(
            {
                "norm": nn.BatchNorm2d(num_input_features),
                "relu": nn.ReLU(inplace=True),
                "conv": nn.Conv2d(num_input_features, num_output_features, kernel_size=1, bias=False),
                "pool": nn.AvgPool2d(kernel_size=2, stride=2),
            }
        )


class DenseNet(nn.Module):
    """A stem that reduces the picture four times, dense blocks with transitions between them, a linear layer.

    Input (N, 3, H, W), 224x224 in the paper; output (N, num_classes), scores before softmax.

    Parameters
    ----------
    growth_rate : int
        Channels that each layer adds.
    block_config : tuple of int
        How many layers each block has.
    num_init_features : int
        Channels of the stem.
    bn_size : int
        A layer's first convolution has ``bn_size * growth_rate`` channels.
    drop_rate : float
        Probability of the dropout after each layer.
    num_classes : int
        Of the output.
    memory_efficient : bool
        In training, make the concatenations anew in backward. Without, it is faster and takes more memory.
    """

    def __init__(
        self,
        growth_rate: int = 32,
        block_config: tuple[int, ...] = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0,
        num_classes: int = 1000,
        memory_efficient: bool = True,
    ) -> None:
        super().__init__()
        channels = num_init_features
        self.features = nn.Sequential(
            {
                "conv0": nn.Conv2d(3, channels, kernel_size=7, stride=2, padding=3, bias=False),  # 224 -> 112
                "norm0": nn.BatchNorm2d(channels),
                "relu0": nn.ReLU(inplace=True),
                "pool0": nn.MaxPool2d(kernel_size=3, stride=2, padding=1),  # -> 56
            }
        )
        for i, num_layers in enumerate(block_config, start=1):
            block = _DenseBlock(num_layers, channels, bn_size, growth_rate, drop_rate, memory_efficient)
            self.features.add_module(f"denseblock{i}", block)
            channels += num_layers * growth_rate
            if i < len(block_config):
                self.features.add_module(f"transition{i}", _Transition(channels, channels // 2))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)
            elif isinstance(m, nn.Linear) and m.bias is not None:
                nn.init.zeros_(m.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.features(x), inplace=True)
        return self.classifier(F.adaptive_avg_pool2d(x, (1, 1)).flatten(1))


@takes_weights
def densenet121(**kwargs: Any) -> DenseNet:
    """DenseNet-121: 7,978,856 parameters for 1000 classes. Keywords are those of `DenseNet`."""
    return DenseNet(**kwargs)
