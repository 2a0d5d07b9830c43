"""Tell a digit from the clutter around it, pixel by pixel: a small U-Net.

    python examples/segment_digits.py

Six epochs of 8,000 pictures, seed 0: on 1,000 pictures of test digits, intersection over union 0.819 and Dice
0.901. Three minutes on one core.
"""

import numpy as np
from matplotlib.figure import Figure

import minicnn as mc
import minicnn.nn.functional as F
import minicnn.optim as optim
from minicnn.data import MNIST, DataLoader, TensorDataset
from minicnn.models.unet import UNet, dice, dice_loss, iou

SIDE, SCRAP = 48, 9  # of a picture, and of the scraps of other digits on it


def paint(digits, rng):
    """A digit somewhere on a noisy picture full of scraps of others; and its pixels, True."""
    picture = rng.integers(0, 80, (SIDE, SIDE))
    for i in rng.integers(len(digits), size=10):
        (y, x), (top, left) = rng.integers(SIDE - SCRAP, size=2), rng.integers(4, 24 - SCRAP, size=2)
        scrap = digits.images[i][top : top + SCRAP, left : left + SCRAP]
        picture[y : y + SCRAP, x : x + SCRAP] = np.maximum(picture[y : y + SCRAP, x : x + SCRAP], scrap)
    digit = digits.images[rng.integers(len(digits))]
    y, x = rng.integers(SIDE - 28, size=2)
    place = picture[y : y + 28, x : x + 28]
    place[...] = np.maximum(place, digit)
    mask = np.zeros((SIDE, SIDE), np.int64)
    mask[y : y + 28, x : x + 28] = digit > 127
    return picture, mask


def make_pictures(count, train, seed):
    """Pictures (N, 1, 48, 48) and masks (N, 48, 48), 1 where the digit is."""
    digits, rng = MNIST(train=train), np.random.default_rng(seed)
    pictures, masks = map(np.stack, zip(*(paint(digits, rng) for _ in range(count))))
    return TensorDataset(mc.tensor(pictures[:, None], dtype=mc.float32) / 255, mc.tensor(masks))


def loss(scores, masks):
    """Each pixel counts in the first part, the area as a whole in the second."""
    return F.binary_cross_entropy_with_logits(scores[:, 0], masks.float()) + dice_loss(scores, masks)


def draw(pictures, masks, scores, path):
    """A row each: what the network sees, what it says, what is there."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    rows = {"picture": pictures[:, 0], "found": scores[:, 0] > 0, "digit": masks}
    for row, (name, images) in enumerate(rows.items()):
        for column, image in enumerate(images):
            axes = figure.add_subplot(len(rows), len(pictures), row * len(pictures) + column + 1)
            axes.imshow(image, cmap="gray")
            axes.set(xticks=[], yticks=[], ylabel="" if column else name)
    figure.savefig(path, dpi=80)


def main(pictures=8000, epochs=6, picture="segment_digits.png"):
    mc.manual_seed(0)
    train = DataLoader(make_pictures(pictures, train=True, seed=0), 32, shuffle=True)
    test = make_pictures(pictures // 8, train=False, seed=1)
    model = UNet(in_channels=1, num_classes=1, width=8, depth=3)
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    trainer = mc.Trainer(model, optimizer, loss, metrics=[iou], scheduler=schedule)
    trainer.fit(train, epochs)
    images, masks = test.tensors
    scores = trainer.predict(images)
    print(f"IoU {iou(scores, masks):.3f}, Dice {dice(scores, masks):.3f} on {len(test)} test pictures")
    draw(images[:8], masks[:8], scores[:8], picture)
    print(f"eight of them are in {picture}")
    return trainer.history, iou(scores, masks)


if __name__ == "__main__":
    main()
