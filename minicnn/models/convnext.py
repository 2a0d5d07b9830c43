"""ConvNeXt: a convolutional network with the proportions of a transformer.

Source: Liu et al., A ConvNet for the 2020s, 2022. Names and details as torchvision's.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from minicnn import nn
from minicnn.models.pretrained import takes_weights
from minicnn.nn import init
from minicnn.tensor import Tensor, ones


class LayerNorm2d(nn.LayerNorm):
    """LayerNorm of the channels at each position of (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Permute(nn.Module):
    """The dimensions in another order."""

    def __init__(self, dims: list[int]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, input: Tensor) -> Tensor:
        return input.permute(*self.dims)


class CNBlock(nn.Module):
    """A 7x7 filter for each channel, then two linear layers at each position; added to the input.

    The branch is at first multiplied by a small layer_scale, so that the block is near the identity.
    """

    def __init__(self, dim: int, layer_scale: float, stochastic_depth_prob: float) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim),
            Permute([0, 2, 3, 1]),  # (N, H, W, C)
            nn.LayerNorm(dim, eps=1e-6),
            nn.Linear(dim, 4 * dim),
            nn.GELU(),
            nn.Linear(4 * dim, dim),
            Permute([0, 3, 1, 2]),
        )
        self.layer_scale = nn.Parameter(ones(dim, 1, 1) * layer_scale)
        self.stochastic_depth = nn.StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, input: Tensor) -> Tensor:
        return self.stochastic_depth(self.layer_scale * self.block(input)) + input


class CNBlockConfig(NamedTuple):
    """A stage of equal blocks, and the channels that follow it, None at the end."""

    input_channels: int
    out_channels: int | None
    num_layers: int  # blocks


class ConvNeXt(nn.Module):
    """Input (N, 3, H, W), at least 32x32; output (N, num_classes), scores before softmax.

    Parameters
    ----------
    block_setting : sequence of CNBlockConfig
        The stages.
    stochastic_depth_prob : float
        Of the last block; it grows evenly from 0 at the first.
    layer_scale : float
        What the blocks' branches are at first multiplied by.
    num_classes : int
        Of the output.
    norm_layer : callable, optional
        Makes a normalisation of so many channels, for (N, C, H, W); `LayerNorm2d` with eps 1e-6 unless given.
        As in torchvision, the blocks keep LayerNorm.
    """

    def __init__(
        self,
        block_setting: Sequence[CNBlockConfig],
        stochastic_depth_prob: float = 0.0,
        layer_scale: float = 1e-6,
        num_classes: int = 1000,
        norm_layer: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        norm_layer = norm_layer or partial(LayerNorm2d, eps=1e-6)
        first, last = block_setting[0].input_channels, block_setting[-1].input_channels
        stem = nn.Sequential(nn.Conv2d(3, first, kernel_size=4, stride=4), norm_layer(first))
        layers = [stem]
        blocks = sum(cnf.num_layers for cnf in block_setting)
        block = 0
        for cnf in block_setting:
            stage = nn.Sequential()
            for _ in range(cnf.num_layers):
                probability = stochastic_depth_prob * block / max(1, blocks - 1)
                stage.append(CNBlock(cnf.input_channels, layer_scale, probability))
                block += 1
            layers.append(stage)
            if cnf.out_channels is not None:
                layers.append(
                    nn.Sequential(
                        norm_layer(cnf.input_channels),
                        nn.Conv2d(cnf.input_channels, cnf.out_channels, kernel_size=2, stride=2),
                    )
                )
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(norm_layer(last), nn.Flatten(1), nn.Linear(last, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)))


def _convnext(width: int, third: int, stochastic_depth_prob: float, /, **kwargs: Any) -> ConvNeXt:
    """Stages of 3, 3, `third` and 3 blocks, each twice as wide as the one before."""
    stages = [
        CNBlockConfig(width, 2 * width, 3),
        CNBlockConfig(2 * width, 4 * width, 3),
        CNBlockConfig(4 * width, 8 * width, third),
        CNBlockConfig(8 * width, None, 3),
    ]
    return ConvNeXt(stages, **{"stochastic_depth_prob": stochastic_depth_prob, **kwargs})


@takes_weights
def convnext_tiny(**kwargs: Any) -> ConvNeXt:
    """ConvNeXt-T: 28,589,128 parameters."""
    return _convnext(96, 9, 0.1, **kwargs)


@takes_weights
def convnext_small(**kwargs: Any) -> ConvNeXt:
    """ConvNeXt-S: 50,223,688 parameters."""
    return _convnext(96, 27, 0.4, **kwargs)


@takes_weights
def convnext_base(**kwargs: Any) -> ConvNeXt:
    """ConvNeXt-B: 88,591,464 parameters."""
    return _convnext(128, 27, 0.5, **kwargs)
