"""Residual networks from torch.nn, in other words: a block is a row of layers and a way around it."""

import torch
import torch.nn.functional as F
from torch import nn


def convolution(c, o, k, s=1):
    return nn.Conv2d(c, o, k, s, k // 2, bias=False)


class Block(nn.Module):
    """Convolutions with these kernels and channels, ReLU between them, the stride at the first 3x3 one."""

    def __init__(self, c, kernels, channels, stride, projection):
        super().__init__()
        sizes = [c, *channels]
        at = kernels.index(3)
        self.layers = nn.ModuleList()
        for i, k in enumerate(kernels):
            self.layers += [
                convolution(sizes[i], sizes[i + 1], k, stride if i == at else 1),
                nn.BatchNorm2d(sizes[i + 1]),
            ]
        self.stride, self.grow = stride, channels[-1] - c
        changes = stride > 1 or self.grow
        self.side = None
        if projection and changes:
            self.side = nn.Sequential(convolution(c, channels[-1], 1, stride), nn.BatchNorm2d(channels[-1]))

    def forward(self, x):
        y = x
        for i in range(0, len(self.layers), 2):
            y = self.layers[i + 1](self.layers[i](y))
            if i + 2 < len(self.layers):
                y = F.relu(y)
        if self.side is not None:
            x = self.side(x)
        elif self.grow:
            zeros = torch.zeros_like(x[:, : self.grow // 2, :: self.stride, :: self.stride])
            x = torch.cat([zeros, x[:, :, :: self.stride, :: self.stride], zeros], dim=1)
        return F.relu(x + y)


class ResNet(nn.Module):
    def __init__(self, stem, width, depths, bottleneck, projection=True, pool=False, classes=10):
        super().__init__()
        self.stem, self.norm, self.pool = stem, nn.BatchNorm2d(width), pool
        blocks, c = [], width
        for stage, depth in enumerate(depths):
            w = width * 2**stage
            for i in range(depth):
                s = 2 if stage > 0 and i == 0 else 1
                kernels, channels = ((1, 3, 1), (w, w, 4 * w)) if bottleneck else ((3, 3), (w, w))
                blocks.append(Block(c, kernels, channels, s, projection))
                c = channels[-1]
        self.blocks, self.head = nn.Sequential(*blocks), nn.Linear(c, classes)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        if self.pool:
            x = F.max_pool2d(x, 3, 2, 1)
        return self.head(self.blocks(x).mean((2, 3)))


def imagenet(depths, bottleneck):
    return ResNet(convolution(3, 64, 7, 2), 64, depths, bottleneck, pool=True)


TWINS = {
    "resnet18": lambda: imagenet((2, 2, 2, 2), False),
    "resnet34": lambda: imagenet((3, 4, 6, 3), False),
    "resnet50": lambda: imagenet((3, 4, 6, 3), True),
    "resnet101": lambda: imagenet((3, 4, 23, 3), True),
    "resnet152": lambda: imagenet((3, 8, 36, 3), True),
    "resnet18_cifar": lambda: ResNet(convolution(3, 64, 3), 64, (2, 2, 2, 2), False),
    "resnet20": lambda: ResNet(convolution(3, 16, 3), 16, (3, 3, 3), False, projection=False),
}
