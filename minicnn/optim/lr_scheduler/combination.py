"""Schedulers made of schedulers."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from minicnn.optim.lr_scheduler.plateau import ReduceLROnPlateau
from minicnn.optim.lr_scheduler.scheduler import LRScheduler
from minicnn.optim.optimizer import Optimizer


class CombinedLR(LRScheduler):
    """Base class of the two below: their parts, and the state of them all."""

    def _take(self, optimizer: Optimizer | None, schedulers: Sequence[LRScheduler]) -> None:
        name = type(self).__name__
        if len(schedulers) < 1:
            raise ValueError(f"{name}: expected at least one scheduler, got none")
        for i, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, LRScheduler):
                raise TypeError(f"{name}: expected a scheduler at {i}, got {type(scheduler).__name__}")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(
                    f"{name}: ReduceLROnPlateau, at {i}, cannot take part; its step needs a metric"
                )
            optimizer = optimizer or scheduler.optimizer
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"{name}: the scheduler at {i} belongs to another optimizer")
        self._schedulers = list(schedulers)
        self.optimizer = schedulers[0].optimizer

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer, schedulers as their own states."""
        return {**super().state_dict(), "_schedulers": [part.state_dict() for part in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        parts = self._schedulers
        super().load_state_dict({**state_dict, "_schedulers": parts})
        for part, saved in zip(parts, state_dict["_schedulers"], strict=True):
            part.load_state_dict(saved)


class SequentialLR(CombinedLR):
    """One scheduler after the other; from milestone i on the scheduler i + 1, which starts at its epoch 0."""

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[LRScheduler],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        self._take(optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR: expected {len(schedulers) - 1} milestones between {len(schedulers)} "
                f"schedulers, got {len(milestones)}"
            )
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        for group in self.optimizer.param_groups:  # each part has already set the rate of its first epoch
            group["lr"] = group["initial_lr"]
        undo(self)
        first = self._schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch."""
        if epoch is not None:
            raise TypeError("SequentialLR.step: takes no epoch; it counts by itself")
        self.last_epoch += 1
        turn = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[turn]
        if turn > 0 and self._milestones[turn - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


def undo(scheduler: LRScheduler) -> None:
    """Take back the first step of all schedulers below."""
    if isinstance(scheduler, CombinedLR):
        for part in scheduler._schedulers:
            undo(part)
    else:
        scheduler.last_epoch -= 1


class ChainedScheduler(CombinedLR):
    """Several schedulers at once: each changes what the one before has set."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self._take(optimizer, schedulers)
        self._last_lr = self._group_lrs()

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch."""
        if epoch is not None:
            raise TypeError("ChainedScheduler.step: takes no epoch; its schedulers count by themselves")
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._group_lrs()
