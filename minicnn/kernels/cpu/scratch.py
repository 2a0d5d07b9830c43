"""Arrays that kernels make for themselves, and other shapes of arrays, as NumPy's functions of such names.

    scratch(shape, dtype)       any numbers, as of numpy.empty, in memory that begins where a vector does
    zeros(shape, dtype)         zeros, in such memory
    reshape(a, shape)           an array's numbers, which lie row after row, in another shape of the same size

NumPy's own take Numba longer to compile.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import cgutils, types
from numba.core.imputils import impl_ret_borrowed, impl_ret_new_ref
from numba.np.arrayobj import populate_array

from minicnn.kernels.cpu.simd import BYTES, define


def scratch(shape, dtype):
    return np.empty(shape, dtype)


def zeros(shape, dtype):
    return np.zeros(shape, dtype)


def reshape(a, shape):
    return a.reshape(shape)


def array_of(shape: Any, dtype: Any) -> Any:
    dimensions = len(shape) if isinstance(shape, types.BaseTuple) else 1
    return types.Array(dtype.dtype, dimensions, "C")


def reshaped(a: Any, shape: Any) -> Any:
    return array_of(shape, a).copy(readonly=not a.mutable) if a.layout == "C" else None


def sizes_and_strides(context: Any, builder: Any, array: Any, ty: Any, shape: Any) -> tuple[list, list, Any]:
    """What is in a shape, a number or several; all bytes, and those from one of each to the next.

    And whether this cannot be: a size is negative, or the bytes are too many to be counted.
    """
    several = isinstance(ty, types.BaseTuple)
    sizes, tys = (cgutils.unpack_tuple(builder, shape), ty.types) if several else ([shape], [ty])
    sizes = [context.cast(builder, n, t, types.intp) for n, t in zip(sizes, tys, strict=True)]
    itemsize = context.get_abi_sizeof(context.get_data_type(array.dtype))
    strides, wrong = [context.get_constant(types.intp, itemsize)], cgutils.false_bit
    for n in reversed(sizes):
        product = builder.smul_with_overflow(strides[0], n)
        strides.insert(0, builder.extract_value(product, 0))
        negative = builder.icmp_signed("<", n, n.type(0))
        wrong = builder.or_(wrong, builder.or_(negative, builder.extract_value(product, 1)))
    return sizes, strides, wrong


def emit_array(fill: Callable) -> Callable:
    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        shape = sig.args[0], args[0]
        sizes, (size, *strides), wrong = sizes_and_strides(context, builder, sig.return_type, *shape)
        with cgutils.if_unlikely(builder, wrong):
            error = ValueError, ("a kernel's array: a size is negative, or there are too many numbers",)
            context.call_conv.return_user_exc(builder, *error)
        memory = context.nrt.meminfo_alloc_aligned(builder, size, BYTES)
        data = context.nrt.meminfo_data(builder, memory)
        fill(builder, data, size)
        array = context.make_array(sig.return_type)(context, builder)
        data = builder.bitcast(data, array.data.type)
        populate_array(array, data, sizes, strides, strides[-1], memory)
        return impl_ret_new_ref(context, builder, sig.return_type, array._getvalue())

    return emit


def emit_reshape(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    shape = sig.args[1], args[1]
    sizes, (size, *strides), wrong = sizes_and_strides(context, builder, sig.return_type, *shape)
    a = context.make_array(sig.args[0])(context, builder, args[0])
    wrong = builder.or_(wrong, builder.icmp_signed("!=", size, builder.mul(a.nitems, a.itemsize)))
    with cgutils.if_unlikely(builder, wrong):
        error = ValueError, ("a kernel's array: the other shape has not as many numbers",)
        context.call_conv.return_user_exc(builder, *error)
    array = context.make_array(sig.return_type)(context, builder)
    populate_array(array, a.data, sizes, strides, strides[-1], a.meminfo)
    return impl_ret_borrowed(context, builder, sig.return_type, array._getvalue())


define(scratch, array_of, emit_array(lambda builder, data, size: None))
define(zeros, array_of, emit_array(lambda builder, data, size: cgutils.memset(builder, data, size, 0)))
define(reshape, reshaped, emit_reshape)
