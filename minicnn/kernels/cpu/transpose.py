"""Turning rows into columns, a square block of registers at a time.

`transpose(source, target)` reads the channels (C, pixels) of a picture and writes its pixels (pixels, C), or
the other way round.
"""

from minicnn.kernels.cpu.jit import inner
from minicnn.kernels.cpu.simd import (
    BYTES,
    lanes,
    load,
    load_part,
    noinline,
    store,
    store_part,
    tile,
)
from minicnn.kernels.cpu.weave import evens, odds

LANES = BYTES // 4
STAGES = LANES.bit_length() - 1


@inner
def shuffle(block, other):
    """Deal the numbers of neighbouring vectors out: the even ones to the upper half, the odd ones below.

    Of a number's place, row and lane in binary, this turns the digits by one; after STAGES such turns the row
    has become the lane.
    """
    for i in range(LANES // 2):
        other[i, 0] = evens(block[2 * i, 0], block[2 * i + 1, 0])
        other[LANES // 2 + i, 0] = odds(block[2 * i, 0], block[2 * i + 1, 0])
    for i in range(LANES):
        block[i, 0] = other[i, 0]


@inner
def transpose_squares(source, target, i, cols):
    """target[:cols, i:i+LANES] = source[i:i+LANES, :cols]', for cols a multiple of LANES."""
    noinline()
    block, other = tile(LANES, 1, source), tile(LANES, 1, source)
    for j in range(0, cols, LANES):
        for r in range(LANES):
            block[r, 0] = load(source, i + r, j)
        for _ in range(STAGES):
            shuffle(block, other)
        for r in range(LANES):
            store(target, j + r, i, block[r, 0])


@inner
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


@inner
def transpose(source, target):
    """The first rows and columns of target: target[:N, :M] = source' for source (M, N)."""
    M, N = source.shape
    if lanes(source) != LANES:  # a square of float64 is another
        for j in range(N):
            row = target[j]
            for i in range(M):
                row[i] = source[i, j]
        return
    for i in range(0, M, LANES):
        whole = N // LANES * LANES if i + LANES <= M else 0
        transpose_squares(source, target, i, whole)
        for j in range(whole, N, LANES):
            transpose_block(source, target, i, j, min(LANES, M - i), min(LANES, N - j))
