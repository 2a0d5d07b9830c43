"""U-Nets from torch.nn, in other words: by recursion, each level around the next deeper one."""

import torch
import torch.nn.functional as F
from torch import nn


class Twice(nn.Module):
    def __init__(self, c, o, padding, norm):
        super().__init__()
        self.parts = nn.ModuleList()
        for i in (c, o):
            self.parts.append(nn.Conv2d(i, o, 3, padding=padding, bias=not norm))
            if norm:
                self.parts.append(nn.BatchNorm2d(o))

    def forward(self, x):
        for part in self.parts:
            x = part(x)
            if isinstance(part, nn.BatchNorm2d) or len(self.parts) == 2:
                x = F.relu(x)
        return x


class UNet(nn.Module):
    def __init__(self, inputs=3, classes=10, width=8, depth=3, padding=1, norm=True):
        super().__init__()
        c = [width * 2**i for i in range(depth + 1)]
        self.first = Twice(inputs, width, padding, norm)
        self.down = nn.ModuleList(Twice(a, 2 * a, padding, norm) for a in c[:-1])
        self.up = nn.ModuleList(
            nn.ModuleList([nn.ConvTranspose2d(2 * a, a, 2, 2), Twice(2 * a, a, padding, norm)])
            for a in reversed(c[:-1])
        )
        self.last, self.padding = nn.Conv2d(width, classes, 1), padding

    def level(self, x, i):
        """What comes out at the size of x, which the encoder has there."""
        if i == len(self.down):
            return x
        y = self.level(self.down[i](F.max_pool2d(x, 2)), i + 1)
        up, convolutions = self.up[len(self.up) - 1 - i]
        y = up(y)
        if self.padding:
            whole = torch.zeros(*y.shape[:2], *x.shape[2:], dtype=x.dtype)
            top, left = (x.shape[2] - y.shape[2]) // 2, (x.shape[3] - y.shape[3]) // 2
            whole[:, :, top : top + y.shape[2], left : left + y.shape[3]] = y
            y = whole
        else:
            top, left = (x.shape[2] - y.shape[2]) // 2, (x.shape[3] - y.shape[3]) // 2
            x = x[:, :, top : top + y.shape[2], left : left + y.shape[3]]
        return convolutions(torch.cat([x, y], 1))

    def forward(self, x):
        return self.last(self.level(self.first(x), 0))
