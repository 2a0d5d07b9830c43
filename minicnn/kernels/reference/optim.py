"""Optimizer steps as their definition. All arrays have the parameter's shape and change in place."""

import numpy as np

__all__ = ["adam_step", "sgd_step"]


def sgd_step(
    param: np.ndarray,
    grad: np.ndarray,
    buffer: np.ndarray | None,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """Gradient descent with momentum (Sutskever et al. 2013, in PyTorch's form).

    buffer = momentum * buffer + (1 - dampening) * g, but g itself in the `first` step;
    param -= lr * (g + momentum * buffer if nesterov else buffer).
    """
    for i in np.ndindex(param.shape):
        g = (-grad[i] if maximize else grad[i]) + weight_decay * param[i]
        if buffer is not None:
            buffer[i] = g if first else momentum * buffer[i] + (1 - dampening) * g
            g = g + momentum * buffer[i] if nesterov else buffer[i]
        param[i] -= lr * g


def adam_step(
    param: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
    step: int,
) -> None:
    """Adam (Kingma and Ba 2015), or AdamW if the weight decay is `decoupled` (Loshchilov and Hutter 2019).

    m and v are running means of g and g*g; divided by 1 - beta**step they forget that they began at 0.
    """
    for i in np.ndindex(param.shape):
        g = -grad[i] if maximize else grad[i]
        if decoupled:
            param[i] -= lr * weight_decay * param[i]
        else:
            g = g + weight_decay * param[i]
        m[i] = beta1 * m[i] + (1 - beta1) * g
        v[i] = beta2 * v[i] + (1 - beta2) * g * g
        m_hat, v_hat = m[i] / (1 - beta1**step), v[i] / (1 - beta2**step)
        param[i] -= lr * m_hat / (v_hat**0.5 + eps)
