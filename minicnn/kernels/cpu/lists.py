"""Many arrays as one argument of a kernel: a table that says where they are.

A network has many small parameters, and a kernel called for each takes longer to begin than to end. So the
optimizers' kernels go through all of them in one call:

    table, pieces, numbers = table_of(params, grads, ...)       in Python: a row for each parameter
    for i in range(len(table)):                                 in the kernel, for pieces from begin to end:
        p, g, a, b, c = parts(table, i, like, begin, end)       those of parameter i, as arrays

A piece is PIECE numbers of one parameter, or fewer at its end.
"""

import ctypes
from collections.abc import Sequence

import numpy as np
from numba import carray, types
from numba.core.typing import signature
from numba.extending import intrinsic, overload

from minicnn.kernels.cpu.jit import INNER, inner

PIECE = 4096
HEADER = object.__basicsize__  # bytes of an array object before the address of its numbers

LISTS = 5  # arrays in a row of the table, which holds their ids
SIZE, FIRST = LISTS, LISTS + 1  # its other columns: how many numbers each has, and which piece is the first
Arrays = Sequence[np.ndarray]


def table_of(params: Arrays, *lists: Arrays | None) -> tuple[np.ndarray, int, int] | None:
    """A row for each parameter and what is in its place in the lists; how many pieces and numbers these are.

    The arrays must outlive the table. Instead of a list that is None, or the last that are not given, the
    parameters stand there again. The result is None if an array is not `plain`.

    Raises
    ------
    ValueError
        The parameters differ in dtype, or another array is not as large as its parameter.
    """
    places: list[int] = []
    itemsize = params[0].itemsize
    pieces = numbers = 0
    missing = [None] * (LISTS - 1 - len(lists))
    for arrays in zip(params, *(params if one is None else one for one in (*lists, *missing)), strict=True):
        size, nbytes = arrays[0].size, arrays[0].size * itemsize
        for a in arrays:
            if a.nbytes != nbytes:
                raise ValueError(f"expected arrays of {size} {params[0].dtype}, got {a.size} {a.dtype}")
            if not a.flags.carray:
                return None
            places.append(id(a))
        places += size, pieces
        pieces += -(-size // PIECE)
        numbers += size
    return np.array(places, np.int64).reshape(-1, LISTS + 2), pieces, numbers


def plain(a: np.ndarray) -> np.ndarray:
    """The array itself if it lies row after row and may be written, as kernels need it, or else a copy."""
    return a if a.flags.carray else np.array(a, order="C")


@intrinsic
def begin_of(typing, array, like):
    """The address of an array's numbers, which are of the type of `like`: the first field of its object."""

    def emit(context, builder, sig, values):
        pointer = context.get_value_type(sig.return_type)
        place = builder.add(values[0], values[0].type(HEADER))
        return builder.load(builder.inttoptr(place, pointer.as_pointer()))

    return signature(types.CPointer(like), array, like), emit


def numbers_of(array, size, like):
    """The numbers of an array in a row, from its id."""
    return ctypes.cast(int(array), ctypes.py_object).value.reshape(-1)


@overload(numbers_of, jit_options=INNER)
def numbers_of_id(array, size, like):
    return lambda array, size, like: carray(begin_of(array, like), (size,))


@inner
def parts(table, i, like, begin, end):
    """What pieces begin to end hold of row i: an array of each of its arrays, of the type of `like`."""
    row = table[i]
    size, first = row[SIZE], row[FIRST]
    low = min(max(begin - first, 0) * PIECE, size)
    high = max(min((end - first) * PIECE, size), low)
    return (
        numbers_of(row[0], size, like)[low:high],
        numbers_of(row[1], size, like)[low:high],
        numbers_of(row[2], size, like)[low:high],
        numbers_of(row[3], size, like)[low:high],
        numbers_of(row[4], size, like)[low:high],
    )
