"""RMSprop."""

from collections.abc import Iterable
from typing import Any

from minicnn.device import kernels_for
from minicnn.optim.optimizer import Arrays, Optimizer, States, arrays_of, check_range, zeros_like


class RMSprop(Optimizer):
    """Steps of the gradient divided by the root of the running mean of its square.

    Source: Hinton, Neural networks for machine learning, lecture 6e, 2012; centered: Graves, Generating
    sequences with recurrent neural networks, 2013.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize; see `Optimizer`.
    lr : float
        Learning rate.
    alpha : float
        How much of the running means each step keeps.
    eps : float
        Added to the root.
    weight_decay : float
        Times the parameter, added to the gradient.
    momentum : float
        How much of the step before is done again.
    centered : bool
        Divide by the running standard deviation of the gradient instead.
    maximize : bool
        Go up instead of down.
    capturable, foreach, differentiable
        Of no effect; see `optimizer.VARIANTS`.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered}
        variant = {"capturable": capturable, "foreach": foreach, "differentiable": differentiable}
        super().__init__(params, {**settings, "weight_decay": weight_decay, "maximize": maximize, **variant})

    def check(self, group: dict[str, Any]) -> None:
        check_range("RMSprop", group, "lr", "alpha", "eps", "weight_decay", "momentum")

    def update(self, params: Arrays, grads: Arrays, states: States, group: dict[str, Any]) -> None:
        wanted = {"square_avg": True, "grad_avg": group["centered"], "momentum_buffer": group["momentum"] > 0}
        for param, state in zip(params, states, strict=True):
            if not state:
                state["step"] = 0
            for key in wanted:
                if wanted[key] and key not in state:
                    state[key] = zeros_like(param)
            state["step"] += 1
        kernels_for(params[0]).rmsprop_step(
            params,
            grads,
            *(arrays_of(states, key) if wanted[key] else None for key in wanted),
            group["lr"],
            group["alpha"],
            group["eps"],
            group["weight_decay"],
            group["momentum"],
            group["maximize"],
        )
