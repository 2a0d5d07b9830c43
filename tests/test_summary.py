"""minicnn.summary: its figures against published ones and PyTorch's hooks, and that it leaves no trace."""

import pytest
import torch

import minicnn as mc
from minicnn import models, nn

LENET5 = """\
input (1, 1, 32, 32)
-------------------------------------------------------------------------
                                    receptive              output
layer              output shape         field  parameters   bytes    MACs
-------------------------------------------------------------------------
conv1 (Conv2d)     (1, 6, 28, 28)           5         156  18.82k  117.6k
tanh1 (Tanh)       (1, 6, 28, 28)           5              18.82k
pool1 (AvgPool2d)  (1, 6, 14, 14)           6              4.704k
conv2 (Conv2d)     (1, 16, 10, 10)         14       2,416  6.400k  240.0k
tanh2 (Tanh)       (1, 16, 10, 10)         14              6.400k
pool2 (AvgPool2d)  (1, 16, 5, 5)           16              1.600k
flatten (Flatten)  (1, 400)
fc1 (Linear)       (1, 120)                        48,120     480  48.00k
tanh3 (Tanh)       (1, 120)                                   480
fc2 (Linear)       (1, 84)                         10,164     336  10.08k
tanh4 (Tanh)       (1, 84)                                    336
fc3 (Linear)       (1, 10)                            850      40     840
-------------------------------------------------------------------------
total                                              61,706  58.41k  416.5k
246.8k bytes of parameters"""


def test_lenet5():
    assert str(mc.summary(models.LeNet5(), (1, 32, 32))) == LENET5


def test_figures_of_a_batch():
    found = mc.summary(models.LeNet5(), [5, 1, 32, 32])
    assert found.input_size == (5, 1, 32, 32)
    assert found.parameters == found.trainable == 61_706
    assert found.macs == 5 * 416_520
    assert [row.shape for row in found.rows][::5] == [(5, 6, 28, 28), (5, 16, 5, 5), (5, 84)]


def test_shapes_are_those_of_pytorch():
    layers = [
        ("Conv2d", (4, 6, (3, 2)), {"stride": 2, "padding": 1, "dilation": (1, 2), "groups": 2}),
        ("MaxPool2d", (3, 2), {"ceil_mode": True}),
        ("Flatten", (2,), {}),
        ("Linear", (12, 5), {"bias": False}),
    ]
    ours = nn.Sequential(*(getattr(nn, name)(*args, **settings) for name, args, settings in layers))
    theirs = torch.nn.Sequential(
        *(getattr(torch.nn, name)(*args, **settings) for name, args, settings in layers)
    )
    expected = []
    for layer in theirs:
        layer.register_forward_hook(lambda layer, x, out: expected.append(tuple(out.shape)))
    theirs(torch.zeros(2, 4, 11, 15))
    found = mc.summary(ours, (2, 4, 11, 15))
    assert [row.shape for row in found.rows] == expected
    assert [row.parameters for row in found.rows] == [sum(p.numel() for p in m.parameters()) for m in theirs]
    outputs = torch.tensor(expected[0]).prod().item(), torch.tensor(expected[3]).prod().item()
    assert [row.macs for row in found.rows] == [outputs[0] * 2 * 3 * 2, 0, 0, outputs[1] * 12]


class Unusual(nn.Module):
    """A parameter beside children, a layer called twice, one not called, tied weights, frozen ones."""

    def __init__(self):
        super().__init__()
        self.twice = nn.Linear(3, 3, bias=False)
        self.tied = nn.Linear(3, 3, bias=False)
        self.tied.weight = self.twice.weight
        self.unused = nn.Linear(2, 2).requires_grad_(False)
        self.scale = nn.Parameter(mc.ones(3))
        self.drop = nn.Dropout(0.5)
        self.drop.eval()

    def forward(self, x):
        return self.drop(self.tied(self.twice(self.twice(x)))) * self.scale


def test_unusual_models():
    found = mc.summary(Unusual(), (4, 3))
    assert [(row.name, row.parameters, row.macs) for row in found.rows] == [
        ("twice", 9, 36),
        ("twice", 0, 36),
        ("tied", 0, 36),
        ("drop", 0, 0),
        ("", 3, 0),
    ]
    assert (found.parameters, found.trainable, found.macs) == (18, 12, 108)
    assert str(found).endswith("\n72 bytes of parameters\n6 of the parameters are frozen")


def test_single_layers_and_other_outputs():
    assert [(row.name, row.kind, row.shape) for row in mc.summary(nn.Linear(3, 2), (3,)).rows] == [
        ("", "Linear", (1, 2))
    ]

    class Two(nn.Module):
        def forward(self, x):
            return x, x

    assert mc.summary(Two(), (3,)).rows[0].shape == ()


def test_the_dtype_is_that_of_the_model():
    assert mc.summary(nn.Linear(3, 2).double(), (3,)).rows[0].shape == (1, 2)


@pytest.mark.parametrize("size", [(4, 3), (4, 7)])  # fits, does not fit
def test_nothing_is_left_behind(size):
    model = Unusual()
    model.twice.forward = kept = model.twice.forward
    modes = [m.training for m in model.modules()]
    if size == (4, 7):
        with pytest.raises(RuntimeError, match=r"linear: x has 7 features \(4, 7\) but weight expects 3"):
            mc.summary(model, size)
    else:
        mc.summary(model, size)
    assert [m.training for m in model.modules()] == modes
    assert [name for name, m in model.named_modules() if "forward" in vars(m)] == ["twice"]
    assert model.twice.forward is kept
    assert all(p.grad is None for p in model.parameters())
    assert mc.is_grad_enabled()


@pytest.mark.parametrize("size", [(), (1, 2, 3, 4, 5), (0, 3), (-1,)])
def test_wrong_sizes(size):
    with pytest.raises(
        ValueError, match="summary: expected input_size as one to four sizes of at least 1, got"
    ):
        mc.summary(nn.Linear(3, 2), size)


def test_no_module():
    with pytest.raises(TypeError, match="summary: expected a Module, got str"):
        mc.summary("lenet5", (1, 32, 32))


def test_attention_counts_its_projections_and_its_two_products():
    """Queries (2, 5, 6), keys and values (2, 7, 6): q, k, v, scores, means and the projection out."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

        def forward(self, x):
            longer = mc.cat([x, x[:, :2]], 1)
            return self.attention(x, longer, longer)[0]

    expected = 2 * (5 * 6 * 6 + 2 * 7 * 6 * 6 + 2 * 5 * 7 * 6 + 5 * 6 * 6)
    net = mc.nn.Sequential(nn.Flatten(2), Net())
    assert mc.summary(net, (2, 5, 3, 2)).macs == expected


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("mobilenet_v2", 0.30),
        ("efficientnet_b0", 0.39),
        pytest.param("resnet50", 4.1, marks=pytest.mark.slow),
        pytest.param("vgg16", 15.5, marks=pytest.mark.slow),
        pytest.param("vit_b_16", 17.6, marks=pytest.mark.slow),
    ],
)
def test_published_figures(name, published):
    """Billions of multiply-accumulates at 224 x 224, as the papers and torchvision give them."""
    macs = mc.summary(mc.models.create(name), (3, 224, 224)).macs / 1e9
    assert round(macs, len(str(published).partition(".")[2])) == published
