"""Optimizer steps in one pass over all parameters, their gradients and their states."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.lists import SIZE, Arrays, part, table_of
from minicnn.kernels.cpu.runner import run

__all__ = ["adagrad_step", "adam_step", "rmsprop_step", "sgd_step"]


@jit
def plain(table, lr, decay, sign, begin, end):
    """The step without momentum; decay is the weight decay, sign -1 to maximize."""
    for k in range(len(table)):
        p, g = part(table, k, 0, lr, begin, end), part(table, k, 1, lr, begin, end)
        for i in range(p.size):
            p[i] -= lr * (sign * g[i] + decay * p[i])


@jit
def heavy_ball(table, lr, decay, sign, momentum, damp, nesterov, begin, end):
    """b = momentum * b + damp * gradient, then the step."""
    for k in range(len(table)):
        p, g = part(table, k, 0, lr, begin, end), part(table, k, 1, lr, begin, end)
        b = part(table, k, 2, lr, begin, end)
        for i in range(p.size):
            d = sign * g[i] + decay * p[i]
            b[i] = momentum * b[i] + damp * d
            p[i] -= lr * (d + momentum * b[i] if nesterov else b[i])


@jit
def adam(table, rate, decay, sign, shrink, rest1, beta2, rest2, bias2, eps, amsgrad, begin, end):
    """shrink multiplies the parameter (AdamW), decay adds to the gradient (Adam); rest1 = 1 - beta1.

    With amsgrad there is `most`, the largest v so far; NaN counts as the largest.
    """
    for k in range(len(table)):
        p, g = part(table, k, 0, rate, begin, end), part(table, k, 1, rate, begin, end)
        m, v = part(table, k, 2, rate, begin, end), part(table, k, 3, rate, begin, end)
        most = part(table, k, 4 if amsgrad else 3, rate, begin, end)
        for i in range(p.size):
            old = shrink * p[i]
            d = sign * g[i] + decay * old
            m[i] += rest1 * (d - m[i])
            v[i] = beta2 * v[i] + rest2 * d * d
            spread = v[i]
            if amsgrad:
                spread = most[i] = most[i] if v[i] <= most[i] else v[i]
            p[i] = old - rate * m[i] / (math.sqrt(spread) / bias2 + eps)


@jit
def rmsprop(table, lr, alpha, rest, eps, decay, sign, momentum, centered, begin, end):
    """After p, g and s, mean and then b where they are wanted; rest = 1 - alpha."""
    for k in range(len(table)):
        p, g = part(table, k, 0, lr, begin, end), part(table, k, 1, lr, begin, end)
        s, mean = part(table, k, 2, lr, begin, end), part(table, k, 3 if centered else 2, lr, begin, end)
        b = part(table, k, SIZE - 1, lr, begin, end)
        for i in range(p.size):
            d = sign * g[i] + decay * p[i]
            s[i] = alpha * s[i] + rest * d * d
            spread = s[i]
            if centered:
                mean[i] += rest * (d - mean[i])
                spread -= mean[i] * mean[i]
            move = d / (np.sqrt(spread) + eps)
            if momentum > 0:
                b[i] = momentum * b[i] + move
                move = b[i]
            p[i] -= lr * move


@jit
def adagrad(table, rate, eps, decay, sign, begin, end):
    for k in range(len(table)):
        p, g = part(table, k, 0, rate, begin, end), part(table, k, 1, rate, begin, end)
        s = part(table, k, 2, rate, begin, end)
        for i in range(p.size):
            d = sign * g[i] + decay * p[i]
            s[i] += d * d
            p[i] -= rate * d / (math.sqrt(s[i]) + eps)


def update(step: Callable, *lists: Arrays | None, numbers: tuple[Any, ...]) -> None:
    """Run a step in place on parameters, their gradients and their states, given in this order."""
    given = [arrays for arrays in lists if arrays is not None]
    listed = table_of(*given)
    if listed is not None:
        table, pieces, size = listed
        run(step, pieces, size, table, *numbers)
        return
    rows = [[np.array(a, order="C") for a in arrays] for arrays in given]
    update(step, *rows, numbers=numbers)
    for place in (0, *range(2, len(given))):  # all but the gradients have changed
        for a, row in zip(given[place], rows[place], strict=True):
            a[...] = row


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
    """Gradient descent with momentum; see the reference for the formulas."""
    number = params[0].dtype.type
    rate, decay, sign = number(lr), number(weight_decay), number(-1 if maximize else 1)
    memory = number(momentum), number(1 if first else 1 - dampening), nesterov
    if buffers is None:
        update(plain, params, grads, numbers=(rate, decay, sign))
        return
    for buffer in buffers if first else ():
        buffer[...] = 0  # whatever it held, 0 times nan would not go away
    update(heavy_ball, params, grads, buffers, numbers=(rate, decay, sign, *memory))


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
    """Adam, AdamW or AMSGrad; see the reference for the formulas."""
    decay, shrink = (0, 1 - lr * weight_decay) if decoupled else (weight_decay, 1)
    numbers: tuple[float, ...] = lr / (1 - beta1**step), decay, -1 if maximize else 1, shrink
    numbers += 1 - beta1, beta2, 1 - beta2, math.sqrt(1 - beta2**step), eps
    rounded = [*map(params[0].dtype.type, numbers)]
    update(adam, params, grads, ms, vs, v_maxes, numbers=(*rounded, v_maxes is not None))


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
    """RMSprop; see the reference for the formulas."""
    momentum = 0 if buffers is None else momentum
    numbers = lr, alpha, 1 - alpha, eps, weight_decay, -1 if maximize else 1, momentum
    rounded = [*map(params[0].dtype.type, numbers)]
    update(rmsprop, params, grads, squares, means, buffers, numbers=(*rounded, means is not None))


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
    """Adagrad; see the reference for the formulas."""
    numbers = lr / (1 + (step - 1) * lr_decay), eps, weight_decay, -1 if maximize else 1
    rounded = [*map(params[0].dtype.type, numbers)]
    update(adagrad, params, grads, totals, numbers=tuple(rounded))
