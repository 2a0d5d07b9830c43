"""ConvNeXts from torch.nn, in other words: channels first, 1x1 convolutions in place of linear layers."""

import torch
from torch import nn


def normalised(x, norm):
    """Over the channels of (N, C, H, W)."""
    mean = x.mean(1, keepdim=True)
    variance = ((x - mean) ** 2).mean(1, keepdim=True)
    return (x - mean) / (variance + 1e-6).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(c, 1, 1))
        self.filter, self.norm = nn.Conv2d(c, c, 7, padding=3, groups=c), nn.LayerNorm(c)
        self.up, self.down = nn.Linear(c, 4 * c), nn.Linear(4 * c, c)

    def forward(self, x):
        y = normalised(self.filter(x), self.norm)
        y = torch.einsum("nchw,oc->nohw", y, self.up.weight) + self.up.bias[:, None, None]
        y = y * (1 + torch.erf(y / 2**0.5)) / 2
        y = torch.einsum("nchw,oc->nohw", y, self.down.weight) + self.down.bias[:, None, None]
        return x + y * self.scale


class ConvNeXt(nn.Module):
    def __init__(self, width, depths, classes=10):
        super().__init__()
        self.stem, self.first = nn.Conv2d(3, width, 4, 4), nn.LayerNorm(width)
        self.rest = nn.ModuleList()
        for stage, depth in enumerate(depths):
            c = width * 2**stage
            self.rest.extend(Block(c) for _ in range(depth))
            if stage < 3:
                self.rest.append(nn.ModuleList([nn.LayerNorm(c), nn.Conv2d(c, 2 * c, 2, 2)]))
        self.last, self.head = nn.LayerNorm(c), nn.Linear(c, classes)

    def forward(self, x):
        x = normalised(self.stem(x), self.first)
        for part in self.rest:
            x = part(x) if isinstance(part, Block) else part[1](normalised(x, part[0]))
        return self.head(normalised(x.mean((2, 3), keepdim=True), self.last).flatten(1))


TWINS = {
    "convnext_tiny": lambda: ConvNeXt(96, (3, 3, 9, 3)),
    "convnext_small": lambda: ConvNeXt(96, (3, 3, 27, 3)),
    "convnext_base": lambda: ConvNeXt(128, (3, 3, 27, 3)),
}
