"""From a CUDA C++ source to a call.

A source is compiled at its first use, once for float and once for double (the macro REAL), by NVRTC, NVIDIA's
compiler as a library. CuPy keeps the result in the user's own cache (``~/.cupy/kernel_cache``), under a name
made of the source and the options; so a hash of the headers is one of the options.
"""

import hashlib
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
REAL = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}
BLOCK = 256  # threads of a block, where nothing speaks for another number
MOST_BLOCKS = 1 << 16  # of a kernel that goes on with a stride
MOST_NUMBERS = (1 << 31) - MOST_BLOCKS * BLOCK  # of an array: an index and a stride are an int together


def cupy() -> Any:
    """CuPy, which is there when there is an array of it to work on."""
    return sys.modules["cupy"]


@cache
def headers() -> str:
    """A hash of all headers."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.glob("*.cuh")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def compiled(source: str, dtype: np.dtype) -> Any:
    """The kernels of ``source.cu`` for numbers of this dtype."""
    options = ("--std=c++17", f"-DREAL={REAL[dtype]}", f"-DHEADERS={headers()}", f"-I{FOLDER}")
    return cupy().RawModule(code=(FOLDER / f"{source}.cu").read_text(), options=options)


@cache
def kernel(source: str, name: str, dtype: np.dtype) -> Any:
    """One of them."""
    return compiled(source, dtype).get_function(name)


def launch(
    source: str,
    name: str,
    dtype: np.dtype,
    grid: Sequence[int],
    block: Sequence[int],
    arguments: Sequence[Any],
    shared: int = 0,
) -> None:
    """Start a kernel.

    Parameters
    ----------
    source, name : str
        ``source.cu``, and the kernel in it.
    dtype : numpy.dtype
        float32 or float64: what REAL is.
    grid, block : sequence of int
        Blocks, and threads of each, along x, y and z. An empty grid is no launch.
    arguments : sequence
        Contiguous arrays, None for a null pointer, bools, ints (``int`` in the kernel), floats (``REAL``),
        and NumPy's numbers as they are.
    shared : int
        Bytes of dynamic shared memory.
    """
    if 0 in grid:
        return
    plainly = [plain(argument, dtype) for argument in arguments]
    kernel(source, name, dtype)(tuple(grid), tuple(block), plainly, shared_mem=shared)


def plain(argument: Any, dtype: np.dtype) -> Any:
    """An argument as the kernel takes it."""
    if argument is None:
        return np.uintp(0)
    if isinstance(argument, bool):
        return np.bool_(argument)
    if isinstance(argument, int):
        return np.int32(argument)
    if isinstance(argument, float):
        return dtype.type(argument)
    return checked(argument)


def checked(array: Any) -> Any:
    """The array, unless it has too many numbers for a kernel: then a ValueError."""
    if array.size > MOST_NUMBERS:
        raise ValueError(f"an array on the GPU has at most {MOST_NUMBERS} numbers, got shape {array.shape}")
    return array


def launch_over(source: str, name: str, dtype: np.dtype, count: int, *arguments: Any) -> None:
    """Start a kernel with a thread for each of `count` numbers: ``name(arguments..., count)``.

    Where there are more numbers than threads, each thread goes on with a stride of the whole grid.
    """
    blocks = min(-(-count // BLOCK), MOST_BLOCKS)
    launch(source, name, dtype, (blocks,), (BLOCK,), (*arguments, count))


def by_value(table: np.ndarray) -> np.ndarray:
    """A table as one thing, for a parameter that is a struct: it goes along with the launch, 4 KB at most."""
    return table.reshape(-1).view(np.dtype((np.void, table.nbytes)))
