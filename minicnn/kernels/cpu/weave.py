"""Two vectors (simd.py) woven into each other: a number of the one, then one of the other.

first_pairs(v, w), last_pairs(v, w)     v[0], w[0], v[1], w[1], ...; and from the middle on
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from minicnn.kernels.cpu.simd import I32, Vector, define


def first_pairs(v, w):
    return np.stack([v, w], axis=1).ravel()[: v.size]


def last_pairs(v, w):
    return np.stack([v, w], axis=1).ravel()[v.size :]


def pairs(last: bool) -> Callable:
    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        count = args[0].type.count
        half = range(count // 2, count) if last else range(count // 2)
        chosen = [place for i in half for place in (i, count + i)]
        return builder.shuffle_vector(*args, ir.Constant(ir.VectorType(I32, count), chosen))

    return emit


for symbol, last in ((first_pairs, False), (last_pairs, True)):
    define(symbol, lambda v, w: v if isinstance(v, Vector) and v == w else None, pairs(last))
