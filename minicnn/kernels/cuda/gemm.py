"""What launchers of tiled products share: how large tiles are, and sums that several blocks share.

``gemm.cuh`` tells how a block makes a tile, ``parts.cu`` how parts of sums are added.
"""

from typing import Any

import numpy as np

from minicnn.kernels.cuda.launch import cupy, launch, launch_over

Array = Any  # of CuPy

# Whether the factors of float32 products are rounded to 10 bits, which tensor cores multiply.
allow_tf32 = {"conv": False, "linear": False}
ACTIVATIONS = {"": 0, "relu": 1, "tanh": 2, "sigmoid": 3}  # as in activate.cuh
THREADS = 256  # of a block
MOST_DEEP = 65535  # blocks in the third dimension of a grid
TILES = ((128, 128), (64, 128), (32, 64))  # rows and columns
CROWD = 264  # blocks that fill a GPU: two for each of the 132 multiprocessors of an H200


def source(family: str, dtype: np.dtype) -> str:
    """Which source multiplies tiles of such numbers."""
    return f"{family}_tf32" if allow_tf32[family] and dtype == np.float32 else family


def tile(rows: int, columns: int, times: int) -> tuple[int, int]:
    """The largest tile that is not mostly empty, and of which there can be enough for all multiprocessors."""
    for tall, wide in TILES[:-1]:
        full = rows > tall // 2 and columns > wide // 2
        if full and -(-rows // tall) * -(-columns // wide) * times >= CROWD // 2:
            return tall, wide
    return TILES[-1]


def split(count: int, blocks: int, least: int) -> tuple[int, int]:
    """How many parts a sum of `count` numbers has, if each takes this many blocks, and how long a part is."""
    parts = max(1, min(-(-CROWD // max(blocks, 1)), count // least))
    return parts, -(-count // parts)


def room(parts: int, result: Array, more: Array | None = None) -> tuple[Array, Array | None, int]:
    """Where the blocks write, and how far it is to the next part: to the results, if there is one part.

    Else a part has numbers for the result, and after them those for `more`.
    """
    if parts == 1:
        return result, more, 0
    size = result.size + (0 if more is None else more.size)
    partial = cupy().empty(parts * size, result.dtype)
    return partial, None if more is None else partial[result.size :], size


def activation_in(name: str, rows: int) -> int:
    """The activation that blocks with tiles of so many rows do, as they take it."""
    return ACTIVATIONS[name] if rows < TILES[0][0] else 0


def activate(name: str, done: int, result: Array) -> Array:
    """The result, activated in its place, unless that is done."""
    if name and not done:
        launch_over("activation", f"{name}_forward", result.dtype, result.size, result, result)
    return result


def add_parts(
    partial: Array, result: Array, bias: Array | None = None, more: Array | None = None, activation: str = ""
) -> Array:
    """The result: of several parts their sums, plus bias to each row, activated; one has all of that."""
    if partial is not result:
        m = 0 if more is None else more.size
        size, columns = result.size + m, 1 if bias is None else len(bias)
        arrays = partial, bias, ACTIVATIONS[activation], result, more
        arguments = *arrays, partial.size // size, result.size, m, columns
        launch("parts", "sum_parts", result.dtype, (-(-size // 32),), (32, 16), arguments)
    return result
