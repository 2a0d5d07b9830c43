"""Adam, and AdamW."""

from collections.abc import Iterable
from typing import Any

from minicnn.device import kernels_for
from minicnn.optim.optimizer import (
    Arrays,
    Optimizer,
    States,
    arrays_of,
    check_number,
    check_range,
    zeros_like,
)


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square.

    Source: Kingma and Ba, Adam: a method for stochastic optimization, 2015 (algorithm 1).

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize; see `Optimizer`.
    lr : float
        Learning rate: about the size of a step.
    betas : (float, float)
        How much of the two running means each step keeps.
    eps : float
        Added to the root of the mean square.
    weight_decay : float
        Times the parameter, added to the gradient.
    amsgrad : bool
        Scale by the largest mean square so far (Reddi, Kale and Kumar, On the convergence of Adam and
        beyond, 2018).
    maximize : bool
        Go up instead of down.
    decoupled_weight_decay : bool
        Whether it is AdamW.
    foreach, capturable, differentiable, fused
        Of no effect; see `optimizer.VARIANTS`.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        variant = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
        settings |= {"maximize": maximize, **variant, "fused": fused}
        super().__init__(params, settings | {"decoupled_weight_decay": decoupled_weight_decay})

    def check(self, group: dict[str, Any]) -> None:
        name = type(self).__name__
        check_range(name, group, "lr", "eps", "weight_decay")
        betas = group["betas"]
        if not isinstance(betas, tuple | list):
            raise TypeError(f"{name}: expected betas as two numbers, got {betas!r}")
        for beta in betas:
            check_number(name, "betas", beta)
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{name}: expected betas as two numbers from 0 to below 1, got {betas}")

    def update(self, params: Arrays, grads: Arrays, states: States, group: dict[str, Any]) -> None:
        amsgrad = group["amsgrad"]
        for param, state in zip(params, states, strict=True):
            if not state:
                state["step"] = 0
                for key in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 if amsgrad else 2]:
                    state[key] = zeros_like(param)
            state["step"] += 1
        kernels_for(params[0]).adam_step(
            params,
            grads,
            arrays_of(states, "exp_avg"),
            arrays_of(states, "exp_avg_sq"),
            arrays_of(states, "max_exp_avg_sq") if amsgrad else None,
            group["lr"],
            *group["betas"],
            group["eps"],
            group["weight_decay"],
            group["decoupled_weight_decay"],
            group["maximize"],
            states[0]["step"],
        )


class AdamW(Adam):
    """Adam whose weight decay acts on the parameter itself: param -= lr * weight_decay * param, first.

    Source: Loshchilov and Hutter, Decoupled weight decay regularization, 2019. Parameters are as for `Adam`.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            *(params, lr, betas, eps, weight_decay, amsgrad),
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
