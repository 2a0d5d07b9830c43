"""Optimizer steps in one pass over the parameter, its gradient and its state."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.runner import run

__all__ = ["adagrad_step", "adam_step", "rmsprop_step", "sgd_step"]


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
    """Gradient descent with momentum; see the reference for the formulas."""
    number = param.dtype.type
    rate, decay, sign = number(lr), number(weight_decay), number(-1 if maximize else 1)
    if buffer is None:
        update(plain, [param, grad], rate, decay, sign)
        return
    if first:
        buffer[...] = 0  # whatever it held, 0 times nan would not go away
    memory = number(momentum), number(1 if first else 1 - dampening), nesterov
    update(heavy_ball, [param, grad, buffer], rate, decay, sign, *memory)


def adam_step(
    param: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    v_max: np.ndarray | None,
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
    arrays = [param, grad, m, v, np.empty(0, param.dtype) if v_max is None else v_max]
    decay, shrink = (0, 1 - lr * weight_decay) if decoupled else (weight_decay, 1)
    numbers: tuple[float, ...] = lr / (1 - beta1**step), decay, -1 if maximize else 1, shrink
    numbers += 1 - beta1, beta2, 1 - beta2, math.sqrt(1 - beta2**step), eps
    update(adam, arrays, *map(param.dtype.type, numbers), v_max is not None)


def rmsprop_step(
    param: np.ndarray,
    grad: np.ndarray,
    square: np.ndarray,
    mean: np.ndarray | None,
    buffer: np.ndarray | None,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
) -> None:
    """RMSprop; see the reference for the formulas."""
    nothing = np.empty(0, param.dtype)
    arrays = [param, grad, square, nothing if mean is None else mean, nothing if buffer is None else buffer]
    momentum = 0 if buffer is None else momentum
    numbers = lr, alpha, 1 - alpha, eps, weight_decay, -1 if maximize else 1, momentum
    update(rmsprop, arrays, *map(param.dtype.type, numbers), mean is not None)


def adagrad_step(
    param: np.ndarray,
    grad: np.ndarray,
    total: np.ndarray,
    lr: float,
    lr_decay: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
    step: int,
) -> None:
    """Adagrad; see the reference for the formulas."""
    numbers = lr / (1 + (step - 1) * lr_decay), eps, weight_decay, -1 if maximize else 1
    update(adagrad, [param, grad, total], *map(param.dtype.type, numbers))
