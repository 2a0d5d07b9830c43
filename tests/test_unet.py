"""U-Net beside another one in PyTorch, on odd sizes too; Dice and IoU by hand."""

import numpy as np
import pytest
import torch

import minicnn as mc
from minicnn.models.unet import UNet, dice, dice_loss, iou
from zoo import unet
from zoo.compare import agree, same_weights


@pytest.mark.parametrize(
    ("shape", "padding", "batch_norm"),
    [
        ((2, 3, 32, 32), 1, True),
        ((2, 3, 31, 37), 1, True),
        ((1, 3, 13, 8), 1, False),
        ((1, 3, 92, 100), 0, False),
        ((2, 3, 96, 93), 0, True),
    ],
)
def test_training(shape, padding, batch_norm):
    ours = UNet(3, 5, width=8, depth=3, padding=padding, batch_norm=batch_norm).double()
    theirs = unet.UNet(3, 5, 8, 3, padding, batch_norm).double()
    same_weights(ours, theirs)
    optimizers = mc.optim.Adam(ours.parameters(), lr=1e-3), torch.optim.Adam(theirs.parameters(), lr=1e-3)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    for step in range(3):
        got, expected = ours(mc.tensor(x)), theirs(torch.from_numpy(x))
        agree(f"output, step {step}", got.detach().numpy(), expected.detach().numpy())
        y = rng.integers(0, 5, (shape[0], *got.shape[2:]))
        losses = (
            mc.nn.functional.cross_entropy(got, mc.tensor(y)) + dice_loss(got, mc.tensor(y)),
            torch.nn.functional.cross_entropy(expected, torch.from_numpy(y)) + torch_dice(expected, y),
        )
        agree(f"loss, step {step}", *(loss.detach().numpy() for loss in losses))
        for optimizer, loss in zip(optimizers, losses, strict=True):
            optimizer.zero_grad()
            loss.backward()
        for (key, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            agree(f"gradient of {key}, step {step}", p.grad.numpy(), q.grad.numpy(), 1e-9)
        for optimizer in optimizers:
            optimizer.step()
    for (key, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        agree(f"{key} after 3 steps", a.numpy(), b.numpy())


def torch_dice(scores, y):
    """Soft Dice loss, a class at a time."""
    p = torch.softmax(scores, 1)
    total = 0
    for c in range(p.shape[1]):
        truth = torch.from_numpy(y == c).double()
        total = total + (2 * (p[:, c] * truth).sum() + 1e-6) / (p[:, c].sum() + truth.sum() + 1e-6)
    return 1 - total / p.shape[1]


def test_sizes():
    """Of the paper's figure 1, and the parameters that others count."""
    model = UNet(1, 2, padding=0, batch_norm=False, width=4)
    assert model(mc.zeros(1, 1, 572, 572)).shape == (1, 2, 388, 388)
    convolutions = [m for m in model.modules() if isinstance(m, mc.nn.Conv2d | mc.nn.ConvTranspose2d)]
    assert len(convolutions) == 23
    model = mc.models.create("unet", num_classes=1)
    assert sum(p.numel() for p in model.parameters()) == 31_037_633
    assert model.inc.double_conv[0].weight.shape == (64, 3, 3, 3)
    assert model.down4.maxpool_conv[1].double_conv[3].weight.shape == (1024, 1024, 3, 3)
    assert model.up1.up.weight.shape == (1024, 512, 2, 2)


def test_errors():
    with pytest.raises(RuntimeError, match="at least 16x16, got"):
        UNet(width=2)(mc.zeros(1, 3, 15, 30))
    with pytest.raises(ValueError, match="padding 0 or 1, got 2"):
        UNet(padding=2)
    with pytest.raises(RuntimeError, match=r"iou: expected scores \(N, C, H, W\) and classes"):
        iou(mc.zeros(1, 2, 3, 3), mc.zeros(1, 1, 3, 3))


@pytest.mark.parametrize("measure", [dice, dice_loss, iou])
@pytest.mark.parametrize(("classes", "label", "last"), [(3, 255, 2), (3, -1, 2), (2, 2, 1), (1, 2, 1)])
def test_labels_that_are_no_class(measure, classes, label, last):
    with pytest.raises(
        ValueError, match=f"{measure.__name__}: expected classes from 0 to {last}, got {label}$"
    ):
        measure(mc.zeros(1, classes, 1, 2), mc.tensor([[[0, label]]]))


def scores(classes, count):
    """Scores that say these classes."""
    return mc.tensor(np.moveaxis(np.eye(count)[classes], -1, 1) * 3 - 1)


def test_dice_and_iou():
    said = np.array([[[0, 0, 1], [2, 2, 1]]])
    meant = mc.tensor(np.array([[[0, 1, 1], [2, 2, 2]]]))
    # class 0: 1 common, 2 said, 1 meant; 1: 1, 2, 2; 2: 2, 2, 3; class 3 is in neither
    assert iou(scores(said, 4), meant) == pytest.approx((1 / 2 + 1 / 3 + 2 / 3) / 3)
    assert dice(scores(said, 4), meant) == pytest.approx((2 / 3 + 2 / 4 + 4 / 5) / 3)
    assert iou(scores(meant.numpy(), 4), meant) == dice(scores(meant.numpy(), 4), meant) == 1


def test_dice_and_iou_of_one_class():
    outputs = mc.tensor([[[[1.0, -1.0, 2.0], [0.5, -3.0, -1.0]]]])
    targets = mc.tensor([[[1, 1, 1], [0, 0, 0]]])
    assert iou(outputs, targets) == pytest.approx(2 / 4)
    assert dice(outputs, targets) == pytest.approx(4 / 6)
    p = 1 / (1 + np.exp(-outputs.numpy()[0, 0]))
    expected = 1 - 2 * p[0].sum() / (p.sum() + 3)
    assert dice_loss(outputs, targets, eps=0.0).item() == pytest.approx(expected, rel=1e-5)
    empty = mc.zeros(1, 2, 3, dtype=mc.int64)
    assert iou(-outputs.abs(), empty) == 1.0
    assert dice_loss(outputs, empty).item() == pytest.approx(1, abs=1e-5)


def test_learns_a_bright_square():
    """The loss falls, and IoU grows to nearly 1."""
    model = UNet(1, 1, width=4, depth=2)
    optimizer = mc.optim.Adam(model.parameters(), lr=3e-2)
    x = mc.rand(8, 1, 21, 19) * 0.5
    y = np.zeros((8, 21, 19), np.int64)
    for i in range(8):
        y[i, i : i + 9, 2 : 5 + i] = 1
    x.array[:, 0] += y
    y = mc.tensor(y)
    for _ in range(60):
        outputs = model(x)
        loss = dice_loss(outputs, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    assert iou(outputs, y) > 0.95
