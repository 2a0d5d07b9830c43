"""The loss unless another is given, metrics, their means over an epoch, and which epoch was best."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from minicnn import nn
from minicnn.device import CPU
from minicnn.nn import functional as F
from minicnn.tensor import Tensor, zeros

Metric = Callable[[Any, Any], Any]
AUXILIARY = 0.3  # what the loss of an auxiliary head counts: Szegedy et al., Going deeper with convolutions


def classification_loss(outputs: Any, targets: Tensor) -> Tensor:
    """Cross-entropy; where GoogLeNet gives a tuple of scores in training, 0.3 times the others' is added."""
    if isinstance(outputs, Tensor):
        return F.cross_entropy(outputs, targets)
    main, *auxiliary = [F.cross_entropy(scores, targets) for scores in outputs if scores is not None]
    return main + AUXILIARY * sum(auxiliary)


def accuracy(outputs: Tensor, targets: Tensor) -> float | Tensor:
    """The share of right answers: scores (N, classes, ...), targets (N, ...) or, one-hot, like the scores."""
    if not isinstance(targets, Tensor):
        raise TypeError(
            f"accuracy: expected targets as a Tensor, got {type(targets).__name__}; "
            "give the Trainer other metrics, or metrics=()"
        )
    scores, labels = outputs.array, targets.array
    if labels.ndim == scores.ndim:
        labels = labels.argmax(1)
    right = scores.argmax(1) == labels
    if outputs.device is CPU:
        return np.count_nonzero(right) / right.size if right.size else math.nan
    return Tensor(right.mean())  # a GPU goes on with its work


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
    """The loss and the metrics of many batches, averaged over their samples.

    Those of a GPU are added up there and stay until somebody asks; so an epoch goes by without a wait.

    Attributes
    ----------
    count : int
        Samples so far, which whoever adds their figures counts.
    """

    def __init__(self, metrics: dict[str, Metric], device: Any = CPU) -> None:
        self.metrics = metrics
        self.count = 0
        self.sums: dict[str, Any] = dict.fromkeys(("loss", *metrics), 0.0)
        if device is not CPU:
            self.sums = {name: zeros((), dtype=np.float64, device=device) for name in self.sums}

    def add(self, samples: int, loss: Any, outputs: Any, targets: Any) -> None:
        """The figures of one more batch."""
        self.add_one("loss", loss, samples)
        for name, metric in self.metrics.items():
            self.add_one(name, metric(outputs, targets), samples)

    def add_one(self, name: str, value: Any, samples: int) -> None:
        """One figure of them."""
        total = self.sums[name]
        if isinstance(total, float):
            self.sums[name] = total + float(value) * samples
        else:
            there = value.array if isinstance(value, Tensor) else float(value)
            total.array[...] += there * samples  # in its place, where a CUDA graph finds it again

    def values(self) -> dict[str, float]:
        """The means so far."""
        return {name: float(total) / self.count for name, total in self.sums.items()}


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
