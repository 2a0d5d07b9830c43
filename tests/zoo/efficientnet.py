"""EfficientNets from torch.nn, in other words: flat lists of layers, each block a short program over them."""

from math import ceil, floor

import torch
from torch import nn

# of B0: how many times wider inside, kernel, stride, channels, blocks
STAGES = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3))
STAGES += ((6, 5, 2, 192, 4), (6, 3, 1, 320, 1))


def eights(channels):
    """A multiple of 8, and at least nine tenths."""
    nearest = floor(channels / 8 + 0.5) * 8
    return nearest if nearest >= 0.9 * channels else nearest + 8


def normed(c, o, k=1, s=1, groups=1, slow=False):
    norm = nn.BatchNorm2d(o, 1e-3, 0.01) if slow else nn.BatchNorm2d(o)
    return nn.Sequential(nn.Conv2d(c, o, k, s, k // 2, groups=groups, bias=False), norm)


def swish(x):
    return x * torch.sigmoid(x)


class Block(nn.Module):
    def __init__(self, c, o, ratio, k, s, slow):
        super().__init__()
        wide = c * ratio
        self.widen = normed(c, wide, slow=slow) if ratio > 1 else None
        self.filter = normed(wide, wide, k, s, wide, slow)
        self.squeeze, self.excite = nn.Conv2d(wide, c // 4, 1), nn.Conv2d(c // 4, wide, 1)
        self.narrow = normed(wide, o, slow=slow)
        self.add = s == 1 and c == o

    def forward(self, x):
        y = x if self.widen is None else swish(self.widen(x))
        y = swish(self.filter(y))
        y = y * torch.sigmoid(self.excite(swish(self.squeeze(y.mean((2, 3), keepdim=True)))))
        return self.narrow(y) + x if self.add else self.narrow(y)


class EfficientNet(nn.Module):
    def __init__(self, width, depth, slow=False, classes=10):
        super().__init__()
        c = eights(32 * width)
        self.stem = normed(3, c, 3, 2, slow=slow)
        self.blocks = nn.Sequential()
        for ratio, k, s, channels, count in STAGES:
            for i in range(ceil(count * depth)):
                o = eights(channels * width)
                self.blocks.append(Block(c, o, ratio, k, s if i == 0 else 1, slow))
                c = o
        self.last, self.head = normed(c, 4 * c, slow=slow), nn.Linear(4 * c, classes)

    def forward(self, x):
        return self.head(swish(self.last(self.blocks(swish(self.stem(x))))).mean((2, 3)))


TWINS = {
    "efficientnet_b0": lambda: EfficientNet(1.0, 1.0),
    "efficientnet_b1": lambda: EfficientNet(1.0, 1.1),
    "efficientnet_b2": lambda: EfficientNet(1.1, 1.2),
    "efficientnet_b3": lambda: EfficientNet(1.2, 1.4),
    "efficientnet_b4": lambda: EfficientNet(1.4, 1.8),
    "efficientnet_b5": lambda: EfficientNet(1.6, 2.2, slow=True),
    "efficientnet_b6": lambda: EfficientNet(1.8, 2.6, slow=True),
    "efficientnet_b7": lambda: EfficientNet(2.0, 3.1, slow=True),
}
