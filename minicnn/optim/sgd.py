"""Stochastic gradient descent."""

from collections.abc import Iterable
from typing import Any

from minicnn.device import kernels_for
from minicnn.optim.optimizer import Arrays, Optimizer, States, arrays_of, check_range, zeros_like


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted.

    With gradient g (plus weight_decay times the parameter) and buffer b, at first g itself:
    b = momentum * b + (1 - dampening) * g; the step is -lr * b, or with Nesterov's momentum
    -lr * (g + momentum * b).

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize; see `Optimizer`.
    lr : float
        Learning rate.
    momentum, dampening, weight_decay : float
        As above.
    nesterov : bool
        Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.
    maximize : bool
        Go up instead of down.
    foreach, differentiable, fused
        Of no effect; see `optimizer.VARIANTS`.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        variant = {"foreach": foreach, "differentiable": differentiable, "fused": fused}
        super().__init__(params, {**settings, "nesterov": nesterov, "maximize": maximize, **variant})

    def check(self, group: dict[str, Any]) -> None:
        check_range("SGD", group, "lr", "momentum", "weight_decay")
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ValueError("SGD: nesterov requires a momentum and zero dampening")

    def update(self, params: Arrays, grads: Arrays, states: States, group: dict[str, Any]) -> None:
        momentum = group["momentum"]
        first = momentum != 0 and not states[0]
        if first:
            for param, state in zip(params, states, strict=True):
                state["momentum_buffer"] = zeros_like(param)
        kernels_for(params[0]).sgd_step(
            params,
            grads,
            arrays_of(states, "momentum_buffer") if momentum else None,
            group["lr"],
            momentum,
            group["dampening"],
            group["weight_decay"],
            group["nesterov"],
            group["maximize"],
            first,
        )
