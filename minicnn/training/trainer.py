"""The training loop: batches in, a better model and the history of its epochs out."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from typing import Any

import numpy as np

from minicnn import nn
from minicnn.autograd import no_grad
from minicnn.data import DataLoader, Dataset
from minicnn.optim import Optimizer
from minicnn.tensor import Tensor, cat, tensor
from minicnn.training.history import History
from minicnn.training.progress import Progress, figures

Metric = Callable[[Tensor, Tensor], Any]
Batches = Iterable[Any]  # of pairs (x, y)


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    """The share of right answers: scores (N, classes, ...), targets (N, ...) or, one-hot, like the scores."""
    scores, labels = outputs.array, targets.array
    if labels.ndim == scores.ndim:
        labels = labels.argmax(1)
    return float((scores.argmax(1) == labels).mean())


METRICS: dict[str, Metric] = {"accuracy": accuracy}


class Trainer:
    """Trains a model, and measures it.

    Parameters
    ----------
    model : nn.Module
        What to train.
    optimizer : Optimizer, optional
        Of the model's parameters; only `fit` needs it.
    loss : callable, optional
        ``loss(outputs, targets)`` gives a Tensor with one number; cross-entropy unless given.
    metrics : sequence of str or callable
        Shown and recorded beside the loss: "accuracy", or functions of (outputs, targets) that give a number
        for a batch; their mean over all samples counts.

    Attributes
    ----------
    history : History
        The figures of every epoch so far, also after an interrupted `fit`.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | None = None,
        loss: Callable[[Tensor, Tensor], Tensor] | None = None,
        metrics: Sequence[str | Metric] = ("accuracy",),
    ) -> None:
        if optimizer is not None and not isinstance(optimizer, Optimizer):
            raise TypeError(f"Trainer: expected an optimizer such as optim.Adam(...), got {optimizer!r}")
        if loss is not None and not callable(loss):
            raise TypeError(f"Trainer: expected the loss as a function or a layer, got {loss!r}")
        if isinstance(metrics, str):
            raise TypeError(f'Trainer: expected a list of metrics, such as ["{metrics}"], got {metrics!r}')
        self.model = model
        self.optimizer = optimizer
        self.loss = nn.CrossEntropyLoss() if loss is None else loss
        self.metrics = _named(metrics)
        self.history = History()

    @np.errstate(over="ignore", invalid="ignore")  # the loss tells, with the step
    def fit(
        self,
        train: Batches | Dataset,
        epochs: int,
        validation: Batches | Dataset | None = None,
        *,
        batch_size: int = 64,
        verbose: bool = True,
        on_epoch_end: Callable[[History], None] | None = None,
    ) -> History:
        """Train for some epochs; called again, it goes on, and so does the history.

        Parameters
        ----------
        train : DataLoader, iterable of (x, y) batches, or Dataset
            What to learn from; a Dataset is shuffled and cut into batches.
        epochs : int
            How often to go through ``train``.
        validation : like ``train``, optional
            What to measure the model on after each epoch.
        batch_size : int
            For a Dataset; a loader has its own.
        verbose : bool
            Show a bar on a terminal, and print a line for each epoch.
        on_epoch_end : callable, optional
            Called with the history after each epoch, to save the weights, say.

        Returns
        -------
        History
            The trainer's history.

        Raises
        ------
        ValueError
            There are no batches, or an empty one.
        FloatingPointError
            The loss is NaN or infinite; the step that showed it has not changed the weights.
        """
        optimizer = self.optimizer
        if optimizer is None:
            raise ValueError("fit: the trainer has no optimizer; make it with Trainer(model, optimizer)")
        _check_count("fit: epochs", epochs)
        train = _batches(train, batch_size, shuffle=True, name="train")
        if validation is not None:
            validation = _batches(validation, batch_size, shuffle=False, name="validation")
        done = self.history.epochs
        for epoch in range(done + 1, done + epochs + 1):
            title = f"epoch {epoch}/{done + epochs}"
            start = time.perf_counter()
            means, images = self._train_epoch(train, optimizer, epoch, title, verbose)
            seconds = time.perf_counter() - start
            if validation is not None:
                measured = self.evaluate(validation)
                _check_finite(measured["loss"], f"in the validation after epoch {epoch}", optimizer)
                means |= {f"val_{name}": value for name, value in measured.items()}
            rate = images / seconds
            self.history.append(**means, seconds=seconds, images_per_second=rate)
            if on_epoch_end is not None:
                on_epoch_end(self.history)
            if verbose:
                print(f"{title}  {figures(means, '  ')}  {seconds:.1f} s  {rate:.0f} images/s", flush=True)
        return self.history

    def _train_epoch(
        self, batches: Batches, optimizer: Optimizer, epoch: int, title: str, verbose: bool
    ) -> tuple[dict[str, float], int]:
        """Go through the batches once: the means over the epoch, and the number of samples."""
        means = _Means(self.metrics)
        progress = Progress(title, len(batches) if isinstance(batches, Sized) else None, verbose)
        start = time.perf_counter()
        try:
            with _mode(self.model, training=True):
                for step, (x, y) in enumerate(_pairs(batches, "fit"), 1):
                    optimizer.zero_grad()
                    outputs = self.model(x)
                    loss = self.loss(outputs, y)
                    value = loss.item()
                    _check_finite(value, f"in epoch {epoch}, step {step}", optimizer)
                    loss.backward()
                    optimizer.step()
                    means.add(value, outputs.detach(), y)
                    progress.step(means.values(), means.count / (time.perf_counter() - start))
        finally:
            progress.close()
        return means.values(), means.count

    def evaluate(self, data: Batches | Dataset, *, batch_size: int = 64) -> dict[str, float]:
        """Measure the model on batches (x, y) or a Dataset: "loss" and each metric, means of all samples."""
        means = _Means(self.metrics)
        with no_grad(), _mode(self.model, training=False):
            for x, y in _pairs(_batches(data, batch_size, shuffle=False, name="data"), "evaluate"):
                outputs = self.model(x)
                means.add(self.loss(outputs, y).item(), outputs, y)
        return means.values()

    def predict(self, data: Any, *, batch_size: int = 64) -> Tensor:
        """The model's outputs for all samples, in order: (N, classes) for a classifier.

        Parameters
        ----------
        data : Tensor, array, Dataset or DataLoader
            Samples (N, ...), or batches of them; targets beside them are left out.
        batch_size : int
            How many samples go through the model at once, if ``data`` is no loader.

        Raises
        ------
        ValueError
            There are no samples.
        """
        _check_count("predict: batch_size", batch_size)
        if isinstance(data, Tensor | np.ndarray):
            samples = _tensor(data)
            batches: Batches = (samples[i : i + batch_size] for i in range(0, len(samples), batch_size))
        else:
            batches = _batches(data, batch_size, shuffle=False, name="data")
        with no_grad(), _mode(self.model, training=False):
            outputs = [self.model(_tensor(b[0] if isinstance(b, tuple | list) else b)) for b in batches]
        if not outputs:
            raise ValueError("predict: there are no samples")
        return cat(outputs)


class _Means:
    """The loss and the metrics of many batches, averaged over their samples."""

    def __init__(self, metrics: dict[str, Metric]) -> None:
        self.metrics = metrics
        self.sums = dict.fromkeys(("loss", *metrics), 0.0)
        self.count = 0

    def add(self, loss: float, outputs: Tensor, targets: Tensor) -> None:
        samples = len(outputs)
        self.count += samples
        self.sums["loss"] += loss * samples
        for name, metric in self.metrics.items():
            self.sums[name] += float(metric(outputs, targets)) * samples

    def values(self) -> dict[str, float]:
        return {name: total / self.count for name, total in self.sums.items()}


@contextmanager
def _mode(model: nn.Module, training: bool) -> Iterator[None]:
    """Put the model in training or evaluation mode, and every module back in its own afterwards."""
    before = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, mode in before:
            module.training = mode


def _named(metrics: Sequence[str | Metric]) -> dict[str, Metric]:
    named: dict[str, Metric] = {}
    for metric in metrics:
        name = metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)
        if isinstance(metric, str) and metric not in METRICS:
            raise ValueError(f"Trainer: metrics are functions or {', '.join(METRICS)}, got {metric!r}")
        if name in named or name == "loss":
            raise ValueError(f"Trainer: two figures are named {name!r}; name the functions differently")
        named[name] = METRICS[metric] if isinstance(metric, str) else metric
    return named


def _batches(data: Batches | Dataset, batch_size: int, shuffle: bool, name: str) -> Batches:
    if isinstance(data, Sized) and len(data) == 0:
        raise ValueError(f"{name} is empty: expected at least one batch")
    return DataLoader(data, batch_size=batch_size, shuffle=shuffle) if isinstance(data, Dataset) else data


def _pairs(batches: Batches, who: str) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches as Tensors, each checked to be a pair with samples in it."""
    number = 0
    for number, batch in enumerate(batches, 1):
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise ValueError(
                f"{who}: expected batches (x, y), got {type(batch).__name__} as batch {number}; "
                "for whole arrays give TensorDataset(x, y)"
            )
        x, y = map(_tensor, batch)
        if len(x) == 0:
            raise ValueError(f"{who}: batch {number} is empty, x is {x.shape}")
        yield x, y
    if number == 0:
        raise ValueError(f"{who}: there are no batches; mind that a generator gives them only once")


def _check_count(what: str, number: Any) -> None:
    if not isinstance(number, int) or number < 1:
        raise ValueError(f"{what} must be a whole number of at least 1, got {number!r}")


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else tensor(x)


def _check_finite(loss: float, where: str, optimizer: Optimizer) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"fit: the loss is {loss} {where}, so training has stopped; "
            f"try a learning rate below {optimizer.param_groups[0]['lr']:g}, and look for NaN in the data"
        )
