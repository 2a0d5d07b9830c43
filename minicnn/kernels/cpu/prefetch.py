"""Memory asked for before it is needed, which otherwise takes longer than what is done with it."""

from typing import Any

from llvmlite import ir
from numba.core import types

from minicnn.kernels.cpu.simd import I32, call, define, element_pointer


def prefetch(a, *index):
    """In a kernel: have the line of memory with a[i, j] brought into cache. It may lie past a's end."""


def emit_prefetch(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    pointer = element_pointer(context, builder, sig.args[0], args[0], sig.args[1:], args[1:])
    pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
    read, every_level, data = I32(0), I32(3), I32(1)
    call(builder, "llvm.prefetch.p0", ir.VoidType(), pointer, read, every_level, data)
    return context.get_dummy_value()


define(prefetch, lambda a, *index: types.none, emit_prefetch)
