"""What all schedulers share: counting steps, setting the groups' learning rates, and their state."""

import warnings
from collections.abc import Mapping
from types import FunctionType
from typing import Any

from minicnn.optim.optimizer import Optimizer

OUTSIDE_STATE = ("optimizer",)  # attributes that state_dict leaves out


class LRScheduler:
    """Base class: a subclass defines `get_lr`, and `closed_form` if the rate follows from the epoch alone.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups' "lr" to set; at once, to the rate of epoch 0.
    last_epoch : int
        -1 to start; to go on, the epoch that was last done, with the groups' "initial_lr" in place.

    Attributes
    ----------
    last_epoch : int
        How often `step` was called.
    base_lrs : list of float
        The groups' learning rates at the start.
    """

    optimizer: Optimizer
    base_lrs: list[float]
    last_epoch: int
    _last_lr: list[float]
    _step_count: int
    _is_initial = False  # whether this step is the one that the constructor makes

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = checked(type(self).__name__, optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: expected 'initial_lr' in param_groups[{i}] to resume with "
                    f"last_epoch {last_epoch}; load the optimizer's state first"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        self.step()
        self._is_initial = False

    def get_lr(self) -> list[float]:
        """The groups' learning rates at `last_epoch`, mostly from those of the epoch before."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_lr")

    def closed_form(self) -> list[float]:
        """The groups' learning rates at `last_epoch`, whatever they were before."""
        return self.get_lr()

    def get_last_lr(self) -> list[float]:
        """The learning rates that the last step has set."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch, or to that given. Call it after the optimizer's step."""
        overridden = type(self.optimizer).step is not Optimizer.step  # what it does then is not known
        if self._step_count == 1 and not overridden and not self.optimizer.stepped:
            warnings.warn(
                f"{type(self).__name__}.step() was called before optimizer.step(), so the first learning "
                "rate is skipped; call them in the other order",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        if epoch is not None:
            message = f"{type(self).__name__}.step: the argument epoch is deprecated; step() counts by itself"
            warnings.warn(message, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._set_lr(self.get_lr() if epoch is None else self.closed_form())

    def _set_lr(self, rates: list[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = self._group_lrs()

    def _group_lrs(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer."""
        return {key: value for key, value in vars(self).items() if key not in OUTSIDE_STATE}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave; the optimizer's state is loaded by itself."""
        vars(self).update(state_dict)


def checked(name: str, optimizer: Any) -> Optimizer:
    """The optimizer; TypeError if it is none."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{name}: expected an Optimizer, got {type(optimizer).__name__}")
    return optimizer


def one_each(name: str, role: str, value: Any, optimizer: Optimizer) -> list[Any]:
    """One value for each parameter group, from a list of them or one for all."""
    count = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * count
    if len(value) != count:
        raise ValueError(
            f"{name}: expected one {role} for each of {count} parameter groups, got {len(value)}"
        )
    return list(value)


def function_state(function: Any) -> dict[str, Any] | None:
    """What to save of a callable: the attributes of an object, nothing of a function."""
    return None if function is None or isinstance(function, FunctionType) else vars(function).copy()
