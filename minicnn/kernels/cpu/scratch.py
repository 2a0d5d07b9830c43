"""Arrays that kernels make for themselves, as with NumPy, but each begins where a vector does.

    scratch(shape, dtype)       with any numbers in it, as numpy.empty
    zeros(shape, dtype)

And NumPy's, which look for more ways to be called, take Numba long to compile.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import cgutils, types
from numba.core.imputils import impl_ret_new_ref
from numba.np.arrayobj import populate_array

from minicnn.kernels.cpu.simd import BYTES, define


def scratch(shape, dtype):
    return np.empty(shape, dtype)


def zeros(shape, dtype):
    return np.zeros(shape, dtype)


def array_of(shape: Any, dtype: Any) -> Any:
    dimensions = len(shape) if isinstance(shape, types.BaseTuple) else 1
    return types.Array(dtype.dtype, dimensions, "C")


def emit_array(fill: Callable) -> Callable:
    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        shape, several = args[0], isinstance(sig.args[0], types.BaseTuple)
        sizes = cgutils.unpack_tuple(builder, shape) if several else [shape]
        tys = sig.args[0].types if several else sig.args[:1]
        sizes = [context.cast(builder, n, ty, types.intp) for n, ty in zip(sizes, tys, strict=True)]
        itemsize = context.get_abi_sizeof(context.get_data_type(sig.return_type.dtype))
        strides = [context.get_constant(types.intp, itemsize)]
        for n in reversed(sizes):
            strides.insert(0, builder.mul(strides[0], n))
        memory = context.nrt.meminfo_alloc_aligned(builder, strides[0], BYTES)
        data = context.nrt.meminfo_data(builder, memory)
        fill(builder, data, strides[0])
        array = context.make_array(sig.return_type)(context, builder)
        data = builder.bitcast(data, array.data.type)
        populate_array(array, data, sizes, strides[1:], strides[-1], memory)
        return impl_ret_new_ref(context, builder, sig.return_type, array._getvalue())

    return emit


define(scratch, array_of, emit_array(lambda builder, data, size: None))
define(zeros, array_of, emit_array(lambda builder, data, size: cgutils.memset(builder, data, size, 0)))
