"""Optimizer steps in one pass over the parameter, its gradient and its state."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.runner import run

__all__ = ["adagrad_step", "adam_step", "rmsprop_step", "sgd_step"]

Arrays = Sequence[np.ndarray]


@jit
def plain(p, g, lr, decay, sign, begin, end):
    """The step without momentum; decay is the weight decay, sign -1 to maximize."""
    p, g = p[begin:end], g[begin:end]
    for i in range(p.size):
        p[i] -= lr * (sign * g[i] + decay * p[i])


@jit
def heavy_ball(p, g, b, lr, decay, sign, momentum, damp, nesterov, begin, end):
    """b = momentum * b + damp * gradient, then the step."""
    p, g, b = p[begin:end], g[begin:end], b[begin:end]
    for i in range(p.size):
        d = sign * g[i] + decay * p[i]
        b[i] = momentum * b[i] + damp * d
        p[i] -= lr * (d + momentum * b[i] if nesterov else b[i])


@jit
def adam(p, g, m, v, most, rate, decay, sign, shrink, rest1, beta2, rest2, bias2, eps, amsgrad, begin, end):
    """shrink multiplies the parameter (AdamW), decay adds to the gradient (Adam); rest1 = 1 - beta1.

    `most`, the largest v so far, is empty unless amsgrad; NaN counts as the largest.
    """
    p, g, m, v, most = p[begin:end], g[begin:end], m[begin:end], v[begin:end], most[begin:end]
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
def rmsprop(p, g, s, mean, b, lr, alpha, rest, eps, decay, sign, momentum, centered, begin, end):
    """mean and b are empty where they are not wanted; rest = 1 - alpha."""
    p, g, s, mean, b = p[begin:end], g[begin:end], s[begin:end], mean[begin:end], b[begin:end]
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
def adagrad(p, g, s, rate, eps, decay, sign, begin, end):
    p, g, s = p[begin:end], g[begin:end], s[begin:end]
    for i in range(p.size):
        d = sign * g[i] + decay * p[i]
        s[i] += d * d
        p[i] -= rate * d / (math.sqrt(s[i]) + eps)


def update(step: Callable, arrays: list[np.ndarray], *numbers: Any) -> None:
    """Run a step in place on a parameter, its gradient and its state, given in this order."""
    rows = [a.reshape(-1) for a in arrays]
    run(step, rows[0].size, rows[0].size, *rows, *numbers)
    for i, (a, row) in enumerate(zip(arrays, rows, strict=True)):
        if i != 1 and not a.flags.c_contiguous:  # row is a copy; all but the gradient have changed
            a[...] = row.reshape(a.shape)


def each(*lists: Arrays | None) -> Iterator[list[np.ndarray]]:
    """The first of each list, the second ...; an empty array for a list that is not wanted."""
    params: Any = lists[0]
    nothing = repeat(np.empty(0, params[0].dtype))
    return map(list, zip(*(nothing if one is None else one for one in lists), strict=False))


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
        for arrays in each(params, grads):
            update(plain, arrays, rate, decay, sign)
        return
    for arrays in each(params, grads, buffers):
        if first:
            arrays[2][...] = 0  # whatever it held, 0 times nan would not go away
        update(heavy_ball, arrays, rate, decay, sign, *memory)


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
    for arrays in each(params, grads, ms, vs, v_maxes):
        update(adam, arrays, *rounded, v_maxes is not None)


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
    for arrays in each(params, grads, squares, means, buffers):
        update(rmsprop, arrays, *rounded, means is not None)


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
    for arrays in each(params, grads, totals):
        update(adagrad, arrays, *rounded)
