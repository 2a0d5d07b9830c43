"""Schedulers that multiply the learning rates by a factor at each epoch."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from minicnn.optim.lr_scheduler.scheduler import LRScheduler, checked, function_state, one_each
from minicnn.optim.optimizer import Optimizer

Factor = Callable[[int], float]


class FactorLR(LRScheduler):
    """Base class: a subclass defines `factor_now` and `total`, at `last_epoch`."""

    def factor_now(self) -> float:
        """What the learning rates are multiplied by at this epoch."""
        raise NotImplementedError(f"{type(self).__name__} does not define factor_now")

    def total(self) -> float:
        """The product of all factors so far."""
        raise NotImplementedError(f"{type(self).__name__} does not define total")

    def get_lr(self) -> list[float]:
        factor = self.factor_now()
        return [rate * factor for rate in self._group_lrs()]

    def closed_form(self) -> list[float]:
        total = self.total()
        return [rate * total for rate in self.base_lrs]


class StepLR(FactorLR):
    """Times gamma at every step_size-th epoch."""

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor_now(self) -> float:
        return 1 if self.last_epoch == 0 or self.last_epoch % self.step_size else self.gamma

    def total(self) -> float:
        return self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(FactorLR):
    """Times gamma at each of the milestones; twice at one given twice."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor_now(self) -> float:
        return self.gamma ** self.milestones[self.last_epoch]

    def total(self) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch)


class ConstantLR(FactorLR):
    """Times `factor` until epoch total_iters."""

    def __init__(
        self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"ConstantLR: factor must be between 0 and 1, got {factor}")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def factor_now(self) -> float:
        if self.last_epoch == 0:
            return self.factor
        return 1 / self.factor if self.last_epoch == self.total_iters else 1

    def total(self) -> float:
        return self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)


class LinearLR(FactorLR):
    """Times a factor that goes in a straight line from start_factor to end_factor at epoch total_iters."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError(f"LinearLR: start_factor must be above 0 and at most 1, got {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: end_factor must be between 0 and 1, got {end_factor}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def factor_now(self) -> float:
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1
        rise = self.end_factor - self.start_factor
        return 1 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)

    def total(self) -> float:
        rise = self.end_factor - self.start_factor
        return self.start_factor + rise * min(self.total_iters, self.last_epoch) / self.total_iters


class ExponentialLR(FactorLR):
    """Times gamma at every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor_now(self) -> float:
        return 1 if self._is_initial else self.gamma

    def total(self) -> float:
        return self.gamma**self.last_epoch


class PolynomialLR(FactorLR):
    """Times (1 - epoch / total_iters) ** power, down to 0 at epoch total_iters."""

    def __init__(
        self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1
    ) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def factor_now(self) -> float:
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1
        now, before = (1 - epoch / self.total_iters for epoch in (self.last_epoch, self.last_epoch - 1))
        return (now / before) ** self.power

    def total(self) -> float:
        return (1 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power


class LambdaLR(LRScheduler):
    """The starting rates times what a function gives for the epoch.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    lr_lambda : callable or list of callables
        Epoch -> factor, for all groups or one for each.
    last_epoch : int
        See `LRScheduler`.
    """

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1
    ) -> None:
        name = type(self).__name__
        self.lr_lambdas = one_each(name, "lr_lambda", lr_lambda, checked(name, optimizer))
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"{name}: expected lr_lambda as a function, got {type(function).__name__}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [rate * function(self.last_epoch) for rate, function in pairs]

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer and functions; objects that are called keep their attributes."""
        return {**super().state_dict(), "lr_lambdas": [function_state(f) for f in self.lr_lambdas]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        functions = self.lr_lambdas
        super().load_state_dict({**state_dict, "lr_lambdas": functions})
        for function, saved in zip(functions, state_dict["lr_lambdas"], strict=True):
            if saved is not None:
                vars(function).update(saved)


class MultiplicativeLR(LambdaLR):
    """The rates times what a function gives for the epoch, at every epoch; arguments are `LambdaLR`'s."""

    def get_lr(self) -> list[float]:
        rates = self._group_lrs()
        if self._is_initial:
            return rates
        return [r * function(self.last_epoch) for r, function in zip(rates, self.lr_lambdas, strict=True)]
