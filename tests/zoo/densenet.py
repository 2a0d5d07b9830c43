"""DenseNet from torch.nn, in other words: one growing Tensor a block."""

import torch
import torch.nn.functional as F
from torch import nn


class Step(nn.Module):
    """Batch normalisation, ReLU, convolution."""

    def __init__(self, c, o, k):
        super().__init__()
        self.norm, self.convolution = nn.BatchNorm2d(c), nn.Conv2d(c, o, k, padding="same", bias=False)

    def forward(self, x):
        return self.convolution(self.norm(x).relu())


class DenseNet(nn.Module):
    def __init__(self, depths=(6, 12, 24, 16), growth=32, c=64):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, c, 7, 2, 3, bias=False), nn.BatchNorm2d(c), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        self.blocks = nn.ModuleList()
        for last, depth in zip((False, False, False, True), depths, strict=True):
            pairs = [(Step(c + i * growth, 128, 1), Step(128, growth, 3)) for i in range(depth)]
            block = nn.ModuleList(nn.Sequential(*pair) for pair in pairs)
            c += depth * growth
            block.append(nn.BatchNorm2d(c) if last else Step(c, c // 2, 1))
            c //= 2
            self.blocks.append(block)
        self.head = nn.Linear(2 * c, 10)

    def forward(self, x):
        x = self.stem(x)
        for i, (*layers, end) in enumerate(self.blocks):
            for layer in layers:
                x = torch.cat([x, layer(x)], 1)
            x = end(x)
            if i < 3:
                x = F.avg_pool2d(x, 2)
        return self.head(x.relu().mean((2, 3)))


TWINS = {"densenet121": DenseNet}
