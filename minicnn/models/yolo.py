"""YOLO: a detector that looks once. Each cell of a grid over the picture tells a few boxes and one class.

Source: Redmon, Divvala, Girshick and Farhadi, You only look once: unified, real-time object detection, 2016.

Boxes (x1, y1, x2, y2) are in parts of the picture: (0, 0, 1, 1) is all of it. What is in a picture is a dict
of "boxes" (K, 4) and "labels" (K). The output (N, GH, GW, 5 B + C) holds for each cell of the grid

- B boxes (x, y, w, h, confidence): the centre in parts of the cell, the roots of width and height in parts of
  the picture, and how sure it is that there is an object, times the overlap it expects;
- a score for each of C classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minicnn import nn
from minicnn.autograd import no_grad
from minicnn.device import array_module, check_same, constant, device_of, host, like
from minicnn.models.detection import batched_nms, overlap
from minicnn.nn import init
from minicnn.tensor import Tensor

# The paper's figure 3: (channels, kernel, stride) of a convolution, or "M" for a 2x2 max pooling.
DARKNET = (
    (64, 7, 2), "M", (192, 3, 1), "M",
    (128, 1, 1), (256, 3, 1), (256, 1, 1), (512, 3, 1), "M",
    *((256, 1, 1), (512, 3, 1)) * 4, (512, 1, 1), (1024, 3, 1), "M",
    *((512, 1, 1), (1024, 3, 1)) * 2, (1024, 3, 1), (1024, 3, 2),
    (1024, 3, 1), (1024, 3, 1),
)  # fmt: skip


def darknet(in_channels: int = 3) -> nn.Sequential:
    """The paper's 24 convolutions, (N, in_channels, 448, 448) -> (N, 1024, 7, 7)."""
    layers = nn.Sequential()
    for layer in DARKNET:
        if isinstance(layer, str):
            layers.append(nn.MaxPool2d(2))
        else:
            channels, kernel, stride = layer
            layers.append(nn.Conv2d(in_channels, channels, kernel, stride, padding=kernel // 2))
            layers.append(nn.LeakyReLU(0.1, inplace=True))
            in_channels = channels
    return layers


class ConnectedHead(nn.Module):
    """The paper's head: two fully connected layers, so that each cell sees the whole picture.

    Parameters
    ----------
    in_channels : int
        Of the backbone's output (N, in_channels, grid, grid).
    num_classes, num_boxes : int
        C and B.
    grid : int
        Cells in a row and in a column.
    hidden : int
        Width between the layers.
    """

    def __init__(
        self, in_channels: int, num_classes: int, num_boxes: int = 2, grid: int = 7, hidden: int = 4096
    ) -> None:
        super().__init__()
        self.num_boxes = num_boxes
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(in_channels * grid * grid, hidden),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Dropout(0.5),
            nn.Linear(hidden, grid * grid * (5 * num_boxes + num_classes)),
            nn.Unflatten(1, (grid, grid, 5 * num_boxes + num_classes)),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)


class ConvHead(nn.Module):
    """A head of two convolutions, for a grid of any size: that of the features (N, in_channels, GH, GW)."""

    def __init__(self, in_channels: int, num_classes: int, num_boxes: int = 2, hidden: int = 256) -> None:
        super().__init__()
        self.num_boxes = num_boxes
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 3, padding=1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(hidden, 5 * num_boxes + num_classes, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features).permute(0, 2, 3, 1)


class YOLO(nn.Module):
    """Pictures (N, 3, H, W) -> (N, GH, GW, 5 B + C), by a backbone and a head on its features.

    ``YOLO(models.mobilenet_v2().features, ConvHead(1280, num_classes=20))``, or on a ResNet
    ``YOLO(nn.Sequential(*list(models.resnet18().children())[:-2]), ConvHead(512, num_classes=20))``.

    Parameters
    ----------
    backbone : Module
        Gives features (N, channels, GH, GW): the convolutions of any network.
    head : Module
        `ConvHead` or `ConnectedHead`.
    """

    def __init__(self, backbone: nn.Module, head: ConvHead | ConnectedHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))

    def loss(self, output: Tensor, targets: Sequence[Mapping[str, Tensor]] | Tensor) -> Tensor:
        """`yolo_loss` of what `forward` gave."""
        return yolo_loss(output, targets, self.head.num_boxes)

    def detect(
        self, x: Tensor, score_threshold: float = 0.2, iou_threshold: float = 0.5
    ) -> list[dict[str, Tensor]]:
        """What is in each picture: `decode` of the output, without history. For a model in evaluation."""
        with no_grad():
            return decode(self(x), self.head.num_boxes, score_threshold, iou_threshold)


def yolov1(num_classes: int = 20, in_channels: int = 3) -> YOLO:
    """The paper's detector, for pictures of 448x448: 271,703,550 parameters."""
    model = YOLO(darknet(in_channels), ConnectedHead(1024, num_classes))
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            init.kaiming_normal_(module.weight, 0.1)
    return model


def yolo_loss(
    output: Tensor,
    targets: Sequence[Mapping[str, Tensor]] | Tensor,
    num_boxes: int = 2,
    coord: float = 5.0,
    noobj: float = 0.5,
) -> Tensor:
    """The paper's loss, equation 3, as a mean over the pictures: squared errors of everything.

    The cell in which an object's centre lies is to tell the object; of two objects, the first. Of the cell's
    boxes, the one that now overlaps the object most is responsible for it, and its confidence is to be this
    overlap; all other confidences are to be 0.

    Parameters
    ----------
    output : Tensor (N, GH, GW, 5 B + C)
    targets : sequence of dict, one a picture; or Tensor
        "boxes" (K, 4) and "labels" (K). Or what `yolo_cells` has made of them, on the output's device: then a
        step has one shape, and a GPU can take it as one CUDA graph.
    num_boxes : int
        B.
    coord, noobj : float
        What errors of boxes, and of confidences where nothing is, count.
    """
    if len(targets) != len(output):
        raise ValueError(f"yolo_loss: expected {len(output)} targets, one a picture, got {len(targets)}")
    N, GH, GW, numbers = output.shape
    boxes = output[..., : 5 * num_boxes].reshape(N, GH, GW, num_boxes, 5)
    num_classes = numbers - 5 * num_boxes
    if not isinstance(targets, Tensor):
        targets = yolo_cells(targets, GH, GW, num_classes).to(output.device)
    if targets.shape != (N, GH, GW, 5):
        raise ValueError(f"yolo_loss: expected cells {(N, GH, GW, 5)}, got {targets.shape}")
    check_same("yolo_loss", ("output", "targets"), (output.array, targets.array))
    xp, true_boxes, labels = array_module(output.array), targets.array[..., None, :4], targets.array[..., 4:]
    there = labels >= 0
    ious = overlap(corners(boxes.array[..., :4]), corners(true_boxes))
    responsible = there & (xp.arange(num_boxes) == ious.argmax(-1)[..., None])
    classes = xp.arange(num_classes) == labels

    def fixed(array: Any) -> Tensor:
        return Tensor(array.astype(output.dtype))

    confidence, mine = boxes[..., 4], fixed(responsible)
    box_error = (boxes[..., :4] - fixed(true_boxes)).square().sum(-1)
    loss = (
        coord * (mine * box_error).sum()
        + (mine * (confidence - fixed(ious)).square()).sum()
        + noobj * ((1 - mine) * confidence.square()).sum()
        + (fixed(there) * (output[..., 5 * num_boxes :] - fixed(classes)).square()).sum()
    )
    return loss / N


def yolo_cells(targets: Sequence[Mapping[str, Tensor]], GH: int, GW: int, num_classes: int) -> Tensor:
    """The object that each cell is to tell, for `yolo_loss`: of two whose centres lie in it, the first.

    Parameters
    ----------
    targets : sequence of dict, one a picture
        "boxes" (K, 4) and "labels" (K).
    GH, GW, num_classes : int
        The grid's rows and columns, and C.

    Returns
    -------
    Tensor (N, GH, GW, 5) float64
        x, y, root w, root h and label of each cell's object; without one 0, 0, 0, 0 and -1.

    Raises
    ------
    ValueError
        A box is outside the picture, or a label is no class.
    """
    cells = np.zeros((len(targets), GH, GW, 5))
    boxes, labels = cells[..., :4], cells[..., 4]
    labels[...] = -1
    for n, target in enumerate(targets):
        for box, label in zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True):
            x1, y1, x2, y2 = box
            w, h, x, y = x2 - x1, y2 - y1, (x1 + x2) / 2 * GW, (y1 + y2) / 2 * GH
            if not (w >= 0 and h >= 0 and 0 <= x <= GW and 0 <= y <= GH):
                raise ValueError(
                    f"yolo_loss: expected boxes (x1, y1, x2, y2) in parts of the picture, got {box}"
                )
            if not 0 <= label < num_classes:
                raise ValueError(f"yolo_loss: expected labels from 0 to {num_classes - 1}, got {label}")
            column, row = min(int(x), GW - 1), min(int(y), GH - 1)
            if labels[n, row, column] < 0:
                boxes[n, row, column] = x - column, y - row, w**0.5, h**0.5
                labels[n, row, column] = label
    return Tensor(cells)


def corners(boxes: Any) -> Any:
    """(x, y, root w, root h) of cells (N, GH, GW, B, 4) as (x1, y1, x2, y2) in parts of the picture."""
    (_, GH, GW, _, _), xp, where = boxes.shape, array_module(boxes), device_of(boxes)
    rows, columns = np.mgrid[:GH, :GW]
    corner = constant(np.stack([columns, rows], -1)[:, :, None], where)
    centre = (corner + boxes[..., :2]) / constant(np.array([GW, GH]), where)
    half = boxes[..., 2:] * boxes[..., 2:] / 2
    found = xp.empty(boxes.shape, centre.dtype)
    found[..., :2], found[..., 2:] = centre - half, centre + half
    return found


def decode(
    output: Tensor, num_boxes: int = 2, score_threshold: float = 0.2, iou_threshold: float = 0.5
) -> list[dict[str, Tensor]]:
    """The objects that an output tells: a box may tell several classes, each with confidence times its score.

    Parameters
    ----------
    output : Tensor (N, GH, GW, 5 B + C)
    num_boxes : int
        B.
    score_threshold : float
        Boxes with less are dropped.
    iou_threshold : float
        Of boxes of one class that overlap more, the best is kept (`nms`).

    Returns
    -------
    list of dict, one a picture
        "boxes" (K, 4) within the picture, "scores" (K) and "labels" (K), the best first.
    """
    N, GH, GW, _ = output.shape
    cells = host(output.array)
    numbers = cells[..., : 5 * num_boxes].reshape(N, GH, GW, num_boxes, 5)
    boxes = corners(numbers[..., :4]).clip(0, 1).astype(np.float32)
    scores = numbers[..., 4:] * cells[..., np.newaxis, 5 * num_boxes :]  # (N, GH, GW, B, C)
    found = []
    for picture, score in zip(boxes, scores, strict=True):
        *place, labels = np.nonzero(score >= score_threshold)
        one = {"boxes": picture[tuple(place)], "scores": score[(*place, labels)], "labels": labels}
        tensors = {key: Tensor(array) for key, array in one.items()}
        kept = batched_nms(tensors["boxes"], tensors["scores"], tensors["labels"], iou_threshold)
        found.append({key: Tensor(like(array[kept.array], output.array)) for key, array in one.items()})
    return found
