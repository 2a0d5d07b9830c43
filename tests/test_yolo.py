"""YOLO: the networks, the loss and the decoding beside programs in PyTorch that go from box to box."""

import numpy as np
import pytest
import torch
from torch import nn

import minicnn as mc
from minicnn.models.detection import mean_average_precision
from minicnn.models.yolo import YOLO, ConnectedHead, ConvHead, darknet, decode, yolo_cells, yolo_loss
from zoo.compare import agree, same_weights


def iou(a, b):
    """Of two boxes of floats."""
    w, h = (max(0.0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)


def as_box(numbers, row, column, rows, columns):
    """Left, upper, right and lower edge of what a cell tells."""
    x, y, w, h = (float(v) for v in numbers[:4])
    x, y, w, h = (column + x) / columns, (row + y) / rows, w * w, h * h
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def torch_loss(output, targets, count):
    """Equation 3 of the paper, a term at a time."""
    _, rows, columns, _ = output.shape
    total = 0
    for cells, target in zip(output, targets, strict=True):
        objects = {}
        for box, label in zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True):
            x, y = (box[0] + box[2]) / 2 * columns, (box[1] + box[3]) / 2 * rows
            objects.setdefault((int(y), int(x)), (box, label, x % 1, y % 1))
        for row in range(rows):
            for column in range(columns):
                boxes = cells[row, column, : 5 * count].unflatten(0, (count, 5))
                scores = cells[row, column, 5 * count :]
                chosen = None
                if (row, column) in objects:
                    box, label, x, y = objects[row, column]
                    ious = [iou(as_box(one, row, column, rows, columns), box) for one in boxes.detach()]
                    chosen = ious.index(max(ious))
                    px, py, pw, ph, confidence = boxes[chosen]
                    w, h = box[2] - box[0], box[3] - box[1]
                    total = total + 5 * ((px - x) ** 2 + (py - y) ** 2)
                    total = total + 5 * ((pw - w**0.5) ** 2 + (ph - h**0.5) ** 2)
                    total = total + (confidence - ious[chosen]) ** 2
                    for c, score in enumerate(scores):
                        total = total + (score - float(c == label)) ** 2
                for i, one in enumerate(boxes):
                    if i != chosen:
                        total = total + 0.5 * one[4] ** 2
    return total / len(output)


def some_targets(rng, count, classes):
    """Pictures with 0, 1, 2 ... objects."""
    targets = []
    for n in range(count):
        centre, half = rng.random((n, 2)) * 0.6 + 0.2, rng.random((n, 2)) * 0.15 + 0.04
        boxes = np.concatenate([centre - half, centre + half], 1)
        targets.append({"boxes": mc.tensor(boxes), "labels": mc.tensor(rng.integers(0, classes, n))})
    return targets


def twin(head):
    """A tiny backbone and a head, in minicnn's or PyTorch's nn."""

    def build(m):
        return [
            m.Conv2d(3, 6, 3, stride=4, padding=1),
            m.ReLU(),
            m.Conv2d(6, 8, 3, stride=2, padding=1),
            m.ReLU(),
        ]

    ours = mc.nn.Sequential(*build(mc.nn))
    if head == "connected":
        ours = YOLO(ours, ConnectedHead(8, 3, num_boxes=2, grid=4, hidden=12))
        last = [nn.Flatten(), nn.Linear(128, 12), nn.LeakyReLU(0.1), nn.Linear(12, 4 * 4 * 13)]
        theirs = nn.Sequential(*build(nn), *last, nn.Unflatten(1, (4, 4, 13)))
        ours.head.layers[3].p = 0.0  # its random numbers are not PyTorch's
    else:
        ours = YOLO(ours, ConvHead(8, 3, num_boxes=2, hidden=5))
        norm = nn.BatchNorm2d(5)
        last = [nn.Conv2d(8, 5, 3, padding=1, bias=False), norm, nn.LeakyReLU(0.1), nn.Conv2d(5, 13, 1)]
        theirs = nn.Sequential(*build(nn), *last)
    return ours.double(), theirs.double()


@pytest.mark.parametrize("head", ["connected", "convolutions"])
def test_training(head):
    ours, theirs = twin(head)
    same_weights(ours, theirs)
    optimizers = mc.optim.SGD(ours.parameters(), lr=1e-2), torch.optim.SGD(theirs.parameters(), lr=1e-2)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 3, 32, 32 if head == "connected" else 43))
    targets = some_targets(rng, 4, 3)
    for step in range(3):
        got, expected = ours(mc.tensor(x)), theirs(torch.from_numpy(x))
        if head == "convolutions":
            expected = expected.permute(0, 2, 3, 1)
            assert got.shape == (4, 4, 6, 13)
        agree(f"output, step {step}", got.detach().numpy(), expected.detach().numpy())
        losses = ours.loss(got, targets), torch_loss(expected, targets, 2)
        agree(f"loss, step {step}", *(loss.detach().numpy() for loss in losses))
        for optimizer, loss in zip(optimizers, losses, strict=True):
            optimizer.zero_grad()
            loss.backward()
        for (key, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            agree(f"gradient of {key}, step {step}", p.grad.numpy(), q.grad.numpy())
        for optimizer in optimizers:
            optimizer.step()
    for (key, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        agree(f"{key} after 3 steps", a.numpy(), b.numpy())


@pytest.mark.parametrize(("boxes", "classes", "grid"), [(1, 1, (3, 5)), (2, 4, (7, 7)), (3, 20, (2, 3))])
def test_loss(boxes, classes, grid):
    rng = np.random.default_rng(5)
    output = rng.standard_normal((5, *grid, 5 * boxes + classes)) * 0.4 + 0.3
    targets = some_targets(rng, 5, classes)
    ours, theirs = mc.tensor(output, requires_grad=True), torch.tensor(output, requires_grad=True)
    losses = yolo_loss(ours, targets, boxes), torch_loss(theirs, targets, boxes)
    agree("loss", *(loss.detach().numpy() for loss in losses))
    for loss in losses:
        loss.backward()
    agree("gradient", ours.grad.numpy(), theirs.grad.numpy())


def test_loss_by_hand():
    """One cell, two boxes, two classes; the object is all of the picture."""
    target = [{"boxes": mc.tensor([[0.0, 0.0, 1.0, 1.0]]), "labels": mc.tensor([1])}]
    exact = mc.tensor([[[[0.5, 0.5, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.0, 0.0, 1.0]]]])
    assert yolo_loss(exact, target).item() == 0
    half = mc.tensor([[[[0.5, 0.5, 0.25**0.5, 1.0, 0.4, 0.5, 0.5, 0.1, 0.1, 0.2, 0.1, 0.7]]]])
    # the first box overlaps 1/4; errors of width, confidence, the other confidence, both classes
    expected = 5 * 0.5**2 + (0.4 - 0.25) ** 2 + 0.5 * 0.2**2 + 0.1**2 + 0.3**2
    assert yolo_loss(half, target).item() == pytest.approx(expected, rel=1e-6)
    empty = [{"boxes": mc.zeros(0, 4), "labels": mc.zeros(0, dtype=mc.int64)}]
    assert yolo_loss(half, empty).item() == pytest.approx(0.5 * (0.4**2 + 0.2**2), rel=1e-6)


def test_decode():
    """Beside a loop over cells, boxes and classes."""
    rng = np.random.default_rng(6)
    output = rng.random((3, 4, 3, 2 * 5 + 3)).astype(np.float32) * 0.5 + 0.5
    found = decode(mc.tensor(output), 2, score_threshold=0.6, iou_threshold=0.4)
    for cells, got in zip(output, found, strict=True):
        said = []
        for row in range(4):
            for column in range(3):
                for i in range(2):
                    one = cells[row, column, 5 * i : 5 * i + 5]
                    box = [min(1, max(0, v)) for v in as_box(one, row, column, 4, 3)]
                    for label in range(3):
                        score = one[4] * cells[row, column, 10 + label]
                        if score >= 0.6:
                            said.append((score, label, box))
        kept = []
        for score, label, box in sorted(said, key=lambda one: -one[0]):
            if all(other != label or iou(box, more) <= 0.4 for _, other, more in kept):
                kept.append((score, label, box))
        assert 1 < len(kept) < len(said)
        np.testing.assert_allclose(got["scores"].numpy(), [one[0] for one in kept], rtol=1e-6)
        assert got["labels"].tolist() == [one[1] for one in kept]
        np.testing.assert_allclose(got["boxes"].numpy(), [one[2] for one in kept], rtol=1e-5, atol=1e-6)
    assert decode(mc.zeros(1, 2, 2, 12))[0]["boxes"].shape == (0, 4)


def test_what_the_loss_wants_is_what_decode_tells():
    """Numbers without loss are decoded to the objects."""
    rng = np.random.default_rng(7)
    targets = some_targets(rng, 4, 3)[1:]
    output = mc.zeros(3, 7, 7, 13, requires_grad=True)
    optimizer = mc.optim.SGD([output], lr=0.1)
    for _ in range(200):
        loss = yolo_loss(output, targets) * 3
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-3
    assert mean_average_precision(decode(output.detach()), targets, 0.95) == 1


def test_darknet():
    """The 24 convolutions, as the paper's figure lists them."""
    layers, c = [], 3
    figure = """7x7x64-s2 M 3x3x192 M 1x1x128 3x3x256 1x1x256 3x3x512 M 1x1x256 3x3x512 1x1x256 3x3x512
    1x1x256 3x3x512 1x1x256 3x3x512 1x1x512 3x3x1024 M 1x1x512 3x3x1024 1x1x512 3x3x1024 3x3x1024 3x3x1024-s2
    3x3x1024 3x3x1024"""
    for text in figure.split():
        if text == "M":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            (k, _, o), s = map(int, text.partition("-")[0].split("x")), 2 if text.endswith("s2") else 1
            layers += [nn.Conv2d(c, o, k, s, k // 2), nn.LeakyReLU(0.1)]
            c = o
    ours, theirs = darknet(), nn.Sequential(*layers)
    assert sum(isinstance(m, mc.nn.Conv2d) for m in ours) == 24
    same_weights(ours, theirs)
    x = np.random.default_rng(8).standard_normal((1, 3, 64, 128)).astype(np.float32)
    got, expected = ours(mc.tensor(x)), theirs(torch.from_numpy(x))
    assert got.shape == (1, 1024, 1, 2)
    agree("output", got.detach().numpy(), expected.detach().numpy())
    (got**2).sum().backward()
    (expected**2).sum().backward()
    for (key, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        agree(f"gradient of {key}", p.grad.numpy(), q.grad.numpy())


def test_sizes():
    model = mc.models.create("yolov1", num_classes=20).eval()
    convolutions = sum(p.numel() for p in darknet().parameters())
    connected = 7 * 7 * 1024 * 4096 + 4096 + 4096 * 7 * 7 * 30 + 7 * 7 * 30
    assert sum(p.numel() for p in model.parameters()) == convolutions + connected
    with mc.no_grad():
        assert model(mc.zeros(1, 3, 448, 448)).shape == (1, 7, 7, 30)


def test_errors():
    box, label = mc.tensor([[0.1, 0.1, 0.3, 0.3]]), mc.tensor([0])
    output = mc.zeros(1, 2, 2, 12)
    with pytest.raises(ValueError, match=r"expected boxes .* in parts of the picture, got"):
        yolo_loss(output, [{"boxes": box * 100, "labels": label}])
    with pytest.raises(ValueError, match="expected boxes"):
        yolo_loss(output, [{"boxes": box[:, [2, 3, 0, 1]], "labels": label}])
    with pytest.raises(ValueError, match="expected labels from 0 to 1, got 2"):
        yolo_loss(output, [{"boxes": box, "labels": label + 2}])
    with pytest.raises(ValueError, match="expected 1 targets, one a picture, got 2"):
        yolo_loss(output, [{"boxes": box, "labels": label}] * 2)
    with pytest.raises(ValueError, match=r"yolo_loss: expected cells \(1, .*, got \(1, 3, 3, 5\)"):
        yolo_loss(output, yolo_cells([{"boxes": box, "labels": label}], 3, 3, 2))


def test_learns_to_find_squares():
    """Bright and dark squares on grey, found by a detector on layers of a ResNet."""
    rng = np.random.default_rng(9)
    pictures, targets = np.full((24, 3, 32, 32), 0.5, np.float32), []
    for picture in pictures:
        boxes, labels = [], []
        for corner in rng.choice([0, 16], (2, 2)) + rng.integers(0, 6, (2, 2)):
            side, label = rng.integers(6, 11), rng.integers(0, 2)
            x, y = corner
            if all(abs(x - a) + abs(y - b) > 20 for a, b, *_ in boxes):
                picture[:, y : y + side, x : x + side] = label
                boxes.append([x, y, x + side, y + side])
                labels.append(label)
        targets.append({"boxes": mc.tensor(np.array(boxes) / 32), "labels": mc.tensor(np.array(labels))})
    resnet = mc.models.resnet20()
    resnet.conv1.stride = (2, 2)
    backbone = mc.nn.Sequential(resnet.conv1, resnet.bn1, resnet.relu, resnet.layer2, resnet.layer3)
    model = YOLO(backbone, ConvHead(64, 2, hidden=32))
    optimizer = mc.optim.Adam(model.parameters(), lr=3e-3)
    x = mc.tensor(pictures)
    before = mean_average_precision(model.detect(x), targets)
    for _ in range(60):
        loss = model.loss(model(x), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert before < 0.2
    assert mean_average_precision(model.detect(x), targets) > 0.8
