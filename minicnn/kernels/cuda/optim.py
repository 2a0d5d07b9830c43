"""Optimizer steps: of one parameter, or of all in one launch where they are taken `together`."""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from minicnn.kernels.cuda.launch import BLOCK, cupy, launch
from minicnn.kernels.cuda.replay import numbers_for

__all__ = ["adagrad_step", "adam_step", "rmsprop_step", "sgd_step"]

Array = Any  # of CuPy
SLOTS = 80  # parameters in one launch, as in optim.cu
WORDS = 6  # of 8 bytes in a slot: parameter, gradient, three states, count
EACH = 4  # numbers of a parameter for each thread, at least
MOST_BLOCKS = 2048  # for a parameter


class Step(NamedTuple):
    """A step that is to be taken."""

    name: str  # of the kernel
    numbers: tuple[float, ...]
    arrays: list[Array | None]  # parameter, gradient, and up to three states


_waiting: ContextVar[list[Step] | None] = ContextVar("waiting", default=None)


@contextmanager
def together() -> Iterator[None]:
    """Let the steps inside a ``with`` block wait for its end, and take all of a kind in one launch.

    No step may need what another does, except that one parameter's steps come in their order.
    """
    steps: list[Step] = []
    token = _waiting.set(steps)
    try:
        yield
    finally:
        _waiting.reset(token)
        take(steps)


def update(name: str, numbers: tuple[float, ...], *arrays: Array | None) -> None:
    """Take a step, now or with others."""
    step = Step(name, tuple(map(float, numbers)), [*arrays])
    waiting = _waiting.get()
    if waiting is None:
        take([step])
    else:
        waiting.append(step)


def take(steps: list[Step]) -> None:
    """Take steps, with a launch for those of one kernel and the same numbers.

    A parameter that comes again waits for another launch: in one, nothing says which step is first.
    """
    kinds: dict[tuple, list[Step]] = {}
    times: Counter[int] = Counter()
    for step in steps:
        param: Any = step.arrays[0]
        times[param.data.ptr] += 1
        kind = step.name, param.dtype, step.numbers, times[param.data.ptr]
        kinds.setdefault(kind, []).append(step)
    for (name, dtype, values, _), alike in kinds.items():
        places = tuple(a if a is None else a.data.ptr for step in alike for a in step.arrays)
        numbers = numbers_for((name, dtype, places), values, dtype)
        if numbers is None:
            continue
        for first in range(0, len(alike), SLOTS):
            start(name, dtype, numbers, [step.arrays for step in alike[first : first + SLOTS]])


def start(name: str, dtype: np.dtype, numbers: Array, updates: list[list[Array | None]]) -> None:
    """Launch a kernel for a few parameters, each with its gradient and states, in place."""
    xp = cupy()
    rows = [[a if a is None else xp.ascontiguousarray(a) for a in arrays] for arrays in updates]
    table = np.zeros((SLOTS, WORDS), np.uint64)
    for slot, arrays in zip(table, rows, strict=False):
        slot[: len(arrays)] = [0 if a is None else a.data.ptr for a in arrays]
        slot[-1] = arrays[0].size  # type: ignore[union-attr]
    slots = table.reshape(-1).view(np.dtype((np.void, table.nbytes)))  # one thing, which goes by value
    blocks = min(-(-int(table[:, -1].max()) // (EACH * BLOCK)), MOST_BLOCKS)
    launch("optim", name, dtype, (blocks, len(rows)), (BLOCK,), [slots, numbers])
    for arrays, copies in zip(updates, rows, strict=True):
        for i, (a, copy) in enumerate(zip(arrays, copies, strict=True)):
            if i != 1 and a is not copy:  # all but the gradient have changed
                a[...] = copy  # type: ignore[index]


def sgd_step(
    param: Array,
    grad: Array,
    buffer: Array | None,
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
    if buffer is None:
        update("sgd", numbers, param, grad)
        return
    keep, damp = (0, 1) if first else (momentum, 1 - dampening)
    update("sgd_momentum", (*numbers, momentum, keep, damp, nesterov), param, grad, buffer)


def adam_step(
    param: Array,
    grad: Array,
    m: Array,
    v: Array,
    v_max: Array | None,
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
    update("adam", numbers, param, grad, m, v, v_max)


def rmsprop_step(
    param: Array,
    grad: Array,
    square: Array,
    mean: Array | None,
    buffer: Array | None,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
) -> None:
    """RMSprop; see the reference for the formulas."""
    numbers = lr, alpha, 1 - alpha, eps, weight_decay, -1 if maximize else 1, momentum
    update("rmsprop", numbers, param, grad, square, mean, buffer)


def adagrad_step(
    param: Array,
    grad: Array,
    total: Array,
    lr: float,
    lr_decay: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
    step: int,
) -> None:
    """Adagrad; see the reference for the formulas."""
    numbers = lr / (1 + (step - 1) * lr_decay), eps, weight_decay, -1 if maximize else 1
    update("adagrad", numbers, param, grad, total)
