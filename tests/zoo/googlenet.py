"""GoogLeNet from torch.nn, in other words: a table of the paper's, and one loop through it."""

import torch
import torch.nn.functional as F
from torch import nn

# Of each module: channels of 1x1, 3x3 (reduced, then full), "5x5" (the same), and of the pool's projection.
TABLE = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class Unit(nn.Module):
    def __init__(self, c, o, k, s=1):
        super().__init__()
        self.w = nn.Conv2d(c, o, k, s, (k - 1) // 2, bias=False)
        self.n = nn.BatchNorm2d(o, 1e-3)

    def forward(self, x):
        return self.n(self.w(x)).clamp(min=0)


class Module(nn.Module):
    def __init__(self, c, a, b0, b, c0, d, p):
        super().__init__()
        self.units = nn.ModuleList(
            Unit(*size) for size in ((c, a, 1), (c, b0, 1), (b0, b, 3), (c, c0, 1), (c0, d, 3), (c, p, 1))
        )

    def forward(self, x):
        one, reduce_three, three, reduce_five, five, pooled = self.units
        around = F.max_pool2d(F.pad(x, (1, 1, 1, 1), value=-torch.inf), 3, 1)
        return torch.hstack((one(x), three(reduce_three(x)), five(reduce_five(x)), pooled(around)))


class Side(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.unit, self.hidden, self.out = Unit(c, 128, 1), nn.Linear(2048, 1024), nn.Linear(1024, 10)

    def forward(self, x):
        return self.out(self.hidden(self.unit(F.adaptive_avg_pool2d(x, 4)).flatten(1)).relu())


class GoogLeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.ModuleList([Unit(3, 64, 7, 2), Unit(64, 64, 1), Unit(64, 192, 3)])
        self.rows, c = nn.ModuleDict(), 192
        for name, sizes in TABLE.items():
            self.rows[name] = Module(c, *sizes)
            c = sizes[0] + sizes[2] + sizes[4] + sizes[5]
        self.sides = nn.ModuleDict({"4a": Side(512), "4d": Side(528)})
        self.head = nn.Linear(1024, 10)

    def forward(self, x):
        first, second, third = self.stem
        x = F.max_pool2d(first(x), 3, 2, ceil_mode=True)
        x = F.max_pool2d(third(second(x)), 3, 2, ceil_mode=True)
        scores = []
        for name, module in self.rows.items():
            x = module(x)
            if name in self.sides:
                scores.append(self.sides[name](x))
            if name in ("3b", "4e"):
                x = F.max_pool2d(x, 3 if name == "3b" else 2, 2, ceil_mode=True)
        return self.head(x.mean((2, 3))), *scores[::-1]


TWINS = {"googlenet": GoogLeNet}
