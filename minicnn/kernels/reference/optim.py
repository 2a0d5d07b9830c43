"""Optimizer steps as their definition, of parameters that share a dtype and all numbers.

At the place of a parameter other lists have its gradient and its states, of the same shape; a list that is
not wanted is None. Parameters and states change in place.
"""

from collections.abc import Iterator, Sequence
from itertools import repeat

import numpy as np

__all__ = ["adagrad_step", "adam_step", "rmsprop_step", "sgd_step"]

Arrays = Sequence[np.ndarray]


def each(*lists: Arrays | None) -> Iterator[tuple]:
    """The first of each list, the second ...; None for a list that is not wanted."""
    return zip(*(repeat(None) if one is None else one for one in lists), strict=False)


def sgd_step(
    params: Arrays,
    grads: Arrays,
    buffers: Arrays | None,
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
    for param, grad, buffer in each(params, grads, buffers):
        for i in np.ndindex(param.shape):
            g = (-grad[i] if maximize else grad[i]) + weight_decay * param[i]
            if buffer is not None:
                buffer[i] = g if first else momentum * buffer[i] + (1 - dampening) * g
                g = g + momentum * buffer[i] if nesterov else buffer[i]
            param[i] -= lr * g


def adam_step(
    params: Arrays,
    grads: Arrays,
    ms: Arrays,
    vs: Arrays,
    v_maxes: Arrays | None,
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

    m and v are running means of g and g*g; divided by 1 - beta**step they forget that they began at 0. With
    `v_maxes`, the largest v so far takes the place of v (AMSGrad, Reddi, Kale and Kumar 2018).
    """
    for param, grad, m, v, v_max in each(params, grads, ms, vs, v_maxes):
        for i in np.ndindex(param.shape):
            g = -grad[i] if maximize else grad[i]
            if decoupled:
                param[i] -= lr * weight_decay * param[i]
            else:
                g = g + weight_decay * param[i]
            m[i] = beta1 * m[i] + (1 - beta1) * g
            v[i] = beta2 * v[i] + (1 - beta2) * g * g
            spread = v[i]
            if v_max is not None:
                spread = v_max[i] = np.maximum(v_max[i], v[i])
            m_hat, v_hat = m[i] / (1 - beta1**step), spread / (1 - beta2**step)
            param[i] -= lr * m_hat / (v_hat**0.5 + eps)


def rmsprop_step(
    params: Arrays,
    grads: Arrays,
    squares: Arrays,
    means: Arrays | None,
    buffers: Arrays | None,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
) -> None:
    """RMSprop (Hinton 2012): the gradient over the root of the running mean of its square.

    With `means`, a running mean of g, the square of that is subtracted first (Graves 2013, equation 38); with
    `buffers`, the quotients are added up there: buffer = momentum * buffer + quotient.
    """
    for param, grad, square, mean, buffer in each(params, grads, squares, means, buffers):
        for i in np.ndindex(param.shape):
            g = (-grad[i] if maximize else grad[i]) + weight_decay * param[i]
            square[i] = alpha * square[i] + (1 - alpha) * g * g
            spread = square[i]
            if mean is not None:
                mean[i] = alpha * mean[i] + (1 - alpha) * g
                spread = square[i] - mean[i] * mean[i]
            move = g / (np.sqrt(spread) + eps)
            if buffer is not None:
                buffer[i] = momentum * buffer[i] + move
                move = buffer[i]
            param[i] -= lr * move


def adagrad_step(
    params: Arrays,
    grads: Arrays,
    totals: Arrays,
    lr: float,
    lr_decay: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
    step: int,
) -> None:
    """Adagrad (Duchi, Hazan and Singer 2011): the gradient over the root of the sum of all its squares."""
    rate = lr / (1 + (step - 1) * lr_decay)
    for param, grad, total in each(params, grads, totals):
        for i in np.ndindex(param.shape):
            g = (-grad[i] if maximize else grad[i]) + weight_decay * param[i]
            total[i] += g * g
            param[i] -= rate * g / (np.sqrt(total[i]) + eps)
