"""Optimizer steps: one launch for up to 80 parameters."""

import math
from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np

from minicnn.kernels.cuda.launch import BLOCK, by_value, checked, cupy, launch
from minicnn.kernels.cuda.replay import numbers_for

__all__ = ["adagrad_step", "adam_step", "rmsprop_step", "sgd_step"]

Array = Any  # of CuPy
Arrays = Sequence[Array]
SLOTS = 80  # parameters in one launch, as in optim.cu
WORDS = 6  # of 8 bytes in a slot: parameter, gradient, three states, count
EACH = 4  # numbers of a parameter for each thread, at least
MOST_BLOCKS = 2048  # for a parameter


def update(name: str, numbers: tuple[float, ...], *lists: Arrays | None) -> None:
    """Take a step of parameters; the lists are theirs, of their gradients, and of up to three states."""
    params: Any = lists[0]
    dtype, values = params[0].dtype, tuple(map(float, numbers))
    arrays = [*chain.from_iterable(one for one in lists if one is not None)]
    where = numbers_for((name, dtype), arrays, values, dtype)
    if where is None:
        return
    rows = [*zip(*(repeat(None) if one is None else one for one in lists), strict=False)]
    for first in range(0, len(rows), SLOTS):
        start(name, dtype, where, rows[first : first + SLOTS])


def start(name: str, dtype: np.dtype, numbers: Array, updates: Sequence[tuple]) -> None:
    """Launch a kernel for a few parameters, each with its gradient and states, in place."""
    xp = cupy()
    rows: list[list[Any]] = [
        [a if a is None else xp.ascontiguousarray(checked(a)) for a in row] for row in updates
    ]
    table = np.zeros((SLOTS, WORDS), np.uint64)
    for slot, row in zip(table, rows, strict=False):
        slot[: len(row)] = [0 if a is None else a.data.ptr for a in row]
        slot[-1] = row[0].size
    blocks = min(-(-int(table[:, -1].max()) // (EACH * BLOCK)), MOST_BLOCKS)
    launch("optim", name, dtype, (blocks, len(rows)), (BLOCK,), [by_value(table), numbers])
    for arrays, copies in zip(updates, rows, strict=True):
        for i, (a, copy) in enumerate(zip(arrays, copies, strict=True)):
            if i != 1 and a is not copy:  # all but the gradient have changed
                a[...] = copy


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
    numbers = lr, weight_decay, -1 if maximize else 1
    if buffers is None:
        update("sgd", numbers, params, grads)
        return
    keep, damp = (0, 1) if first else (momentum, 1 - dampening)
    update("sgd_momentum", (*numbers, momentum, keep, damp, nesterov), params, grads, buffers)


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
    update("adam", numbers, params, grads, ms, vs, v_maxes)


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
    numbers = lr, alpha, 1 - alpha, eps, weight_decay, -1 if maximize else 1, momentum
    update("rmsprop", numbers, params, grads, squares, means, buffers)


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
    update("adagrad", numbers, params, grads, totals)
