"""The products of matrices of Winograd's minimal filtering, one for each place e of a patch.

All matrices lie in blocks of L channels, E (blocks, places, rows, L), with the rows of a block in one line:
so a slice of channels of all places is one piece of memory, which is read from its beginning to its end.
"""

from minicnn.kernels.cpu.jit import inner
from minicnn.kernels.cpu.prefetch import prefetch
from minicnn.kernels.cpu.scratch import reshape
from minicnn.kernels.cpu.simd import REGISTERS, load, noinline, splat, store, tile
from minicnn.kernels.cpu.winograd_transforms import L

MR, NV = (12, 2) if REGISTERS == 32 else (6, 2)  # a tile of M: MR rows of NV vectors
UR = 8 if REGISTERS == 32 else 4  # a tile of U: UR rows of NV vectors
DEPTH = 32  # channels, or twice as many tiles, summed in one go: longer sums round more


@inner
def lines_of(E):
    """E (blocks, places, rows, L) with the rows of a block in one line, for the products."""
    return reshape(E, (E.shape[0], E.shape[1], E.shape[2] * L))


@inner
def product(V, U, M, tiles, begin, end, row):
    """M[:, e, :tiles] += V[begin:end, e] U[:, e, row:] for all e; tiles of MR x NV vectors in registers."""
    noinline()
    for e in range(V.shape[1]):
        for t in range(0, tiles, MR):
            for first in range(begin, end, DEPTH // L):
                acc = tile(MR, NV, V)
                for block in range(first, min(first + DEPTH // L, end)):
                    for r in range(MR):  # what comes next, in this place and in the one after it
                        prefetch(V, block, e, (t + MR + r) * L)
                        prefetch(V, block, e + 1, (t + r) * L)
                    for k in range(L):
                        for r in range(MR):
                            v = splat(V, block, e, (t + r) * L + k)
                            for c in range(NV):
                                acc[r, c] += v * load(U, c, e, (row + (block - begin) * L + k) * L)
                for r in range(MR):
                    for c in range(NV):
                        if first > 0:
                            acc[r, c] += load(M, c, e, (t + r) * L)
                        store(M, c, e, (t + r) * L, acc[r, c])


@inner
def outer_product(V, M, U, tiles, begin, end, more):
    """U[:, e] (+)= V[begin:end, e]' M[:, e] for all e, summed over the tiles; tiles of UR x NV vectors."""
    noinline()
    for block in range(begin, end):
        for e in range(V.shape[1]):
            for k in range(0, L, UR):
                row = (block - begin) * L + k
                for first in range(0, tiles, 2 * DEPTH):
                    acc = tile(UR, NV, V)
                    for t in range(first, min(first + 2 * DEPTH, tiles)):
                        prefetch(V, block, e + 1, t * L)
                        for r in range(UR):
                            v = splat(V, block, e, t * L + k + r)
                            for c in range(NV):
                                acc[r, c] += v * load(M, c, e, t * L)
                    for r in range(UR):
                        for c in range(NV):
                            if more or first > 0:
                                acc[r, c] += load(U, c, e, (row + r) * L)
                            store(U, c, e, (row + r) * L, acc[r, c])
