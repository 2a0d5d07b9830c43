"""U-Net: what is at each pixel; and Dice and IoU, which say how well two areas cover each other.

Source: Ronneberger, Fischer and Brox, U-Net: convolutional networks for biomedical image segmentation, 2015.
The defaults are today's: convolutions that keep the size, with batch normalisation. The paper's network, but
for its dropout, is ``UNet(1, 2, padding=0, batch_norm=False)``.
"""

from typing import Any

import numpy as np

from minicnn import nn
from minicnn.device import array_module, check_same, host, may_look
from minicnn.nn import functional as F
from minicnn.nn import init
from minicnn.tensor import Tensor, cat


class DoubleConv(nn.Module):
    """A 3x3 convolution and ReLU, twice."""

    def __init__(self, in_channels: int, out_channels: int, padding: int, batch_norm: bool) -> None:
        super().__init__()
        self.double_conv = nn.Sequential()
        for channels in (in_channels, out_channels):
            self.double_conv.append(
                nn.Conv2d(channels, out_channels, 3, padding=padding, bias=not batch_norm)
            )
            if batch_norm:
                self.double_conv.append(nn.BatchNorm2d(out_channels))
            self.double_conv.append(nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        return self.double_conv(x)


class Down(nn.Module):
    """Half the size, twice the channels."""

    def __init__(self, in_channels: int, out_channels: int, padding: int, batch_norm: bool) -> None:
        super().__init__()
        self.maxpool_conv = nn.Sequential(
            nn.MaxPool2d(2), DoubleConv(in_channels, out_channels, padding, batch_norm)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.maxpool_conv(x)


class Up(nn.Module):
    """Twice the size, half the channels; together with what the encoder had at this size."""

    def __init__(self, in_channels: int, out_channels: int, padding: int, batch_norm: bool) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
        self.conv = DoubleConv(in_channels, out_channels, padding, batch_norm)
        self.crop = padding == 0

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.up(x)
        rows, columns = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
        more = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        if self.crop:  # convolutions without padding have made x smaller
            skip = F.pad(skip, [-n for n in more])
        else:  # max pooling has left out the last row or column of an odd size
            x = F.pad(x, more)
        return self.conv(cat([skip, x], dim=1))


class OutConv(nn.Module):
    """The scores of each pixel."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, num_classes, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class UNet(nn.Module):
    """Input (N, in_channels, H, W) of any size from 2**depth; output (N, num_classes, H, W), scores.

    With padding 0 the output is smaller than the input: 572x572 gives 388x388.

    Parameters
    ----------
    in_channels, num_classes : int
        Of the input and output; one class means object or not, its score is for a sigmoid.
    width : int
        Channels at the full size; each step down has twice as many.
    depth : int
        Steps down.
    padding : int
        Of the 3x3 convolutions: 1 or 0.
    batch_norm : bool
        Whether they are followed by batch normalisation.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 2,
        width: int = 64,
        depth: int = 4,
        padding: int = 1,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        if padding not in (0, 1):
            raise ValueError(f"UNet: expected padding 0 or 1, got {padding}")
        self.depth = depth
        self.inc = DoubleConv(in_channels, width, padding, batch_norm)
        channels = [width * 2**i for i in range(depth + 1)]
        for i in range(1, depth + 1):
            self.add_module(f"down{i}", Down(channels[i - 1], channels[i], padding, batch_norm))
        for i in range(1, depth + 1):
            self.add_module(f"up{i}", Up(channels[-i], channels[-i - 1], padding, batch_norm))
        self.outc = OutConv(width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        if min(x.shape[2:]) < 2**self.depth:
            raise RuntimeError(
                f"UNet: expected pictures of at least {2**self.depth}x{2**self.depth}, got {x.shape}"
            )
        steps = [self.inc(x)]
        for i in range(1, self.depth + 1):
            steps.append(self.get_submodule(f"down{i}")(steps[-1]))
        x = steps.pop()
        for i in range(1, self.depth + 1):
            x = self.get_submodule(f"up{i}")(x, steps.pop())
        return self.outc(x)


def unet(**kwargs: Any) -> UNet:
    """U-Net for pictures of three channels and two classes: 31,037,698 parameters. Keywords are `UNet`'s."""
    return UNet(**kwargs)


def dice_loss(input: Tensor, target: Tensor, eps: float = 1e-6) -> Tensor:
    """1 minus the Dice coefficient of probabilities and truth, the mean over the classes.

    Parameters
    ----------
    input : Tensor (N, C, H, W)
        Scores, for a softmax over C, or for a sigmoid where C is 1.
    target : Tensor (N, H, W)
        Classes; where C is 1, 0 and 1.
    eps : float
        Added to both sides of the fraction, so that a class that is nowhere does not divide 0 by 0.

    Source: Milletari, Navab and Ahmadi, V-Net, 2016, without the squares below the line.
    """
    check_areas("dice_loss", input, target)
    one = input.shape[1] == 1
    probabilities = input.sigmoid() if one else input.softmax(1)
    truth = Tensor(areas(target.array, input.shape[1]).astype(input.dtype))
    common = (probabilities * truth).sum((0, 2, 3))  # (C)
    both = probabilities.sum((0, 2, 3)) + truth.sum((0, 2, 3))
    return 1 - ((2 * common + eps) / (both + eps)).mean()


def dice(outputs: Tensor, targets: Tensor) -> float:
    """2 |A and B| / (|A| + |B|) of the pixels A said and B meant to be of a class.

    The mean over the classes that are in either; arguments are those of `dice_loss`. 1 is best.
    """
    common, said, meant = counts("dice", outputs, targets)
    return mean_fraction(2 * common, said + meant)


def iou(outputs: Tensor, targets: Tensor) -> float:
    """|A and B| / |A or B|, the intersection over the union; otherwise as `dice`."""
    common, said, meant = counts("iou", outputs, targets)
    return mean_fraction(common, said + meant - common)


def counts(name: str, outputs: Tensor, targets: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels (C) that are rightly said to be of each class, said to be, and meant to be."""
    check_areas(name, outputs, targets)
    scores, classes = outputs.array, outputs.shape[1]
    said = areas(scores[:, 0] > 0 if classes == 1 else scores.argmax(1), classes)
    meant = areas(targets.array, classes)
    of_each, of_said, of_meant = (host(pixels.sum((0, 2, 3))) for pixels in (said & meant, said, meant))
    return of_each, of_said, of_meant


def areas(classes: Any, count: int) -> Any:
    """Truth values (N, C, H, W): whether a pixel of (N, H, W) is of the class; of class 1 if there is one."""
    xp = array_module(classes)
    names = xp.arange(count) if count > 1 else xp.ones(1)
    return classes[:, np.newaxis] == names.reshape(-1, 1, 1)


def mean_fraction(above: np.ndarray, below: np.ndarray) -> float:
    """The mean of the fractions whose lower side is not 0; 1 if there is none."""
    there = below > 0
    return float((above[there] / below[there]).mean()) if there.any() else 1.0


def check_areas(name: str, scores: Tensor, classes: Tensor) -> None:
    """Raise RuntimeError unless there is a class for each pixel, ValueError unless it is one of those."""
    if scores.ndim != 4 or classes.shape != (scores.shape[0], *scores.shape[2:]):
        raise RuntimeError(
            f"{name}: expected scores (N, C, H, W) and classes (N, H, W), "
            f"got {scores.shape} and {classes.shape}"
        )
    count = max(scores.shape[1], 2)  # a single one is there or not
    labels = classes.array
    check_same(name, ("scores", "classes"), (scores.array, labels))
    outside: Any = labels[~((labels >= 0) & (labels < count))] if may_look(labels) else ()
    if len(outside):
        raise ValueError(f"{name}: expected classes from 0 to {count - 1}, got {outside[0]}")
