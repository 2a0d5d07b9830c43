"""Comparisons of vectors (simd.py), and choices by them: an `if` that every lane decides for itself.

    v > w, v < w, v <= w, v == w, v != w    a mask: true or false for each lane; either side may be a number
    m | n                                   true where m or n is
    select(m, v, w)                         v where m is true, else w; either may be a number
    load_where(m, a, i)                     a[i : i+L] where m is true, else 0; the rest is not even touched

A comparison with NaN is false, but for v != w, which is true. So v != v tells where v is NaN.
"""

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import models, register_model

from minicnn.kernels.cpu.simd import (
    I32,
    Value,
    Vector,
    arithmetic,
    call,
    define,
    element_pointer,
    masked,
    vectors,
)


def select(mask, v, w):
    return np.where(mask, v, w).view(Value)


def load_where(mask, a, *index):
    *rows, i = index
    places = np.flatnonzero(mask)
    v = np.zeros(len(mask), a.dtype)
    v[places] = a[(*rows, i + places)]
    return v.view(Value)


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


def emit_load_where(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    vector = context.get_value_type(sig.return_type)
    pointer = element_pointer(context, builder, sig.args[1], args[1], sig.args[2:], args[2:])
    pointer = builder.bitcast(pointer, vector.as_pointer())
    align, zero = I32(sig.args[1].dtype.bitwidth // 8), ir.Constant(vector, None)
    return call(builder, masked("load", vector), vector, pointer, align, args[0], zero)


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
define(load_where, lambda m, a, *index: m.vector if isinstance(m, Mask) else None, emit_load_where)
