"""Boxes around objects: how much two overlap, which of many to keep, and how good a detector's are.

A box is (x1, y1, x2, y2), its left, upper, right and lower edge, in any unit. The functions on boxes have
torchvision's names and arguments. What goes from box to box is done on the CPU, wherever they are.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from minicnn.device import array_module, check_same, host, like
from minicnn.tensor import Tensor


def overlap(boxes1: np.ndarray, boxes2: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (..., 4) and (..., 4), which broadcast; 0 for two empty boxes."""
    xp = array_module(boxes1)
    upper_left = xp.maximum(boxes1[..., :2], boxes2[..., :2])
    lower_right = xp.minimum(boxes1[..., 2:], boxes2[..., 2:])
    common = (lower_right - upper_left).clip(0, None).prod(-1)
    union = area(boxes1) + area(boxes2) - common
    return common / xp.where(union > 0, union, 1)


def area(boxes: np.ndarray) -> np.ndarray:
    """Of boxes (..., 4)."""
    return (boxes[..., 2:] - boxes[..., :2]).prod(-1)


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Intersection over union of each of boxes1 (N, 4) with each of boxes2 (M, 4): (N, M)."""
    check_boxes("box_iou", boxes1)
    check_boxes("box_iou", boxes2)
    check_same("box_iou", ("boxes1", "boxes2"), (boxes1.array, boxes2.array))
    return Tensor(overlap(boxes1.array[:, np.newaxis], boxes2.array))


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Non-maximum suppression: from the best box down, drop those that overlap one that is kept.

    Parameters
    ----------
    boxes : Tensor (N, 4)
    scores : Tensor (N)
        Equal ones count in their order.
    iou_threshold : float
        A box is dropped if its intersection over union with a kept one is larger.

    Returns
    -------
    Tensor of int64
        Indices of the boxes that are kept, the best first.
    """
    check_boxes("nms", boxes)
    check_each("nms", boxes, scores=scores)
    kept = the_best(host(boxes.array), host(scores.array), iou_threshold)
    return Tensor(like(kept, boxes.array))


def the_best(boxes: np.ndarray, scores: np.ndarray, iou_threshold: float) -> np.ndarray:
    """The indices that `nms` keeps."""
    left = np.argsort(-scores, kind="stable")
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[overlap(boxes[best], boxes[left]) <= iou_threshold]
    return np.array(kept, np.int64)


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """`nms` among the boxes of each class by itself; idxs (N) are the classes."""
    check_boxes("batched_nms", boxes)
    check_each("batched_nms", boxes, scores=scores, idxs=idxs)
    labels, corners, marks = (host(x.array) for x in (idxs, boxes, scores))
    kept = [np.empty(0, np.int64)]
    for label in np.unique(labels):
        (own,) = np.nonzero(labels == label)
        kept.append(own[the_best(corners[own], marks[own], iou_threshold)])
    indices = np.sort(np.concatenate(kept))
    return Tensor(like(indices[np.argsort(-marks[indices], kind="stable")], boxes.array))


def check_boxes(name: str, boxes: Tensor) -> None:
    """Raise TypeError or RuntimeError unless they are boxes (N, 4)."""
    check_tensor(name, "boxes", boxes)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise RuntimeError(f"{name}: expected boxes (N, 4), got {boxes.shape}")


def check_each(name: str, boxes: Tensor, **values: Tensor) -> None:
    """Raise TypeError or RuntimeError unless there is one value for each box."""
    for role, value in values.items():
        check_tensor(name, role, value)
        if value.shape != boxes.shape[:1]:
            raise RuntimeError(
                f"{name}: expected {role} ({len(boxes)},) for boxes {boxes.shape}, got {value.shape}"
            )


def check_tensor(name: str, role: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected {role} to be a Tensor, got {type(value).__name__}")


def mean_average_precision(
    predictions: Sequence[Mapping[str, Tensor]],
    targets: Sequence[Mapping[str, Tensor]],
    iou_threshold: float = 0.5,
) -> float:
    """The mean of `average_precision` over the classes that occur in the targets.

    Parameters
    ----------
    predictions : sequence of dict, one a picture
        "boxes" (K, 4), "scores" (K) and "labels" (K).
    targets : sequence of dict, one a picture
        "boxes" (K, 4) and "labels" (K): what is there.
    iou_threshold : float
        From which intersection over union on a box is right.

    Returns
    -------
    float
        From 0 to 1; nan if there is nothing to find.
    """
    if len(predictions) != len(targets):
        raise ValueError(
            "mean_average_precision: expected as many predictions as targets, "
            f"got {len(predictions)} and {len(targets)}"
        )
    answers = [(boxes_of(one), host(one["scores"].array), host(one["labels"].array)) for one in predictions]
    truths = [(boxes_of(one), host(one["labels"].array)) for one in targets]
    labels = np.unique(np.concatenate([np.empty(0), *(classes for _, classes in truths)]))
    if not len(labels):
        return float("nan")
    precisions = []
    for label in labels:
        said = [(boxes[classes == label], scores[classes == label]) for boxes, scores, classes in answers]
        true = [boxes[classes == label] for boxes, classes in truths]
        precisions.append(average_precision(said, true, iou_threshold))
    return float(np.mean(precisions))


def boxes_of(picture: Mapping[str, Tensor]) -> np.ndarray:
    """Of a prediction or a target; none at all are (0, 4), also where an empty list made them."""
    boxes = picture["boxes"]
    if isinstance(boxes, Tensor) and boxes.shape == (0,):
        return host(boxes.array).reshape(0, 4)
    check_boxes("mean_average_precision", boxes)
    return host(boxes.array)


def average_precision(
    predictions: Sequence[tuple[np.ndarray, np.ndarray]], targets: Sequence[np.ndarray], iou_threshold: float
) -> float:
    """The area below precision as a function of recall, for one class.

    Boxes are looked at from the highest score down. One is right if, of all true boxes of its picture, the
    one that it overlaps most is overlapped enough and was not found before. Precision is taken as the best at
    this recall or a higher one.

    Parameters
    ----------
    predictions : sequence of (boxes (K, 4), scores (K)), one a picture
    targets : sequence of boxes (K, 4), one a picture

    Source: Everingham et al., The Pascal visual object classes challenge: a retrospective, 2015; the form in
    use since 2010.
    """
    ranked = [
        (score, picture, box)
        for picture, (boxes, scores) in enumerate(predictions)
        for box, score in zip(boxes, scores, strict=True)
    ]
    ranked.sort(key=lambda one: -one[0])  # stable: equal scores in the order of the pictures
    found = [np.zeros(len(boxes), bool) for boxes in targets]
    right = np.zeros(len(ranked))
    for i, (_, picture, box) in enumerate(ranked):
        ious = overlap(box, targets[picture])
        if len(ious) and ious.max() >= iou_threshold and not found[picture][ious.argmax()]:
            found[picture][ious.argmax()] = True
            right[i] = 1
    so_far = right.cumsum()
    precision = so_far / np.arange(1, len(ranked) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float(
        (best_from_here * right).sum() / sum(map(len, targets))
    )  # each right one is a step of recall
