"""Turning rows into columns, a square block of registers at a time.

`transpose(source, target)` turns the channels (C, pixels) of a picture into its pixels (pixels, C), or back.
"""

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.simd import BYTES, evens, load_part, noinline, odds, store_part, tile

LANES = BYTES // 4  # of float32
STAGES = LANES.bit_length() - 1


@jit
def shuffle(block, other):
    """Deal out the numbers of neighbouring vectors: the even ones to the upper half, the odd ones below.

    Row and lane in binary are a number's place; this turns their digits by one. After STAGES such turns the
    row has become the lane.
    """
    for i in range(LANES // 2):
        other[i, 0] = evens(block[2 * i, 0], block[2 * i + 1, 0])
        other[LANES // 2 + i, 0] = odds(block[2 * i, 0], block[2 * i + 1, 0])
    for i in range(LANES):
        block[i, 0] = other[i, 0]


@jit
def transpose_block(source, target, i, j, rows, cols):
    """target[j:j+cols, i:i+rows] = source[i:i+rows, j:j+cols]', at most LANES of each."""
    noinline()
    block, other = tile(LANES, 1, source), tile(LANES, 1, source)
    for r in range(LANES):
        block[r, 0] = load_part(cols if r < rows else 0, source, min(i + r, source.shape[0] - 1), j)
    for _ in range(STAGES):
        shuffle(block, other)
    for r in range(LANES):
        if r < cols:
            store_part(rows, target, j + r, i, block[r, 0])


@jit
def transpose(source, target):
    """target (N, M) = source' (M, N); what target has beyond that stays."""
    M, N = source.shape
    if source.itemsize == 4:
        for i in range(0, M, LANES):
            for j in range(0, N, LANES):
                transpose_block(source, target, i, j, min(LANES, M - i), min(LANES, N - j))
    else:
        for i in range(M):
            for j in range(N):
                target[j, i] = source[i, j]
