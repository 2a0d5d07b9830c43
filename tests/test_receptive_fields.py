"""What `summary` tells of receptive fields, memory and time."""

import dataclasses

import numpy as np
import pytest

import minicnn as mc
from minicnn import models, nn


def fields(model, size):
    """Name -> receptive field of each layer; the last call of a layer called twice."""
    return {row.name: row.receptive_field for row in mc.summary(model, size).rows}


def square(side):
    return side, side


def test_published_figures():
    """Araujo, Norris and Sim, Distill 2019; small pictures do, as no picture limits the formula."""
    assert fields(models.alexnet(), (3, 64, 64))["features.12"] == square(195)
    vgg16 = models.vgg.make_layers(models.vgg.CONFIGURATIONS["D"])
    found = fields(vgg16, (3, 64, 64))
    assert found["28"] == square(196)  # conv5_3
    assert found["30"] == square(212)
    assert fields(models.mobilenet_v1(), (3, 64, 64))["features.13.1.2"] == square(315)


@pytest.mark.parametrize(
    ("name", "published"),
    [("resnet50", 483), pytest.param("resnet101", 1027, marks=pytest.mark.slow)],
)
def test_residual_networks(name, published):
    """The published networks have a stage's stride in the last block of the stage before."""
    model = models.create(name)
    for stage, following in zip(
        (model.layer1, model.layer2, model.layer3), (model.layer2, model.layer3, model.layer4), strict=True
    ):
        width = stage[-1].conv3.out_channels
        following[0].conv2.stride = following[0].downsample[0].stride = (1, 1)
        stage[-1].conv2.stride = (2, 2)
        stage[-1].downsample = nn.Conv2d(width, width, 1, stride=2)
    assert fields(model, (3, 64, 64))["layer4.2.relu"] == square(published)


def test_torchvisions_resnet50():
    """With the stride in a stage's first block: 11 + 3 (8) + 8 + 3 (16) + 16 + 5 (32) + 32 + 2 (64)."""
    found = fields(models.resnet50(), (3, 64, 64))
    assert found["layer4.0.downsample.1"] == square(267)  # the shortcut, which sees less
    assert found["layer4.2.relu"] == square(427)
    assert found["avgpool"] == square(np.inf)
    assert found["fc"] is None


def measured(model, size):
    """Height and width of the pixels that one number of the output depends on: the largest found."""
    for p in model.parameters():
        nn.init.ones_(p)
    x = mc.ones(1, *size, requires_grad=True)
    _, _, height, width = model(x).shape
    sides = []
    for i in range(height // 2, height // 2 + 4):  # far from the edges
        for j in range(width // 2, width // 2 + 4):
            x.grad = None
            model(x)[0, 0, i, j].backward()
            sides.append(np.ptp(np.argwhere(x.grad.numpy()[0, 0]), axis=0) + 1)
    return tuple(np.max(sides, axis=0))


def test_by_gradients():
    layers = [nn.Conv2d(1, 2, (3, 5), stride=(1, 2), dilation=(3, 1)), nn.AvgPool2d((2, 3), padding=1)]
    model = nn.Sequential(*layers, nn.ReLU(inplace=True), nn.Conv2d(2, 1, (2, 3), padding=2, dilation=(1, 2)))
    expected = 3 * 2 + 1 + 1 + 2, 5 + 2 * 2 + 6 * 2 * 2
    assert fields(model, (1, 40, 70))["3"] == expected == measured(model, (1, 40, 70))


@pytest.mark.parametrize(
    "up", [nn.ConvTranspose2d(2, 2, 3, stride=2), nn.Upsample(scale_factor=2, mode="bilinear")]
)
def test_upsampling(up):
    """At most one cell of what was enlarged too much."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2), up, nn.Conv2d(2, 1, 3))
    height, width = measured(model, (1, 40, 40))
    told = fields(model, (1, 40, 40))["2"]
    assert told[0] == told[1]
    assert height == width <= told[0] <= height + 2


class Branches(nn.Module):
    """Two paths that are added, functions without layers, and parts that see everything."""

    def __init__(self):
        super().__init__()
        self.narrow, self.wide = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 5, padding=4, dilation=2)
        self.after, self.last = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 3, 1)

    def forward(self, x):
        narrow = nn.functional.relu(self.narrow(x))
        wide = nn.functional.avg_pool2d(self.wide(x), 1)
        x = self.after(nn.functional.avg_pool2d(mc.cat([narrow, narrow + wide], 1), 2))
        return self.last(x * x.mean((2, 3), keepdim=True))


def test_branches():
    assert fields(Branches(), (2, 12, 12)) == {
        "narrow": square(1),
        "wide": square(9),
        "after": square(9 + 1 + 2 * 2),
        "last": square(np.inf),
    }


def test_lines_and_tokens():
    net = nn.Sequential(nn.Unflatten(1, (2, 20)), nn.Conv1d(2, 3, 5, stride=2), nn.AvgPool1d(3, 1))
    assert list(fields(net, (40,)).values()) == [(1, 1), (1, 5), (1, 9)]
    found = fields(models.vit_s_16(num_classes=3), (3, 224, 224))
    assert found["conv_proj"] == found["encoder.layers.encoder_layer_0.ln_1"] == square(16)
    assert found["encoder.layers.encoder_layer_0.mlp.0"] == square(np.inf)


def test_memory_is_that_of_new_arrays():
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(inplace=True), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))
    found = mc.summary(net.double(), (5, 1, 6, 6))
    assert [row.memory for row in found.rows] == [8 * n for n in (5 * 48, 0, 5 * 48, 0, 5 * 2)]
    assert found.memory == 8 * 490
    assert found.parameter_memory == 8 * (27 + 3 + 96 + 2)


def test_times():
    class Slow(nn.Module):
        def forward(self, x):
            return sum([x] * 20_000)

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale, self.inner = nn.Parameter(mc.ones(1)), Slow()

        def forward(self, x):
            return self.inner(x) * self.scale

    net = nn.Sequential(nn.ReLU(), Outer())
    assert {row.seconds for row in mc.summary(net, (3,)).rows} == {None}
    found = mc.summary(net, (3,), time=True)
    first, slow, outer = (row.seconds for row in found.rows)
    assert 0 < first < slow / 5 > outer  # a layer's time is without that of the layers within
    assert slow < found.seconds
    assert str(found).splitlines()[3].split()[-1] == "ms"


def test_tables_are_narrow():
    for name, size in (("resnet18", (3, 32, 32)), ("vit_s_16", (3, 224, 224)), ("densenet121", (3, 32, 32))):
        lines = str(mc.summary(models.create(name), size, time=name == "vit_s_16")).splitlines()
        assert max(map(len, lines)) <= 110
        assert any(line.startswith("...") for line in lines) == (name == "vit_s_16")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, ""), (999, "999"), (1000, "1.000k"), (117_600, "117.6k"), (999_949, "999.9k"),
        (999_951, "1.000M"), (1_814_073_344, "1.814G"),
    ],
)  # fmt: skip
def test_short_numbers(count, text):
    assert mc.inspect.table.short(count) == text


def test_a_window_that_is_not_known_is_not_guessed():
    """Max pooling as a function keeps no window for its gradient."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3)

        def forward(self, x):
            return self.second(nn.functional.max_pool2d(self.first(x), 2))

    found = fields(Net(), (1, 20, 20))
    assert found["first"] == square(3)
    assert found["second"] in (None, square(8))


def test_a_table_of_slow_layers_is_narrow():
    found = mc.summary(models.create("vit_s_16"), (3, 224, 224))
    slow = [dataclasses.replace(row, seconds=1234.5) for row in found.rows]
    lines = str(dataclasses.replace(found, rows=tuple(slow), seconds=99999.0)).splitlines()
    assert max(map(len, lines)) <= 110
