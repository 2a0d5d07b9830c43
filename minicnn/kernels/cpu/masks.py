"""Comparisons of vectors (simd.py), and choices by them: an `if` that every lane decides for itself.

    v > w, v < w, v <= w, v == w, v != w    a mask: true or false for each lane; either side may be a number
    m | n                                   true where m or n is
    select(m, v, w)                         v where m is true, else w; either may be a number

A comparison with NaN is false, but for v != w, which is true. So v != v tells where v is NaN.
"""

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import models, register_model

from minicnn.kernels.cpu.simd import Vector, arithmetic, define, vectors


def select(mask, v, w):
    return np.where(mask, v, w)


class Mask(types.Type):
    """A bit for each lane of a vector."""

    def __init__(self, vector: Vector) -> None:
        self.vector = vector
        super().__init__(f"mask of {vector.name}")


@register_model(Mask)
class MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, ty: Mask) -> None:
        super().__init__(manager, ty, ir.VectorType(ir.IntType(1), ty.vector.lanes))


def compared(v: Any, w: Any) -> Any:
    vector = arithmetic(v, w)
    return vector and Mask(vector)


def emit_comparison(sign: str) -> Any:
    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        both = vectors(context, builder, sig.return_type.vector, sig.args, args)
        return builder.fcmp_unordered(sign, *both) if sign == "!=" else builder.fcmp_ordered(sign, *both)

    return emit


def chosen(mask: Any, v: Any, w: Any) -> Any:
    fits = isinstance(mask, Mask) and all(t == mask.vector or isinstance(t, types.Number) for t in (v, w))
    return mask.vector if fits else None


def emit_select(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.select(args[0], *vectors(context, builder, sig.return_type, sig.args[1:], args[1:]))


for symbol, sign in (
    (operator.gt, ">"), (operator.lt, "<"), (operator.le, "<="), (operator.eq, "=="), (operator.ne, "!="),
):  # fmt: skip
    operands = (Vector, Vector), (Vector, types.Number), (types.Number, Vector)
    define(symbol, compared, emit_comparison(sign), *operands)
define(
    operator.or_,
    lambda m, n: m if isinstance(m, Mask) and m == n else None,
    lambda context, builder, sig, args: builder.or_(*args),
    (Mask, Mask),
)
define(select, chosen, emit_select)
