"""Adagrad."""

from collections.abc import Iterable
from typing import Any

from minicnn.device import kernels_for
from minicnn.optim.optimizer import Arrays, Optimizer, States, arrays_of, check_range
from minicnn.tensor import full


class Adagrad(Optimizer):
    """Steps of the gradient divided by the root of the sum of all its squares.

    Source: Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic
    optimization, JMLR 2011.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize; see `Optimizer`.
    lr : float
        Learning rate.
    lr_decay : float
        The rate at step t is lr / (1 + (t - 1) * lr_decay).
    weight_decay : float
        Times the parameter, added to the gradient.
    initial_accumulator_value : float
        Where the sums start.
    eps : float
        Added to the root.
    maximize : bool
        Go up instead of down.
    foreach, differentiable, fused
        Of no effect; see `optimizer.VARIANTS`.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        settings = {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay}
        settings["initial_accumulator_value"] = initial_accumulator_value
        variant = {"foreach": foreach, "differentiable": differentiable, "fused": fused}
        super().__init__(params, {**settings, "maximize": maximize, **variant})

    def check(self, group: dict[str, Any]) -> None:
        check_range("Adagrad", group, "lr", "lr_decay", "eps", "weight_decay", "initial_accumulator_value")

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for p in group["params"]:  # their state does not wait for the first gradient
            start = full(p.shape, group["initial_accumulator_value"], dtype=p.dtype, device=p.device)
            self.state[p] = {"step": 0, "sum": start}

    def update(self, params: Arrays, grads: Arrays, states: States, group: dict[str, Any]) -> None:
        for state in states:
            state["step"] += 1
        kernels_for(params[0]).adagrad_step(
            params,
            grads,
            arrays_of(states, "sum"),
            group["lr"],
            group["lr_decay"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
            states[0]["step"],
        )
