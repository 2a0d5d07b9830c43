"""Schedulers along half a cosine wave."""

import math

from minicnn.optim.lr_scheduler.scheduler import LRScheduler
from minicnn.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """From the starting rate down to eta_min at epoch T_max along a cosine, and up again.

    Source: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, 2017; without
    the restarts.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _wave(self, epoch: int) -> float:
        return 1 + math.cos(math.pi * epoch / self.T_max)

    def get_lr(self) -> list[float]:
        rates, low = self._group_lrs(), self.eta_min
        if self._is_initial:
            return rates
        if self._step_count == 1 and self.last_epoch > 0:
            return self.closed_form()
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # before it the wave was 0
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            return [r + (base - low) * rise for r, base in zip(rates, self.base_lrs, strict=True)]
        ratio = self._wave(self.last_epoch) / self._wave(self.last_epoch - 1)
        return [ratio * (r - low) + low for r in rates]

    def closed_form(self) -> list[float]:
        low = self.eta_min
        return [low + (base - low) * self._wave(self.last_epoch) / 2 for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Down a cosine from the starting rate to eta_min in T_0 epochs, again in T_mult times as many, ...

    Source: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, 2017.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        for role, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"CosineAnnealingWarmRestarts: expected {role} as an int of at least 1, got {value}"
                )
        if not isinstance(eta_min, int | float):
            raise ValueError(f"CosineAnnealingWarmRestarts: expected eta_min as a number, got {eta_min!r}")
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        wave, low = 1 + math.cos(math.pi * self.T_cur / self.T_i), self.eta_min
        return [low + (base - low) * wave / 2 for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on to the next epoch, or to that given, which may have a fraction."""
        if epoch is None and self.last_epoch >= 0:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            epoch = epoch or 0
            self._find_cycle(epoch)
        self.last_epoch = math.floor(epoch)
        self._set_lr(self.get_lr())

    def _find_cycle(self, epoch: float) -> None:
        """Set the length of the cycle that the epoch lies in, and the place in it."""
        if epoch < 0:
            raise ValueError(f"CosineAnnealingWarmRestarts.step: epoch must be at least 0, got {epoch}")
        self.T_i, self.T_cur = self.T_0, epoch
        if epoch >= self.T_0 and self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        elif epoch >= self.T_0:
            before = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**before - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**before
