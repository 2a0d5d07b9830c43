"""The products of matrices of Winograd's minimal filtering on interleaved pictures, one for each place.

A vector holds L pictures, so a number of a transformed filter goes to all of its lanes. For the gradient of
the filters, whose sums go through pictures, blocks of L channels of L pictures are turned first.
"""

from numba import literally

from minicnn.kernels.cpu.interleaved.winograd_tiles import span
from minicnn.kernels.cpu.jit import inner
from minicnn.kernels.cpu.simd import REGISTERS, load, load_part, noinline, splat, store, tile
from minicnn.kernels.cpu.transpose import STAGES, shuffle
from minicnn.kernels.cpu.winograd_transforms import L

MR, NV = 8 if REGISTERS == 32 else 4, 2  # a tile of a product: MR rows of NV, or 3, vectors
DEPTH = 64  # channels, or pictures of tiles, summed in one go: longer sums round more


@inner
def product(width, U, V, M, C, O, panel, block):
    """M[..., :O] = U[panel:] V[..., :C] for some tiles of a block, MR channels and `width` tiles at once.

    An odd number begins with a width of 3, the others have 2.
    """
    noinline()
    for e in range(len(V)):
        first, last = span(block, e)
        three = first + 3 if (last - first) % 2 == 1 and last - first > 1 else first
        begin_tiles, end_tiles = (first, three) if width == 3 else (three, last)
        for o in range(0, O, MR):
            for p in range(begin_tiles, end_tiles, width):
                for begin in range(0, C, DEPTH):
                    acc = tile(MR, literally(width), V)
                    for k in range(begin, min(begin + DEPTH, C)):
                        for r in range(MR):
                            u = splat(U, panel + o // L, e, k, o % L + r)
                            for c in range(width):
                                acc[r, c] += u * load(V, e, p + c, k, 0)
                    for r in range(MR):
                        for c in range(width):
                            if begin > 0:
                                acc[r, c] += load(M, e, p + c, o + r, 0)
                            store(M, e, p + c, o + r, 0, acc[r, c])


@inner
def products(U, V, M, C, O, panel, block):
    """The same for all tiles of the block."""
    product(3, U, V, M, C, O, panel, block)
    product(2, U, V, M, C, O, panel, block)


@inner
def turn(V, C, block):
    """Each block of L channels, a vector of L pictures for each, to L pictures, a vector of L channels."""
    noinline()
    square, other = tile(L, 1, V), tile(L, 1, V)
    for e in range(len(V)):
        for p in range(*span(block, e)):
            for first in range(0, C, L):
                for i in range(L):
                    square[i, 0] = load_part(L if first + i < C else 0, V, e, p, first + i, 0)
                for _ in range(STAGES):
                    shuffle(square, other)
                for i in range(L):
                    store(V, e, p, first + i, 0, square[i, 0])


@inner
def outer_products(V, M, U, C, O, block, more):
    """U (places, blocks of C, O, L) (+)= M (places, tiles, O, L) times turned V, summed over pictures."""
    noinline()
    for e in range(len(V)):
        first, last = span(block, e)
        for c0 in range(0, C, NV * L):
            for o in range(0, O, MR):
                for begin in range(first, max(last, first + 1), DEPTH // L):  # no tiles: the sum is 0
                    acc = tile(MR, NV, V)
                    for p in range(begin, min(begin + DEPTH // L, last)):
                        for k in range(L):
                            for r in range(MR):
                                v = splat(M, e, p, o + r, k)
                                for c in range(NV):
                                    acc[r, c] += v * load(V, e, p, c0 + c * L + k, 0)
                    for r in range(MR):
                        for c in range(NV):
                            if more or begin > first:
                                acc[r, c] += load(U, e, c0 // L + c, o + r, 0)
                            store(U, e, c0 // L + c, o + r, 0, acc[r, c])
