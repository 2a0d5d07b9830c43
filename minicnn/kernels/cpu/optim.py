"""Optimizer steps in one pass over all parameters, their gradients and their states."""

import math
from collections.abc import Callable

import numpy as np

from minicnn.kernels.cpu.jit import inner, kernel
from minicnn.kernels.cpu.lists import Arrays, parts, plain, table_of
from minicnn.kernels.cpu.runner import run

__all__ = ["adagrad_step", "adam_step", "rmsprop_step", "sgd_step"]

LEAST = {np.dtype(kind): np.finfo(kind).tiny for kind in (np.float32, np.float64)}  # normal numbers


@kernel
def descend(settings, table, begin, end):
    """The step without momentum; decay is the weight decay, sign -1 to maximize."""
    lr, decay, sign = settings[0], settings[1], settings[2]
    for k in range(len(table)):
        p, g, _, _, _ = parts(table, k, lr, begin, end)
        for i in range(p.size):
            p[i] -= lr * (sign * g[i] + decay * p[i])


@inner
def normal(x, least):
    """x, or 0 for one that is nearer to 0 than the least normal number.

    Without gradients a running mean goes down to denormal numbers and stays at the last of them. Processors
    compute with them many times slower, and none moves a weight of ordinary size.
    """
    return x * 0 if abs(x) < least else x


@kernel
def heavy_ball(settings, table, nesterov, begin, end):
    """b = momentum * b + damp * gradient, then the step."""
    lr, decay, sign, momentum, damp = settings[0], settings[1], settings[2], settings[3], settings[4]
    least = settings[5]
    for k in range(len(table)):
        p, g, b, _, _ = parts(table, k, lr, begin, end)
        for i in range(p.size):
            d = sign * g[i] + decay * p[i]
            b[i] = normal(momentum * b[i] + damp * d, least)
            p[i] -= lr * (d + momentum * b[i] if nesterov else b[i])


@kernel
def adam(settings, table, amsgrad, begin, end):
    """shrink multiplies the parameter (AdamW), decay adds to the gradient (Adam); rest1 = 1 - beta1.

    The root of v is to be divided by bias2 = sqrt(1 - beta2 ** step); here rate and eps are multiplied by it.

    `most`, the largest v so far, is there if amsgrad; NaN counts as the largest.
    """
    rate, decay, sign, shrink, rest1 = settings[0], settings[1], settings[2], settings[3], settings[4]
    beta2, rest2, eps, least = settings[5], settings[6], settings[7], settings[8]
    least_square = least if eps > 0 else rate * 0  # without eps it must not become 0
    for k in range(len(table)):
        p, g, m, v, most = parts(table, k, rate, begin, end)
        for i in range(p.size):
            old = shrink * p[i]
            d = sign * g[i] + decay * old
            m[i] = normal(m[i] + rest1 * (d - m[i]), least)
            v[i] = normal(beta2 * v[i] + rest2 * d * d, least_square)
            spread = v[i]
            if amsgrad:
                spread = most[i] = most[i] if v[i] <= most[i] else v[i]
            p[i] = old - rate * m[i] / (math.sqrt(spread) + eps)


@kernel
def rmsprop(settings, table, centered, begin, end):
    """mean is there if centered, b if there is a momentum; rest = 1 - alpha."""
    lr, alpha, rest, eps = settings[0], settings[1], settings[2], settings[3]
    decay, sign, momentum, least = settings[4], settings[5], settings[6], settings[7]
    least_square = least if eps > 0 else lr * 0  # as in `adam`
    for k in range(len(table)):
        p, g, s, mean, b = parts(table, k, lr, begin, end)
        for i in range(p.size):
            d = sign * g[i] + decay * p[i]
            s[i] = normal(alpha * s[i] + rest * d * d, least_square)
            spread = s[i]
            if centered:
                mean[i] = normal(mean[i] + rest * (d - mean[i]), least)
                spread -= mean[i] * mean[i]
            move = d / (np.sqrt(spread) + eps)
            if momentum > 0:
                b[i] = normal(momentum * b[i] + move, least)
                move = b[i]
            p[i] -= lr * move


@kernel
def adagrad(settings, table, begin, end):
    """s adds up the squares of the gradients; the step is divided by its root."""
    rate, eps, decay, sign = settings[0], settings[1], settings[2], settings[3]
    for k in range(len(table)):
        p, g, s, _, _ = parts(table, k, rate, begin, end)
        for i in range(p.size):
            d = sign * g[i] + decay * p[i]
            s[i] += d * d
            p[i] -= rate * d / (math.sqrt(s[i]) + eps)


def update(
    step: Callable,
    settings: tuple[float, ...],
    flags: tuple[bool, ...],
    params: Arrays,
    *lists: Arrays | None,
) -> None:
    """Run a step in place on parameters; `lists` are their gradients and states, None what is not wanted.

    The settings are rounded to the parameters' dtype; the least normal number comes after them.
    """
    listed = table_of(params, *lists)
    if listed is not None:
        table, pieces, size = listed
        dtype = params[0].dtype
        run(step, pieces, size, np.array((*settings, LEAST[dtype]), dtype), table, *flags)
        return
    given = params, *lists
    rows = [None if arrays is None else [plain(a) for a in arrays] for arrays in given]
    update(step, settings, flags, *rows)  # type: ignore[arg-type]
    for place, arrays in enumerate(given):
        if arrays is not None and place != 1:  # all but the gradients have changed
            for a, row in zip(arrays, rows[place], strict=True):  # type: ignore[arg-type]
                if row is not a:
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
    settings = lr, weight_decay, -1 if maximize else 1
    if buffers is None:
        update(descend, settings, (), params, grads)
        return
    for buffer in buffers if first else ():
        buffer[...] = 0  # whatever it held, 0 times nan would not go away
    memory = momentum, 1 if first else 1 - dampening
    update(heavy_ball, settings + memory, (nesterov,), params, grads, buffers)


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
    bias2 = math.sqrt(1 - beta2**step)
    settings = lr / (1 - beta1**step) * bias2, decay, -1 if maximize else 1, shrink
    means = 1 - beta1, beta2, 1 - beta2, eps * bias2
    update(adam, settings + means, (v_maxes is not None,), params, grads, ms, vs, v_maxes)


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
    settings = lr, alpha, 1 - alpha, eps, weight_decay, -1 if maximize else 1, momentum
    update(rmsprop, settings, (means is not None,), params, grads, squares, means, buffers)


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
    settings = lr / (1 + (step - 1) * lr_decay), eps, weight_decay, -1 if maximize else 1
    update(adagrad, settings, (), params, grads, totals)
