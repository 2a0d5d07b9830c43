"""Boxes: overlap, non-maximum suppression and average precision, by hand and beside slow programs."""

import math

import numpy as np
import pytest

import minicnn as mc
from minicnn.models.detection import average_precision, batched_nms, box_iou, mean_average_precision, nms


def iou(a, b):
    """Of two boxes, side by side."""
    sides = [min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1)]
    common = sides[0] * sides[1] if min(sides) > 0 else 0
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def slow_nms(boxes, scores, threshold):
    """Strike off, again and again, what overlaps the best of those that nobody has looked at."""
    open_, kept = list(range(len(boxes))), []
    while open_:
        best = max(open_, key=lambda i: (scores[i], -i))
        kept.append(best)
        open_ = [i for i in open_ if i != best and not iou(boxes[best], boxes[i]) > threshold]
    return kept


def slow_average_precision(predictions, targets, threshold):
    """The mean over the true boxes of the best precision with which so many of them are found."""
    ranked = [
        (score, n, box)
        for n, (boxes, scores) in enumerate(predictions)
        for box, score in zip(boxes, scores, strict=True)
    ]
    ranked = sorted(ranked, key=lambda one: one[0], reverse=True)
    taken, hits, cutoffs = set(), 0, []
    for i, (_, n, box) in enumerate(ranked, 1):
        ious = [iou(box, true) for true in targets[n]]
        if ious and max(ious) >= threshold and (n, ious.index(max(ious))) not in taken:
            taken.add((n, ious.index(max(ious))))
            hits += 1
        cutoffs.append((hits, hits / i))
    total = sum(len(boxes) for boxes in targets)
    best = [max([p for found, p in cutoffs if found >= wanted], default=0) for wanted in range(1, total + 1)]
    return sum(best) / total


def random_boxes(rng, count):
    corner, size = rng.random((count, 2)), rng.random((count, 2)) + 0.05
    return np.concatenate([corner, corner + size], 1)


def test_box_iou():
    a = mc.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0]])
    b = mc.tensor([[1.0, 1.0, 3.0, 3.0], [0.0, 0.0, 2.0, 1.0], [5.0, 5.0, 6.0, 6.0], [1.0, 1.0, 1.0, 1.0]])
    expected = [[1 / 7, 1 / 2, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(box_iou(a, b).numpy(), expected, rtol=1e-6)
    assert box_iou(a, mc.zeros(0, 4)).shape == (2, 0)


def test_nms_by_hand():
    boxes = mc.tensor(
        [[0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30], [0, 0, 10, 5], [0, 0, 10, 10]]
    ).float()
    scores = mc.tensor([0.8, 0.9, 0.1, 0.3, 0.8])
    assert nms(boxes, scores, 0.5).tolist() == [1, 3, 2]  # of 1: 81 / 119, 0, 40.5 / 109.5 ...
    assert nms(boxes, scores, 0.7).tolist() == [1, 0, 3, 2]  # the 4th is the 0th once more
    assert nms(boxes[[0, 3]], scores[[0, 3]], 0.5).tolist() == [0, 1]  # exactly 0.5 is kept
    assert nms(boxes[[0, 3]], scores[[0, 3]], 0.49).tolist() == [0]
    assert nms(mc.zeros(0, 4), mc.zeros(0), 0.5).tolist() == []
    assert nms(boxes, scores, 0.5).dtype == mc.int64


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.8])
def test_nms(threshold):
    rng = np.random.default_rng(1)
    for count in (1, 2, 7, 40):
        boxes, scores = random_boxes(rng, count), rng.integers(0, 10, count) / 10
        found = nms(mc.tensor(boxes), mc.tensor(scores), threshold).tolist()
        assert found == slow_nms(boxes, scores, threshold)


def test_batched_nms():
    rng = np.random.default_rng(2)
    boxes, scores, classes = random_boxes(rng, 30), rng.permutation(30) / 30, rng.integers(0, 3, 30)
    found = batched_nms(*(mc.tensor(x) for x in (boxes, scores, classes)), 0.3).tolist()
    expected = [
        i
        for c in range(3)
        for i in np.flatnonzero(classes == c)[slow_nms(boxes[classes == c], scores[classes == c], 0.3)]
    ]
    assert found == sorted(expected, key=lambda i: -scores[i])
    assert batched_nms(mc.zeros(0, 4), mc.zeros(0), mc.zeros(0, dtype=mc.int64), 0.5).tolist() == []


def picture(boxes, labels, scores=None):
    one = {"boxes": mc.tensor(boxes).float().reshape(-1, 4), "labels": mc.tensor(labels, dtype=mc.int64)}
    return one if scores is None else {**one, "scores": mc.tensor(scores)}


def test_mean_average_precision_by_hand():
    targets = [
        picture([[0, 0, 2, 2], [4, 4, 6, 6], [7, 7, 9, 9]], [1, 1, 5]),
        picture([[0, 0, 4, 4]], [1]),
    ]
    predictions = [
        picture([[0, 0, 2, 2], [0, 0, 2, 2], [7, 7, 9, 9]], [1, 1, 5], [0.9, 0.7, 0.2]),
        picture([[5, 5, 6, 6], [0, 0, 4, 3], [0, 0, 4, 4]], [1, 1, 3], [0.8, 0.6, 0.9]),
    ]
    # class 1: right (1/1), wrong, a second time and so wrong, right (2/4); one of three is never found.
    # class 5: right. Class 3 is nowhere to be found and does not count.
    assert mean_average_precision(predictions, targets) == pytest.approx((1 / 3 * 1 + 1 / 3 * 0.5 + 1) / 2)
    assert mean_average_precision(predictions, targets, 0.8) == pytest.approx((1 / 3 + 1) / 2)
    assert mean_average_precision(predictions, targets, 0.75) > 0.7  # exactly this overlap is enough
    assert math.isnan(mean_average_precision([picture([], [], [])], [picture([], [])]))
    nothing = [picture([], [], [])] * 2
    assert mean_average_precision(nothing, targets) == 0
    with pytest.raises(ValueError, match="as many predictions as targets, got 1 and 2"):
        mean_average_precision(predictions[:1], targets)


def test_precision_is_the_best_at_this_recall_or_a_higher_one():
    boxes = np.array([[i, 0, i + 1, 1] for i in range(3)], float)
    far = np.array([[50, 50, 51, 51]], float)
    said = [(np.concatenate([far, boxes]), np.array([0.9, 0.8, 0.7, 0.6]))]
    # wrong, then right three times: precision 1/2, 2/3, 3/4
    assert average_precision(said, [boxes], 0.5) == pytest.approx(3 / 4)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.7])
def test_average_precision(threshold):
    rng = np.random.default_rng(3)
    for _ in range(20):
        targets = [random_boxes(rng, count) for count in rng.integers(0, 6, 4)]
        targets.append(random_boxes(rng, 2))
        predictions = []
        for true in targets:
            near = true + rng.normal(0, 0.07, true.shape)
            near = np.concatenate([np.minimum(near[:, :2], near[:, 2:] - 0.01), near[:, 2:]], 1)
            said = np.concatenate([near, near[:2] + 0.01, random_boxes(rng, 3)])
            predictions.append((said, rng.permutation(len(said)) + rng.random()))
        found = average_precision(predictions, targets, threshold)
        assert found == pytest.approx(slow_average_precision(predictions, targets, threshold))
        assert 0 < found < 1


def test_errors():
    with pytest.raises(RuntimeError, match=r"nms: expected boxes \(N, 4\), got \(3, 5\)"):
        nms(mc.zeros(3, 5), mc.zeros(3), 0.5)
    with pytest.raises(RuntimeError, match=r"nms: expected scores \(3,\) for boxes \(3, 4\), got \(2,\)"):
        nms(mc.zeros(3, 4), mc.zeros(2), 0.5)
    with pytest.raises(RuntimeError, match="box_iou: expected boxes"):
        box_iou(mc.zeros(4), mc.zeros(3, 4))
    with pytest.raises(
        RuntimeError, match=r"batched_nms: expected idxs \(3,\) for boxes \(3, 4\), got \(2,\)"
    ):
        batched_nms(mc.zeros(3, 4), mc.zeros(3), mc.zeros(2), 0.5)
    with pytest.raises(TypeError, match="nms: expected boxes to be a Tensor, got list"):
        nms([[0, 0, 1, 1]], [0.5], 0.5)
    with pytest.raises(TypeError, match="nms: expected scores to be a Tensor, got list"):
        nms(mc.zeros(1, 4), [0.5], 0.5)


def test_pictures_without_boxes():
    """An empty list makes a Tensor (0,), which has no boxes either."""
    none, label = mc.tensor([]), mc.tensor([1])
    box = mc.tensor([[0.0, 0.0, 2.0, 2.0]])
    targets = [{"boxes": none, "labels": none}, {"boxes": box, "labels": label}]
    right = {"boxes": box, "labels": label, "scores": mc.tensor([0.5])}
    nothing = {"boxes": none, "labels": none, "scores": none}
    assert mean_average_precision([nothing, right], targets) == 1
    assert mean_average_precision([right, nothing], targets) == 0
    with pytest.raises(RuntimeError, match=r"mean_average_precision: expected boxes \(N, 4\), got \(4,\)"):
        mean_average_precision([nothing, {**right, "boxes": box[0]}], targets)
