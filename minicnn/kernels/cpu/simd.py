"""Vectors of floats for Numba kernels: as many numbers as one CPU register holds.

    L = lanes(a)                            how many numbers of a's dtype that is: 16 float32 with AVX-512
    v = load(a, i, j)                       a[i, j : j+L] as one vector; any number of indices, never checked
    store(a, i, j, v)                       and back
    load_part(n, a, i, j)                   the first n lanes only (n may be any number), the others 0
    store_part(n, a, i, j, v)               the first n lanes only
    splat(a, i, j)                          a[i, j] in every lane
    stretch(n, a, i, j)                     an array of the n numbers that memory holds from a[i, j] on
    v + w, v - w, v * w, v * 0.5, hsum(v)   lane by lane; the sum of all lanes
    maximum(v, w)                           lane by lane; w where either is NaN
    hmax(v)                                 the largest of all lanes. A NaN may get lost
    acc = tile(ROWS, COLS, a)               a block of vectors, all zero, read and written as acc[r, c]

Each operation is first a plain Python function on NumPy arrays. That is its meaning, and what runs under
NUMBA_DISABLE_JIT=1, where a debugger can follow it. Then `define` tells Numba which LLVM instruction stands
for it. More of them are in masks.py and weave.py.

A tile lives in registers once the loops over it are unrolled, beside one number of the outer loop and all of
the inner one. So loop over it with ``range`` of module constants, the smaller inside, never return it, and
keep ROWS * COLS + min(ROWS, COLS) + 1 <= REGISTERS.
"""

import operator
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.core.imputils import lower_builtin
from numba.core.typing import signature
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import models, register_model
from numba.np.arrayobj import populate_array

CHOSEN = config.CPU_FEATURES  # None: the machine's own; a generic CPU has none, ""
FEATURES = (llvm.get_host_cpu_features().flatten() if CHOSEN is None else CHOSEN).split(",")
BYTES = 64 if "+avx512f" in FEATURES else 32 if "+avx2" in FEATURES else 16
REGISTERS = 32 if "+avx512f" in FEATURES or "+neon" in FEATURES else 16


# The meaning of each operation


class Value(np.ndarray):
    """A vector, of which += makes another one as in registers, whatever else it is called."""

    def __iadd__(self, other):  # type: ignore[misc]
        return self + other

    def __isub__(self, other):  # type: ignore[misc]
        return self - other

    def __imul__(self, other):  # type: ignore[misc]
        return self * other


def lanes(a):
    return BYTES // a.itemsize


def stretch(n, a, *index):
    row, j = a[index[:-1]], index[-1]
    return np.lib.stride_tricks.as_strided(row, (j + n,), (a.itemsize,))[j:]


def load(a, *index):
    return stretch(lanes(a), a, *index).copy().view(Value)


def store(a, *index_and_v):
    *index, v = index_and_v
    stretch(lanes(a), a, *index)[:] = v


def load_part(n, a, *index):
    v, n = np.zeros(lanes(a), a.dtype), min(max(n, 0), lanes(a))
    v[:n] = a[index[:-1]][index[-1] : index[-1] + n]
    return v.view(Value)


def store_part(n, a, *index_and_v):
    *i, j, v = index_and_v
    n = min(max(n, 0), lanes(a))
    a[tuple(i)][j : j + n] = v[:n]


def splat(a, *index):
    return np.full(lanes(a), a[index]).view(Value)


def hsum(v):
    return v.sum()


def maximum(v, w):
    return np.where(v > w, v, w).view(Value)


def hmax(v):
    return v.max()


def tile(rows, cols, a):
    zero = np.zeros(lanes(a), a.dtype).view(Value)
    return {(r, c): zero for r in range(rows) for c in range(cols)}


def noinline():
    """Called in a kernel: compile it apart from its callers, whose variables would compete for registers."""


# The types Numba gives them


class Vector(types.Type):
    """A register of numbers of one floating point type."""

    def __init__(self, element: types.Float) -> None:
        self.element, self.lanes = element, BYTES * 8 // element.bitwidth
        super().__init__(f"{element}x{self.lanes}")


class Tile(types.Type):
    """Rows and columns of vectors."""

    def __init__(self, rows: int, cols: int, vector: Vector) -> None:
        self.rows, self.cols, self.vector = rows, cols, vector
        super().__init__(f"tile{rows}x{cols} of {vector.name}")


def llvm_vector(vector: Vector) -> ir.VectorType:
    return ir.VectorType(ir.FloatType() if vector.element == types.float32 else ir.DoubleType(), vector.lanes)


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, ty: Vector) -> None:
        super().__init__(manager, ty, llvm_vector(ty))


@register_model(Tile)
class TileModel(models.PrimitiveModel):
    """A pointer into the stack frame, which LLVM then dissolves into registers."""

    def __init__(self, manager: Any, ty: Tile) -> None:
        block = ir.ArrayType(ir.ArrayType(llvm_vector(ty.vector), ty.cols), ty.rows)
        super().__init__(manager, ty, block.as_pointer())


# The instructions. emit(context, builder, signature, arguments) writes them.

I32 = ir.IntType(32)


def define(symbol: Callable, typing: Callable, emit: Callable, *patterns: tuple) -> None:
    """Teach Numba `symbol`: typing(*argument types) gives the result's type, or None for other types."""

    @infer_global(symbol)
    class Typing(AbstractTemplate):
        prefer_literal = symbol is tile

        def generic(self, args: Any, kws: Any) -> Any:
            result = typing(*args)
            return result and signature(result, *args)

    for pattern in patterns or ((types.VarArg(types.Any),),):
        lower_builtin(symbol, *pattern)(emit)


def element_pointer(context: Any, builder: Any, ty: Any, a: Any, tys: Any, index: Any) -> Any:
    array = context.make_array(ty)(context, builder, a)
    index = [context.cast(builder, i, t, types.intp) for i, t in zip(index, tys, strict=True)]
    return cgutils.get_item_pointer(context, builder, ty, array, index, wraparound=False)


def call(builder: Any, name: str, result: Any, *args: Any, **flags: Any) -> Any:
    function = ir.FunctionType(result, [a.type for a in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, function, name), args, **flags)


def repeat(builder: Any, x: Any, count: int) -> Any:
    vector = ir.VectorType(x.type, count)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), x, I32(0))
    return builder.shuffle_vector(
        first, ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(I32, count), [0] * count)
    )


def first_lanes(builder: Any, n: Any, count: int) -> Any:
    numbers = ir.Constant(ir.VectorType(I32, count), list(range(count)))
    return builder.icmp_signed("<", numbers, repeat(builder, builder.trunc(n, I32), count))


def masked(what: str, vector: ir.VectorType) -> str:
    return f"llvm.masked.{what}.v{vector.count}{'f32' if vector.element == ir.FloatType() else 'f64'}.p0"


def emit_load(context: Any, builder: Any, sig: Any, args: Any, n: Any = None) -> Any:
    vector = llvm_vector(sig.return_type)
    pointer = element_pointer(context, builder, sig.args[0], args[0], sig.args[1:], args[1:])
    pointer = builder.bitcast(pointer, vector.as_pointer())
    align = sig.args[0].dtype.bitwidth // 8
    if n is None:
        return builder.load(pointer, align=align)
    mask = first_lanes(builder, n, vector.count)
    return call(builder, masked("load", vector), vector, pointer, I32(align), mask, ir.Constant(vector, None))


def emit_store(context: Any, builder: Any, sig: Any, args: Any, n: Any = None) -> Any:
    v = args[-1]
    pointer = element_pointer(context, builder, sig.args[0], args[0], sig.args[1:-1], args[1:-1])
    pointer = builder.bitcast(pointer, v.type.as_pointer())
    align = sig.args[0].dtype.bitwidth // 8
    if n is None:
        builder.store(v, pointer, align=align)
    else:
        mask = first_lanes(builder, n, v.type.count)
        call(builder, masked("store", v.type), ir.VoidType(), v, pointer, I32(align), mask)
    return context.get_dummy_value()


def part_of(emit: Callable) -> Callable:
    def emit_part(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        n = context.cast(builder, args[0], sig.args[0], types.intp)
        return emit(context, builder, signature(sig.return_type, *sig.args[1:]), args[1:], n)

    return emit_part


def emit_stretch(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    (count, array, *tys), (n, a, *index) = sig.args, args
    view = context.make_array(sig.return_type)(context, builder)
    pointer, size = element_pointer(context, builder, array, a, tys, index), array.dtype.bitwidth // 8
    n, size = context.cast(builder, n, count, types.intp), context.get_constant(types.intp, size)
    populate_array(view, pointer, shape=(n,), strides=(size,), itemsize=size, meminfo=None)  # not counted
    return view._getvalue()


def emit_splat(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    pointer = element_pointer(context, builder, sig.args[0], args[0], sig.args[1:], args[1:])
    return repeat(builder, builder.load(pointer), sig.return_type.lanes)


def reduction(what: str, vector: ir.VectorType) -> str:
    return f"llvm.vector.reduce.{what}.v{vector.count}{'f32' if vector.element == ir.FloatType() else 'f64'}"


def emit_hsum(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    vector = args[0].type
    zero = vector.element(-0.0)
    return call(builder, reduction("fadd", vector), vector.element, zero, args[0], fastmath=("reassoc",))


def emit_maximum(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", *args), *args)


def emit_hmax(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    vector = args[0].type
    return call(builder, reduction("fmax", vector), vector.element, args[0], fastmath=("nnan",))


def emit_tile(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    block = context.get_value_type(sig.return_type).pointee
    pointer = cgutils.alloca_once(builder, block)
    builder.store(ir.Constant(block, None), pointer)
    return pointer


def vector_in(builder: Any, pointer: Any, index: Any) -> Any:
    return builder.gep(pointer, [I32(0), *cgutils.unpack_tuple(builder, index)], inbounds=True)


def vector_of(a: Any) -> Any:
    fits = isinstance(a, types.Array) and a.dtype in (types.float32, types.float64)
    return Vector(a.dtype) if fits else None


define(
    lanes,
    lambda a: vector_of(a) and types.intp,
    lambda context, b, sig, args: ir.IntType(64)(vector_of(sig.args[0]).lanes),
)
define(load, lambda a, *index: vector_of(a), emit_load)
define(store, lambda a, *index_and_v: types.none, emit_store)
define(load_part, lambda n, a, *index: vector_of(a), part_of(emit_load))
define(store_part, lambda n, a, *index_and_v: types.none, part_of(emit_store))
define(stretch, lambda n, a, *index: vector_of(a) and types.Array(a.dtype, 1, "C"), emit_stretch)
define(splat, lambda a, *index: vector_of(a), emit_splat)
define(hsum, lambda v: v.element if isinstance(v, Vector) else None, emit_hsum)
define(hmax, lambda v: v.element if isinstance(v, Vector) else None, emit_hmax)
define(maximum, lambda v, w: v if isinstance(v, Vector) and v == w else None, emit_maximum)
define(tile, lambda rows, cols, a: Tile(rows.literal_value, cols.literal_value, vector_of(a)), emit_tile)
define(
    noinline,
    lambda: types.none,
    lambda context, b, sig, args: b.function.attributes.add("noinline") or context.get_dummy_value(),
)

FUSE = ("contract",)  # lets LLVM turn v * w + u into one instruction


def arithmetic(v: Any, w: Any) -> Any:
    vector = v if isinstance(v, Vector) else w
    fits = isinstance(vector, Vector) and all(t == vector or isinstance(t, types.Number) for t in (v, w))
    return vector if fits else None


def vectors(context: Any, builder: Any, vector: Vector, tys: Any, args: Any) -> list:
    """The arguments, numbers among them in every lane."""
    element, count = vector.element, vector.lanes
    return [
        a if isinstance(t, Vector) else repeat(builder, context.cast(builder, a, t, element), count)
        for a, t in zip(args, tys, strict=True)
    ]


def emit_arithmetic(instruction: Callable) -> Callable:
    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return instruction(builder, *vectors(context, builder, sig.return_type, sig.args, args), flags=FUSE)

    return emit


for symbol, in_place, instruction in (
    (operator.add, operator.iadd, ir.IRBuilder.fadd),
    (operator.sub, operator.isub, ir.IRBuilder.fsub),
    (operator.mul, operator.imul, ir.IRBuilder.fmul),
):
    operands = (Vector, Vector), (Vector, types.Number), (types.Number, Vector)
    for spelling in (symbol, in_place):
        define(spelling, arithmetic, emit_arithmetic(instruction), *operands)
define(
    operator.getitem,
    lambda t, index: t.vector if isinstance(t, Tile) else None,
    lambda context, b, sig, args: b.load(vector_in(b, *args)),
    (Tile, types.BaseTuple),
)
define(
    operator.setitem,
    lambda t, index, v: types.none if isinstance(t, Tile) else None,
    lambda context, b, sig, args: b.store(args[2], vector_in(b, *args[:2])) and context.get_dummy_value(),
    (Tile, types.BaseTuple, Vector),
)
