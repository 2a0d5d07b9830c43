"""Two vectors (simd.py) shuffled into one.

evens(v, w), odds(v, w)                 every second number of v, then of w
first_pairs(v, w), last_pairs(v, w)     v[0], w[0], v[1], w[1], ...; and from the middle on
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from minicnn.kernels.cpu.simd import I32, Value, Vector, define


def evens(v, w):
    return np.concatenate([v, w])[::2].view(Value)


def odds(v, w):
    return np.concatenate([v, w])[1::2].view(Value)


def first_pairs(v, w):
    return np.stack([v, w], axis=1).ravel()[: v.size].view(Value)


def last_pairs(v, w):
    return np.stack([v, w], axis=1).ravel()[v.size :].view(Value)


def shuffle(places: Callable[[int], Sequence[int]]) -> Callable:
    """The instruction that takes these of the 2 * count numbers of v and w."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        count = args[0].type.count
        return builder.shuffle_vector(*args, ir.Constant(ir.VectorType(I32, count), list(places(count))))

    return emit


def pairs(numbers: range, count: int) -> list[int]:
    return [place for i in numbers for place in (i, count + i)]


for symbol, places in (
    (evens, lambda count: range(0, 2 * count, 2)),
    (odds, lambda count: range(1, 2 * count, 2)),
    (first_pairs, lambda count: pairs(range(count // 2), count)),
    (last_pairs, lambda count: pairs(range(count // 2, count), count)),
):
    define(symbol, lambda v, w: v if isinstance(v, Vector) and v == w else None, shuffle(places))
