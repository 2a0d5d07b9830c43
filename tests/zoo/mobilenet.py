"""MobileNets from torch.nn, in other words: a convolution, its normalisation and a limit are one layer."""

import torch
from torch import nn


class Layer(nn.Module):
    """A convolution and its normalisation; the result is limited to [0, top], where there is a top."""

    def __init__(self, c, o, k, stride=1, alone=False, top=None):
        super().__init__()
        self.convolution = nn.Conv2d(c, o, (k, k), (stride, stride), k // 2, 1, c if alone else 1, False)
        self.norm, self.top = nn.BatchNorm2d(o), top

    def forward(self, x):
        x = self.norm(self.convolution(x))
        return x if self.top is None else torch.clamp(x, min=0.0, max=self.top)


class Inverted(nn.Module):
    def __init__(self, c, o, stride, expansion):
        super().__init__()
        wide, self.add = c * expansion, stride == 1 and c == o
        expand = [Layer(c, wide, 1, top=6.0)] if expansion > 1 else []
        self.layers = nn.Sequential(*expand, Layer(wide, wide, 3, stride, True, 6.0), Layer(wide, o, 1))

    def forward(self, x):
        return self.layers(x) + (x if self.add else 0)


class MobileNet(nn.Module):
    def __init__(self, *layers, features):
        super().__init__()
        self.layers, self.head = nn.ModuleList(layers), nn.Linear(features, 10)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x.flatten(2).mean(2))


def first(a=1.0):
    """Channels and strides as in the paper's table 1; a is its width multiplier."""
    plan = "64 128/2 128 256/2 256 512/2 512 512 512 512 512 1024/2 1024"
    c, layers, infinite = int(32 * a), [], float("inf")
    layers.append(Layer(3, c, 3, 2, top=infinite))
    for item in plan.split():
        o, _, stride = item.partition("/")
        o = int(int(o) * a)
        layers += [Layer(c, c, 3, int(stride or 1), True, infinite), Layer(c, o, 1, top=infinite)]
        c = o
    return MobileNet(*layers, features=c)


def second(widths=(32, 16, 24, 32, 64, 96, 160, 320, 1280)):
    stem, *stages, last = widths
    c, layers = stem, [Layer(3, stem, 3, 2, top=6.0)]
    for o, count, stride in zip(stages, (1, 2, 3, 4, 3, 3, 1), (1, 2, 2, 2, 1, 2, 1), strict=True):
        for i in range(count):
            layers.append(Inverted(c, o, stride if i == 0 else 1, 1 if len(layers) == 1 else 6))
            c = o
    return MobileNet(*layers, Layer(c, last, 1, top=6.0), features=last)


TWINS = {"mobilenet_v1": first, "mobilenet_v2": second}
