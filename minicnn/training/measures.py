"""The loss unless another is given, metrics, their means over an epoch, and which epoch was best."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from minicnn import nn
from minicnn.nn import functional as F
from minicnn.tensor import Tensor

Metric = Callable[[Any, Any], Any]
AUXILIARY = 0.3  # what the loss of an auxiliary head counts: Szegedy et al., Going deeper with convolutions


def classification_loss(outputs: Any, targets: Tensor) -> Tensor:
    """Cross-entropy; where GoogLeNet gives a tuple of scores in training, 0.3 times the others' is added."""
    if isinstance(outputs, Tensor):
        return F.cross_entropy(outputs, targets)
    main, *auxiliary = [F.cross_entropy(scores, targets) for scores in outputs if scores is not None]
    return main + AUXILIARY * sum(auxiliary)


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    """The share of right answers: scores (N, classes, ...), targets (N, ...) or, one-hot, like the scores."""
    if not isinstance(targets, Tensor):
        raise TypeError(
            f"accuracy: expected targets as a Tensor, got {type(targets).__name__}; "
            "give the Trainer other metrics, or metrics=()"
        )
    scores, labels = outputs.array, targets.array
    if labels.ndim == scores.ndim:
        labels = labels.argmax(1)
    return float((scores.argmax(1) == labels).mean())


METRICS: dict[str, Metric] = {"accuracy": accuracy}


def named(metrics: Sequence[str | Metric]) -> dict[str, Metric]:
    """The metrics under the names that the history gives them."""
    found: dict[str, Metric] = {}
    for metric in metrics:
        name = metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)
        if isinstance(metric, str) and metric not in METRICS:
            raise ValueError(f"Trainer: metrics are functions or {', '.join(METRICS)}, got {metric!r}")
        if name in found or name == "loss":
            raise ValueError(f"Trainer: two figures are named {name!r}; name the functions differently")
        found[name] = METRICS[metric] if isinstance(metric, str) else metric
    return found


class Means:
    """The loss and the metrics of many batches, averaged over their samples."""

    def __init__(self, metrics: dict[str, Metric]) -> None:
        self.metrics = metrics
        self.sums = dict.fromkeys(("loss", *metrics), 0.0)
        self.count = 0

    def add(self, samples: int, loss: float, outputs: Any, targets: Any) -> None:
        """One more batch."""
        self.count += samples
        self.sums["loss"] += loss * samples
        if self.metrics:
            first = (outputs[0] if isinstance(outputs, tuple) else outputs).detach()
            for name, metric in self.metrics.items():
                self.sums[name] += float(metric(first, targets)) * samples

    def values(self) -> dict[str, float]:
        """The means so far."""
        return {name: total / self.count for name, total in self.sums.items()}


@contextmanager
def best_kept(
    model: nn.Module, name: str | None, known: Sequence[str]
) -> Iterator[Callable[[Mapping[str, float]], None]]:
    """Gives a function to call with each epoch's figures; in the end the model gets the best one's weights.

    The best is the epoch with the greatest figure of that name, or the smallest for a name that ends in
    "loss"; the first of equals. Without a name the model is left as it is.
    """
    if name is not None and name not in known:
        raise ValueError(f"fit: keep_best must be one of {', '.join(known)}, got {name!r}")
    best = -math.inf
    weights: dict[str, Tensor] = {}

    def look(figures: Mapping[str, float]) -> None:
        nonlocal best, weights
        if name is not None:
            value = -figures[name] if name.endswith("loss") else figures[name]
            if value > best:
                best, weights = value, {key: x.clone() for key, x in model.state_dict().items()}

    try:
        yield look
    finally:
        if weights:
            model.load_state_dict(weights)
