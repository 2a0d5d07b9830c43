"""VGG and AlexNet from torch.nn, in other words."""

import torch.nn.functional as F
from torch import nn

DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


class VGG(nn.Module):
    """Five stages of convolutions; a narrow head in the place of the paper's, which AlexNet has too."""

    def __init__(self, depths, norm):
        super().__init__()
        c, self.stages = 3, nn.ModuleList()
        for i, depth in enumerate(depths):
            o, stage = 64 * 2 ** min(i, 3), []
            for _ in range(depth):
                stage += [nn.Conv2d(c, o, 3, 1, 1), *([nn.BatchNorm2d(o)] if norm else []), nn.ReLU()]
                c = o
            self.stages.append(nn.Sequential(*stage))
        self.head = nn.Linear(512 * 49, 10)

    def forward(self, x):
        for stage in self.stages:
            x = F.max_pool2d(stage(x), 2)
        return self.head(F.adaptive_avg_pool2d(x, 7).reshape(len(x), -1))


class AlexNet(nn.Module):
    """Convolutions as (channels in, out, kernel, stride, padding, groups); pools after the 1st, 2nd and 5th.

    The one with local response normalisation has a narrow head.
    """

    def __init__(self, convolutions, normalise):
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(c, o, k, s, p, groups=g) for c, o, k, s, p, g in convolutions
        )
        sizes = (9216, 10) if normalise else (9216, 4096, 4096, 10)
        self.dense = nn.ModuleList(map(nn.Linear, sizes[:-1], sizes[1:]))
        self.normalise = normalise

    def forward(self, x):
        for i, layer in enumerate(self.convolutions):
            x = F.relu(layer(x))
            if self.normalise and i < 2:
                near = F.pad(x * x, (0, 0, 0, 0, 2, 2)).unfold(1, 5, 1).sum(-1)  # over five channels
                x = x / (2 + 1e-4 * near) ** 0.75
            if i in (0, 1, 4):
                x = F.max_pool2d(x, 3, 2)
        if not self.normalise:
            x = F.adaptive_avg_pool2d(x, 6)
        x = x.reshape(len(x), -1)
        for layer in self.dense[:-1]:
            x = F.relu(layer(x))
        return self.dense[-1](x)


TORCHVISION = (3, 64, 11, 4, 2, 1), (64, 192, 5, 1, 2, 1), (192, 384, 3, 1, 1, 1), (384, 256, 3, 1, 1, 1)
ORIGINAL = (3, 96, 11, 4, 0, 1), (96, 256, 5, 1, 2, 2), (256, 384, 3, 1, 1, 1), (384, 384, 3, 1, 1, 2)
TWINS = {
    "alexnet": lambda: AlexNet((*TORCHVISION, (256, 256, 3, 1, 1, 1)), False),
    "alexnet_2012": lambda: AlexNet((*ORIGINAL, (384, 256, 3, 1, 1, 2)), True),
}
for number, depths in DEPTHS.items():
    TWINS[f"vgg{number}"] = lambda depths=depths: VGG(depths, False)
    TWINS[f"vgg{number}_bn"] = lambda depths=depths: VGG(depths, True)
