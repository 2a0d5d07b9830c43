"""The training loop: batches in, a better model and the history of its epochs out."""

import math
import time
from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import contextmanager
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np

from minicnn import nn
from minicnn.autograd import no_grad
from minicnn.cuda import is_available
from minicnn.data import Dataset
from minicnn.data.resident import resident
from minicnn.device import CPU, placed
from minicnn.optim import Optimizer
from minicnn.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from minicnn.plan import CompiledFunction
from minicnn.tensor import Tensor, cat
from minicnn.training.batches import Batches, as_tensor, batches_of, each, move_state
from minicnn.training.history import History
from minicnn.training.measures import METRICS, Means, Metric, best_kept, classification_loss, named
from minicnn.training.progress import Progress, figures


class Trainer:
    """Trains a model, and measures it.

    Parameters
    ----------
    model : nn.Module
        What to train.
    optimizer : Optimizer, optional
        Of the model's parameters; only `fit` needs it.
    loss : callable, optional
        ``loss(outputs, targets)`` gives a Tensor with one number; `classification_loss` unless given.
    metrics : sequence of str or callable
        Shown and recorded beside the loss: "accuracy", or functions of (outputs, targets) that give a number
        for a batch; their mean over all samples counts. Of a tuple of outputs they get the first.
    scheduler : LRScheduler, optional
        Of the optimizer; it goes a step after each epoch. ReduceLROnPlateau looks at "val_loss", or at
        "loss" where there is no validation.
    clip_norm : float, optional
        The largest norm that the gradients of all parameters together may have; longer ones are scaled.

    device : str or device
        Where to work: "cpu", "cuda", or "auto", which is the GPU if there is one. The model is moved there
        when work begins, and stays; each batch is moved when it comes. On the CPU the model and the loss are
        compiled (`minicnn.compile`), as one if possible, on a GPU a step is one CUDA graph, where that can be
        done.

    Attributes
    ----------
    device : device
        Where the trainer works.
    history : History
        The figures of every epoch so far, also after an interrupted `fit`.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | None = None,
        loss: Callable[[Any, Any], Tensor] | None = None,
        metrics: Sequence[str | Metric] = ("accuracy",),
        *,
        scheduler: LRScheduler | None = None,
        clip_norm: float | None = None,
        device: Any = "auto",
    ) -> None:
        if optimizer is not None and not isinstance(optimizer, Optimizer):
            raise TypeError(f"Trainer: expected an optimizer such as optim.Adam(...), got {optimizer!r}")
        if loss is not None and not callable(loss):
            raise TypeError(f"Trainer: expected the loss as a function or a layer, got {loss!r}")
        if isinstance(metrics, str):
            raise TypeError(f'Trainer: expected a list of metrics, such as ["{metrics}"], got {metrics!r}')
        if scheduler is not None and (optimizer is None or scheduler.optimizer is not optimizer):
            raise ValueError("Trainer: expected a scheduler of the trainer's own optimizer")
        if clip_norm is not None and not clip_norm > 0:
            raise ValueError(f"Trainer: clip_norm must be above 0, got {clip_norm!r}")
        chosen = ("cuda" if is_available() else "cpu") if device == "auto" else device
        self.device = placed("Trainer", chosen)
        self.model = model
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.clip_norm = clip_norm
        self.loss = classification_loss if loss is None else loss
        self.metrics = named(metrics)
        self.history = History()
        self._compiled: dict[Any, Callable[..., Any]] = {}

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
        keep_best: str | None = None,
    ) -> History:
        """Train for some epochs; called again, it goes on, and so does the history.

        A batch's x is a Tensor or an array. So is y, or it is what else the loss takes, such as a detector's
        list of dicts.

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
        keep_best : str, optional
            A name in the history, such as "val_accuracy": in the end, also after Ctrl-C, the model gets the
            weights of the epoch in which this was greatest; or smallest, for a name that ends in "loss".

        Returns
        -------
        History
            The trainer's history.

        Raises
        ------
        ValueError
            There are no batches, or an empty one.
        FloatingPointError
            The loss is NaN or infinite; the step that showed it has not changed the weights. A GPU is asked
            at the end of an epoch.
        """
        optimizer = self.optimizer
        if optimizer is None:
            raise ValueError("fit: the trainer has no optimizer; make it with Trainer(model, optimizer)")
        _check_count("fit: epochs", epochs)
        self._place()
        train = batches_of(train, batch_size, shuffle=True, name="train")
        if validation is not None:
            validation = batches_of(validation, batch_size, shuffle=False, name="validation")
        names = ["loss", *self.metrics]
        if validation is not None:
            names += [f"val_{name}" for name in names]
        if self.device is not CPU:
            train = resident(train, self.device)
            validation = None if validation is None else resident(validation, self.device)
        done = self.history.epochs
        with best_kept(self.model, keep_best, names) as look:
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
                look(means)
                if isinstance(self.scheduler, ReduceLROnPlateau):
                    self.scheduler.step(means.get("val_loss", means["loss"]))
                elif self.scheduler is not None:
                    self.scheduler.step()
                if on_epoch_end is not None:
                    on_epoch_end(self.history)
                if verbose:
                    print(
                        f"{title}  {figures(means, '  ')}  {seconds:.1f} s  {rate:.0f} images/s", flush=True
                    )
        return self.history

    def _place(self) -> None:
        """Bring all that takes part to the device."""
        self.model.to(self.device)
        if isinstance(self.loss, nn.Module):
            self.loss.to(self.device)
        if self.optimizer is not None:
            move_state(self.optimizer, self.device)

    def _fast(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function; on the CPU compiled, unless it does what cannot be repeated."""
        if self.device is not CPU or not isinstance(function, nn.Module | FunctionType):
            return function
        if function not in self._compiled:
            self._compiled[function] = CompiledFunction(function, quiet=True)
        return self._compiled[function]

    def _measure(self) -> Callable[[Tensor, Any], tuple[Tensor, Any]]:
        """`measured` for this model and loss; on the CPU compiled as one, or else each that can be."""
        metrics = bool(self.metrics)
        key = id(self.model), id(self.loss), metrics, self.device  # whose objects `parts` keeps alive
        if key not in self._compiled:
            parts = partial(measured, self._fast(self.model), self._fast(self.loss), metrics)
            whole = CompiledFunction(parts, quiet=True, whole=True) if self.device is CPU else parts
            self._compiled[key] = partial(by_targets, whole, parts)
        return self._compiled[key]

    def _train_epoch(
        self, batches: Batches, optimizer: Optimizer, epoch: int, title: str, verbose: bool
    ) -> tuple[dict[str, float], int]:
        """Go through the batches once: the means over the epoch, and the number of samples."""
        means = Means(self.metrics, self.device)
        progress = Progress(title, len(batches) if isinstance(batches, Sized) else None, verbose)
        on_gpu, steps = self.device is not CPU, 0
        measure = self._measure()
        start = time.perf_counter()

        def learn(x: Tensor, y: Any) -> None:
            nonlocal steps
            steps += 1
            optimizer.zero_grad()
            loss, outputs = measure(x, y)
            value: Any = loss.detach()
            if not on_gpu:
                value = loss.item()
                _check_finite(value, f"in epoch {epoch}, step {steps}", optimizer)
            loss.backward()
            if self.clip_norm is not None:
                nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
            optimizer.step()
            means.add(len(x), value, outputs, y)

        try:
            with _mode(self.model, training=True):
                for count in each(learn, batches, "fit", self.device):
                    means.count += count
                    progress.step(means.values, means.count / (time.perf_counter() - start))
        finally:
            progress.close()
        found = means.values()
        _check_finite(found["loss"], f"in epoch {epoch}", optimizer)
        return found, means.count

    def evaluate(self, data: Batches | Dataset, *, batch_size: int = 64) -> dict[str, float]:
        """Measure the model on batches (x, y) or a Dataset: "loss" and each metric, means of all samples."""
        self._place()
        means = Means(self.metrics, self.device)
        measure = self._measure()
        known = all(metric in METRICS.values() for metric in self.metrics.values())  # for they only compute

        def look(x: Tensor, y: Any) -> None:
            loss, outputs = measure(x, y)
            means.add(len(x), loss, outputs, y)

        with no_grad(), _mode(self.model, training=False):
            batches = batches_of(data, batch_size, shuffle=False, name="data")
            batches = batches if self.device is CPU else resident(batches, self.device)
            for count in each(look, batches, "evaluate", self.device, capture=known):
                means.count += count
        return means.values()

    def predict(self, data: Any, *, batch_size: int = 64) -> Tensor:
        """The model's outputs for all samples, in order, on the CPU: (N, classes) for a classifier.

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
        self._place()
        if isinstance(data, Tensor | np.ndarray):
            samples = as_tensor(data)
            batches: Batches = (samples[i : i + batch_size] for i in range(0, len(samples), batch_size))
        else:
            batches = batches_of(data, batch_size, shuffle=False, name="data")
        forward = self._fast(self.model)
        with no_grad(), _mode(self.model, training=False):
            inputs = (as_tensor(b[0] if isinstance(b, tuple | list) else b) for b in batches)
            outputs = [forward(x.to(self.device)) for x in inputs]
        if not outputs:
            raise ValueError("predict: there are no samples")
        return cat(outputs).cpu()


def measured(
    model: Callable[..., Any], loss: Callable[..., Any], metrics: bool, x: Tensor, y: Any
) -> tuple[Tensor, Any]:
    """The loss of a batch and, for metrics, the model's outputs, or the first of several."""
    outputs = model(x)
    loss_now = loss(outputs, y)
    if not metrics:
        return loss_now, None
    return loss_now, (outputs[0] if isinstance(outputs, tuple) else outputs).detach()


def by_targets(whole: Callable[..., Any], parts: Callable[..., Any], x: Tensor, y: Any) -> tuple[Tensor, Any]:
    """`measured` as one for a Tensor of targets; others, such as boxes, are of another kind each time."""
    return (whole if type(y) is Tensor else parts)(x, y)


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


def _check_count(what: str, number: Any) -> None:
    if not isinstance(number, int) or number < 1:
        raise ValueError(f"{what} must be a whole number of at least 1, got {number!r}")


def _check_finite(loss: float, where: str, optimizer: Optimizer) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"fit: the loss is {loss} {where}, so training has stopped; "
            f"try a learning rate below {optimizer.param_groups[0]['lr']:g}, and look for NaN in the data"
        )
