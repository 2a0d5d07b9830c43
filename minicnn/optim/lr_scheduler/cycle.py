"""Schedulers that lead the learning rate up and down, and the momentum against it."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from minicnn.optim.lr_scheduler.scheduler import LRScheduler, checked, function_state, one_each
from minicnn.optim.optimizer import Optimizer


class CyclingLR(LRScheduler):
    """Base class of the two below: sets the groups' momentum, or the first of their betas."""

    def _start_momentum(self, base: Any, most: Any, last_epoch: int) -> None:
        """Give each group its bounds, and its momentum the upper one."""
        name, optimizer = type(self).__name__, self.optimizer
        self.use_beta1 = "betas" in optimizer.defaults
        if not self.use_beta1 and "momentum" not in optimizer.defaults:
            raise ValueError(
                f"{name}: {type(optimizer).__name__} has no momentum to cycle; pass cycle_momentum=False"
            )
        self.base_momentums = one_each(name, "base_momentum", base, optimizer)
        self.max_momentums = one_each(name, "max_momentum", most, optimizer)
        if last_epoch == -1:
            bounds = zip(optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True)
            for group, low, high in bounds:
                self._set_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class OneCycleLR(CyclingLR):
    """Up to max_lr and then far down, once in a training; `step` after every batch.

    Source: Smith and Topin, Super-convergence: very fast training of neural networks using large learning
    rates, 2018.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    max_lr : float or list of float
        The highest rate, for all groups or one for each.
    total_steps : int, optional
        The number of batches; otherwise epochs * steps_per_epoch.
    pct_start : float
        The share of the steps that lead up.
    anneal_strategy : "cos" or "linear"
        The way between.
    cycle_momentum : bool
        Whether the momentum goes from max_momentum to base_momentum and back, against the rate.
    div_factor, final_div_factor : float
        max_lr / first rate, and first rate / last rate.
    three_phase : bool
        Down to the first rate as slowly as up, and then to the last; otherwise straight to the last.

    Raises
    ------
    ValueError
        Arguments that make no sense; and `step` after total_steps steps.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = checked("OneCycleLR", optimizer)
        self.total_steps = step_count(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: expected pct_start as a float from 0 to 1, got {pct_start!r}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f'OneCycleLR: expected anneal_strategy "cos" or "linear", got {anneal_strategy!r}'
            )
        self._schedule_phases = phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        if last_epoch == -1:
            rates = one_each("OneCycleLR", "max_lr", max_lr, optimizer)
            for group, highest in zip(optimizer.param_groups, rates, strict=True):
                group["initial_lr"] = highest / div_factor
                group["max_lr"] = highest
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"OneCycleLR: this is step {self.last_epoch}, but total_steps is {self.total_steps}"
            )
        start = 0.0
        for phase in self._schedule_phases:
            end = phase["end_step"]
            if self.last_epoch <= end or phase is self._schedule_phases[-1]:
                break
            start = end
        part = (self.last_epoch - start) / (end - start)
        groups = self.optimizer.param_groups
        if self.cycle_momentum:
            for group in groups:
                here, there = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._set_momentum(group, self._between(here, there, part))
        return [self._between(g[phase["start_lr"]], g[phase["end_lr"]], part) for g in groups]

    def _between(self, start: float, end: float, part: float) -> float:
        if self._anneal_func_type == "linear":
            return (end - start) * part + start
        return end + (start - end) / 2 * (math.cos(math.pi * part) + 1)


def step_count(total_steps: Any, epochs: Any, steps_per_epoch: Any) -> int:
    """The number of steps of OneCycleLR, from either way to give it."""
    given = [("total_steps", total_steps)]
    if total_steps is None:
        given = [("epochs", epochs), ("steps_per_epoch", steps_per_epoch)]
    for role, value in given:
        if value is None:
            raise ValueError("OneCycleLR: expected total_steps, or both epochs and steps_per_epoch")
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"OneCycleLR: expected {role} as a positive int, got {value!r}")
    return math.prod(value for _, value in given)


def phases(total_steps: int, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
    """The parts of OneCycleLR: last step, and the groups' settings at its start and end."""
    up = float(pct_start * total_steps) - 1
    parts = [(up, "initial_lr", "max_lr", "max_momentum", "base_momentum")]
    if three_phase:
        back = float(2 * pct_start * total_steps) - 2
        parts.append((back, "max_lr", "initial_lr", "base_momentum", "max_momentum"))
        parts.append((total_steps - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"))
    else:
        parts.append((total_steps - 1, "max_lr", "min_lr", "base_momentum", "max_momentum"))
    names = "end_step", "start_lr", "end_lr", "start_momentum", "end_momentum"
    return [dict(zip(names, part, strict=True)) for part in parts]


class CyclicLR(CyclingLR):
    """From base_lr to max_lr and back in straight lines, again and again; `step` after every batch.

    Source: Smith, Cyclical learning rates for training neural networks, 2017.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    base_lr, max_lr : float or list of float
        The bounds, for all groups or one for each.
    step_size_up, step_size_down : int
        Steps from base_lr to max_lr, and back (as many unless given).
    mode : "triangular", "triangular2" or "exp_range"
        The height of the cycles: the same, halved each time, or times gamma at each step.
    scale_fn : callable, optional
        Gives the height instead, for the number of the cycle (from 1) or, as scale_mode says, the step.
    scale_mode : "cycle" or "iterations"
        What scale_fn is given.
    cycle_momentum : bool
        Whether the momentum goes from max_momentum to base_momentum and back, against the rate.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = checked("CyclicLR", optimizer)
        base_lrs = one_each("CyclicLR", "base_lr", base_lr, optimizer)
        self.max_lrs = one_each("CyclicLR", "max_lr", max_lr, optimizer)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(
                f'CyclicLR: expected mode "triangular", "triangular2" or "exp_range", got {mode!r}'
            )
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        if scale_fn is None:
            scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.scale_mode = scale_mode
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, base_lrs, strict=True):
                group["lr"] = rate
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The height of the cycle x, or at the step x."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 0.5 ** (x - 1) if self.mode == "triangular2" else self.gamma**x

    def get_lr(self) -> list[float]:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1 + self.last_epoch / self.total_size - cycle
        part = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            bounds = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True)
            for group, low, high in bounds:
                self._set_momentum(group, high - (high - low) * part * scale)
        return [
            low + (high - low) * part * scale for low, high in zip(self.base_lrs, self.max_lrs, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer and a function; an object that is called keeps its attributes."""
        return {**super().state_dict(), "_scale_fn_custom": function_state(self._scale_fn_custom)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        function = self._scale_fn_custom
        super().load_state_dict({**state_dict, "_scale_fn_custom": function})
        if state_dict["_scale_fn_custom"] is not None:
            vars(function).update(state_dict["_scale_fn_custom"])
