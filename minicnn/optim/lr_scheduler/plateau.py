"""A scheduler that looks at how the training goes."""

import math
import warnings
from typing import Any

from minicnn.optim.lr_scheduler.scheduler import LRScheduler, checked, one_each
from minicnn.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """Times `factor` when a metric has not got better for more than `patience` epochs: ``step(metric)``.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    mode : "min" or "max"
        Whether lower or higher is better.
    factor : float
        Below 1.
    patience : int
        So many epochs without a better metric are let pass.
    threshold, threshold_mode : float, "rel" or "abs"
        Better means by at least this share of the best value, or by this number.
    cooldown : int
        So many epochs after a reduction are not counted.
    min_lr : float or list of float
        The rates stay above, for all groups or one for each.
    eps : float
        A change smaller than this is not made.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1:
            raise ValueError(f"ReduceLROnPlateau: factor must be below 1, got {factor}")
        if mode not in ("min", "max"):
            raise ValueError(f'ReduceLROnPlateau: expected mode "min" or "max", got {mode!r}')
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(
                f'ReduceLROnPlateau: expected threshold_mode "rel" or "abs", got {threshold_mode!r}'
            )
        self.optimizer = checked("ReduceLROnPlateau", optimizer)
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.min_lrs = one_each("ReduceLROnPlateau", "min_lr", min_lr, optimizer)
        self.eps = eps
        self.last_epoch = 0
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = 0
        self.num_bad_epochs = 0
        self._last_lr = self._group_lrs()

    @property
    def in_cooldown(self) -> bool:
        """Whether epochs without a better metric are not counted now."""
        return self.cooldown_counter > 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Go on to the next epoch, given the metric of the one just done: a number or a Tensor of one."""
        if epoch is not None:
            message = "ReduceLROnPlateau.step: the argument epoch is deprecated; step() counts by itself"
            warnings.warn(message, UserWarning, stacklevel=2)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        current = float(metrics)
        if self._is_better(current, self.best):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = self._group_lrs()

    def _is_better(self, now: float, best: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            return sign * now > sign * (best * (1 + sign * self.threshold))
        return sign * now > sign * (best + sign * self.threshold)

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"ReduceLROnPlateau: expected one of min_lrs for each of {len(groups)} parameter groups, "
                    f"got {len(self.min_lrs)}"
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, self.min_lrs, strict=True):
            reduced = max(group["lr"] * self.factor, least)
            if group["lr"] - reduced > self.eps:
                group["lr"] = reduced
