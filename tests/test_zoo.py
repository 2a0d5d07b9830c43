"""The known architectures: their sizes, torchvision's names and answers, and training beside PyTorch's."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import minicnn as mc
from minicnn import models
from zoo import answers, convnext, densenet, efficientnet, googlenet, mobilenet, resnet, vgg, vit
from zoo.compare import train_alike


class Row(NamedTuple):
    name: str
    parameters: int  # as created without arguments
    shape: tuple[int, ...]  # of the batch it is trained with; () leaves that out
    slow: bool = False
    lr: float = 0.01
    options: dict = {}  # noqa: RUF012 (read only); for the model that is trained
    gain: float | None = None  # start from the formula's weights; the model's own hide some gradients
    dtype: type = np.float64
    start: Callable[[Any], None] = lambda model: None  # changes the new model before it is trained


def calm(model):
    """Small residual branches, as rounding errors double from block to block otherwise."""
    for module in model.modules():
        if isinstance(module, models.resnet.Bottleneck):
            mc.nn.init.constant_(module.bn3.weight, 0.2)


def narrow(model):
    """A small head: VGG's own is that of torchvision's AlexNet, with 120 million weights."""
    inputs = next(m.in_features for m in model.classifier if isinstance(m, mc.nn.Linear))
    model.classifier = mc.nn.Linear(inputs, 10)


TABLE = [
    Row("resnet18", 11_689_512, (4, 3, 64, 64)),
    Row("resnet34", 21_797_672, (4, 3, 64, 64), slow=True),
    Row("resnet50", 25_557_032, (4, 3, 64, 64), start=calm),
    Row("resnet101", 44_549_160, (4, 3, 64, 64), slow=True, start=calm),
    Row("resnet152", 60_192_808, (4, 3, 64, 64), slow=True, start=calm),
    Row("resnet18_cifar", 11_173_962, (4, 3, 32, 32)),
    Row("resnet20", 269_722, (4, 3, 32, 32)),
    Row("alexnet", 61_100_840, (2, 3, 67, 90), gain=2.0, dtype=np.float32),
    Row("alexnet_2012", 60_965_224, (2, 3, 227, 230), gain=2.0, start=narrow),
    Row("vgg11", 132_863_336, (2, 3, 35, 66), start=narrow, slow=True),
    Row("vgg11_bn", 132_868_840, (3, 3, 35, 66), start=narrow),
    Row("vgg13", 133_047_848, (2, 3, 35, 66), start=narrow, slow=True),
    Row("vgg13_bn", 133_053_736, (3, 3, 35, 66), start=narrow, slow=True),
    Row("vgg16", 138_357_544, (2, 3, 35, 66), start=narrow, slow=True),
    Row("vgg16_bn", 138_365_992, (3, 3, 35, 66), start=narrow, slow=True),
    Row("vgg19", 143_667_240, (2, 3, 35, 66), start=narrow, slow=True),
    Row("vgg19_bn", 143_678_248, (3, 3, 35, 66), start=narrow, slow=True),
    Row("googlenet", 13_004_888, (4, 3, 75, 90), gain=1.4),
    Row("densenet121", 7_978_856, (4, 3, 75, 90)),
    Row("mobilenet_v1", 4_231_976, (4, 3, 45, 61)),
    Row("mobilenet_v2", 3_504_872, (4, 3, 45, 61)),
    Row("convnext_tiny", 28_589_128, (2, 3, 35, 61), gain=1.0),
    Row("convnext_small", 50_223_688, (2, 3, 33, 40), slow=True, gain=1.0),
    Row("convnext_base", 88_591_464, (2, 3, 35, 32), slow=True, gain=1.0, dtype=np.float32),
    Row("efficientnet_b0", 5_288_548, (4, 3, 45, 61)),
    Row("efficientnet_b1", 7_794_184, (4, 3, 64, 41)),
    Row("efficientnet_b2", 9_109_994, (4, 3, 64, 41)),
    Row("efficientnet_b3", 12_233_232, (4, 3, 64, 41)),
    Row("efficientnet_b4", 19_341_616, (4, 3, 64, 41)),
    Row("efficientnet_b5", 30_389_784, (4, 3, 64, 41), slow=True),
    Row("efficientnet_b6", 43_040_704, (4, 3, 33, 41), slow=True),
    Row("efficientnet_b7", 66_347_960, (4, 3, 33, 41), slow=True),
    Row("vit_s_16", 22_050_664, (2, 3, 64, 64), options={"image_size": 64}, gain=1.0),
    Row("vit_b_16", 86_567_656, (2, 3, 32, 32), True, options={"image_size": 32}, gain=1.0, dtype=np.float32),
    Row("vit_l_16", 304_326_632, ()),  # the code of the two above with other numbers
]
FAMILIES = resnet, vgg, googlenet, densenet, mobilenet, convnext, efficientnet, vit
TWINS = {name: twin for family in FAMILIES for name, twin in family.TWINS.items()}
KNOWN = answers.torchvision()


def rows(table: list[Row]) -> list:
    """Arguments for pytest, the slow ones marked."""
    return [pytest.param(row, id=row.name, marks=[pytest.mark.slow] if row.slow else []) for row in table]


@pytest.mark.parametrize("row", rows([row for row in TABLE if row.shape]))
def test_training(row, undrawn):
    undrawn(16_000_000)  # as the layers of the heads that `narrow` replaces
    model = models.create(row.name, num_classes=10, **row.options)
    if row.gain is not None:
        answers.fill(model, row.gain)
    row.start(model)
    train_alike(model, TWINS[row.name](), row.shape, row.lr, row.dtype)


@pytest.mark.parametrize("row", rows([row._replace(slow=row.parameters > 65_000_000) for row in TABLE]))
def test_as_created(row, undrawn):
    """The number of parameters; as torchvision has them: keys, shapes and dtypes, every layer's settings."""
    assert row.name in models.list()
    undrawn(0)
    model = getattr(models, row.name)()
    assert sum(p.numel() for p in model.parameters()) == row.parameters
    if row.name in KNOWN:
        known = KNOWN[row.name]
        state = [[key, [*v.shape], str(v.dtype)] for key, v in model.state_dict().items()]
        assert state == known["state_dict"]
        layers = [(name, m) for name, m in model.named_modules() if not [*m.children()]]
        assert [[name, " ".join(repr(m).split())] for name, m in layers] == known["modules"]
        if "logits" in known:
            same_logits(model, known)


def same_logits(model, known):
    """The scores that torchvision's model gives, with the formula's weights and picture."""
    answers.fill(model, known["gain"])
    with mc.no_grad():
        logits = model.eval()(mc.tensor(answers.picture(*known["input_shape"])))[0].numpy()
    expected = known["logits"]
    tolerance = 1e-4 * expected["std"]
    np.testing.assert_allclose(logits[:16], expected["first 16 logits"], rtol=0, atol=tolerance)
    assert abs(logits.mean() - expected["mean"]) < tolerance
    assert abs(logits.std() - expected["std"]) < tolerance
    assert logits.argmax() == expected["argmax"]


def test_formula():
    """The numbers that its author gives."""
    expected = [0.17601256256594233, 0.45906731214326846, 0.5252187108738771]
    np.testing.assert_array_equal(answers.uniform(0, 3), expected)
