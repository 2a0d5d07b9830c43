"""Convolution with 3x3 filters and stride 1 by Winograd's minimal filtering (Lavin and Gray 2016).

The output is cut into tiles of m x m pixels. A tile comes from a patch of a x a pixels, a = m + 2, and is
A' [(G g G') * (B' d B)] A (see winograd_transforms.py). With the sum over channels inside the brackets, the
products of all tiles are a*a products of matrices, one for each place in the patch:

    M[e] (tiles, O) = V[e] (tiles, C) U[e] (C, O)          V: transformed input, U: transformed filters

and 36 products do the work of 144 (F(4x4)), or 16 that of 36 (F(2x2)). All matrices lie in blocks of L
channels, one vector wide: E[e, b, row] is a vector, L = lanes(E). So a transform works on L channels at once,
without knowing it. Pictures stay (N, C, H, W) outside: a strip of their rows is turned to (rows, columns, L)
and back in cache, and a block of tiles is small enough that V and M stay there, too.

A tile mixes the numbers of its patch, so one that is infinite or not a number spoils the tile: then the
functions return None, and the caller computes in another way.
"""

import numpy as np

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.simd import (
    BYTES,
    REGISTERS,
    evens,
    hsum,
    lanes,
    load,
    load_part,
    noinline,
    odds,
    splat,
    store,
    store_part,
    tile,
)
from minicnn.kernels.cpu.winograd_transforms import (
    filter_2,
    filter_4,
    filter_gradient_2,
    filter_gradient_4,
    from_components,
    gradient_2,
    gradient_4,
    input_2,
    input_4,
    output_2,
    output_4,
    to_components,
)

L = BYTES // 4  # float32 numbers in a vector; a power of 2
STAGES = L.bit_length()  # log2 L + 1
MR, NV = (12, 2) if REGISTERS == 32 else (6, 2)  # a tile of M: MR rows of NV vectors
UR = 8 if REGISTERS == 32 else 4  # a tile of the filters' gradient: UR rows of NV vectors
DEPTH = 128
TILES = 96  # tiles in a block, about

transform_input_2, transform_input_4 = to_components(input_2, 4, 4), to_components(input_4, 6, 6)
transform_filter_2, transform_filter_4 = to_components(filter_2, 3, 4), to_components(filter_4, 3, 6)
transform_gradient_2, transform_gradient_4 = to_components(gradient_2, 2, 4), to_components(gradient_4, 4, 6)
transform_output_2, transform_output_4 = from_components(output_2, 4, 2), from_components(output_4, 6, 4)
filter_from_2, filter_from_4 = (
    from_components(filter_gradient_2, 4, 3),
    from_components(filter_gradient_4, 6, 3),
)


@jit
def vectors(rows, blocks, count):
    """Zeros (rows, blocks, count, L), each vector in a cache line of its own."""
    size = rows * blocks * count * L
    memory = np.zeros(size + L, np.float32)
    first = -(memory.ctypes.data // 4) % L
    return memory[first : first + size].reshape(rows, blocks, count, L)


@jit
def transpose(t):
    """The L x L numbers of t[0] transposed, in t[STAGES - 1].

    Reading every second number of all, then the others, turns the bits of a number's address (row, column)
    by one; after log2 L times, the two have changed places.
    """
    for step in range(STAGES - 1):
        for i in range(L // 2):
            t[step + 1, i] = evens(t[step, 2 * i], t[step, 2 * i + 1])
            t[step + 1, L // 2 + i] = odds(t[step, 2 * i], t[step, 2 * i + 1])


@jit
def read_block(picture, b, h, w, grid, r, s):
    """grid[r, s:s+L] = the L pixels of picture (C, H, W) from (h, w) on, channels bL to bL + L."""
    noinline()
    C, _, W = picture.shape
    t = tile(STAGES, L, grid)
    for i in range(L):
        t[0, i] = load_part(W - w if b * L + i < C else 0, picture, b * L + i, h, w)
    transpose(t)
    for i in range(L):
        store(grid, r, s + i, 0, t[STAGES - 1, i])


@jit
def write_block(grid, r, s, bias, b, picture, h, w):
    """The way back, with bias[b] added; returns 0, or NaN if a number is not finite."""
    noinline()
    C, _, W = picture.shape
    t = tile(STAGES, L, grid)
    offset = load(bias, b, 0)
    finite = offset * 0.0
    for i in range(L):
        v = load(grid, r, s + i, 0) + offset
        finite += v * 0.0
        t[0, i] = v
    transpose(t)
    for i in range(L):
        store_part(W - w if b * L + i < C else 0, picture, b * L + i, h, w, t[STAGES - 1, i])
    return hsum(finite)


@jit
def read_strip(picture, b, row0, rows, left, grid):
    """grid[:rows, left:] = rows row0 to row0 + rows of picture (C, H, W), channels bL to bL + L.

    Rows outside of the picture are zeros, as is what stands beside it.
    """
    _, H, W = picture.shape
    for r in range(rows):
        if 0 <= row0 + r < H:
            for w in range(0, W, L):
                read_block(picture, b, row0 + r, w, grid, r, left + w)
        else:
            grid[r] = 0


@jit
def write_strip(grid, bias, b, picture, row0, rows):
    """Rows row0 to row0 + rows of picture = grid[:rows], where it has such rows; 0, or NaN as above."""
    _, H, W = picture.shape
    finite = np.float32(0)
    for r in range(min(rows, H - row0)):
        for w in range(0, W, L):
            finite += write_block(grid, r, w, bias, b, picture, row0 + r, w)
    return finite


@jit
def product_tile(V, U, M, b, t, block0, block1):
    """M[b:b+NV, t:t+MR] += V[block0:block1, t:t+MR] U[b:b+NV], for the channels of these blocks."""
    noinline()
    acc = tile(MR, NV, V)
    for block in range(block0, block1):
        for k in range(L):
            for r in range(MR):
                v = splat(V, block, (t + r) * L + k)
                for c in range(NV):
                    acc[r, c] += v * load(U, b + c, (block * L + k) * L)
    for r in range(MR):
        for c in range(NV):
            if block0 > 0:
                acc[r, c] += load(M, b + c, (t + r) * L)
            store(M, b + c, (t + r) * L, acc[r, c])


@jit
def products(V, U, M, tiles):
    """M[e] = V[e] U[e] for all components e, and `tiles` rows, rounded up to a multiple of MR."""
    E, blocks = V.shape[:2]
    V, U, M = V.reshape(E, blocks, -1), U.reshape(E, M.shape[1], -1), M.reshape(E, M.shape[1], -1)
    for e in range(E):
        for b in range(0, M.shape[1], NV):
            for block in range(0, blocks, DEPTH // L):
                for t in range(0, tiles, MR):
                    product_tile(V[e], U[e], M[e], b, t, block, min(block + DEPTH // L, blocks))


@jit
def transform_filters(weight, U, m, begin, end):
    """U[e] (C, O) = G g G' for all filters of weight (O, C, 3, 3); some blocks of O."""
    O, C = weight.shape[:2]
    grid = vectors(1, 3, 3)[0]
    for b in range(begin, end):
        for c in range(C):
            for o in range(min(L, O - b * L)):
                for r in range(3):
                    for s in range(3):
                        grid[r, s, o] = weight[b * L + o, c, r, s]
            if m == 4:
                transform_filter_4(grid, 0, 0, U, b, c)
            else:
                transform_filter_2(grid, 0, 0, U, b, c)


@jit
def transform_inputs(picture, row0, rows, left, grid, V, t, across, m):
    """V[:, :, t:] = the tiles of `rows` tile rows, `across` in each; the first begins in row row0."""
    for b in range(V.shape[1]):
        read_strip(picture, b, row0, rows * m + 2, left, grid)
        for i in range(rows):
            for j in range(across):
                if m == 4:
                    transform_input_4(grid, i * m, j * m, V, b, t + i * across + j)
                else:
                    transform_input_2(grid, i * m, j * m, V, b, t + i * across + j)


@jit
def transform_gradients(picture, row0, rows, grid, M, t, across, m):
    """M[:, :, t:] = the tiles of `rows` tile rows of picture (O, OH, OW), the output's gradient."""
    for b in range((picture.shape[0] + L - 1) // L):
        read_strip(picture, b, row0, rows * m, 0, grid)
        for i in range(rows):
            for j in range(across):
                if m == 4:
                    transform_gradient_4(grid, i * m, j * m, M, b, t + i * across + j)
                else:
                    transform_gradient_2(grid, i * m, j * m, M, b, t + i * across + j)


@jit
def transform_outputs(M, t, grid, bias, picture, row0, rows, across, m):
    """The tile rows of the picture (O, H, W) that stand in M from row t on; 0, or NaN."""
    finite = np.float32(0)
    for b in range((picture.shape[0] + L - 1) // L):
        for i in range(rows):
            for j in range(across):
                if m == 4:
                    transform_output_4(M, b, t + i * across + j, grid, i * m, j * m)
                else:
                    transform_output_2(M, b, t + i * across + j, grid, i * m, j * m)
        finite += write_strip(grid, bias, b, picture, row0, rows * m)
    return finite


@jit
def outer_tile(V, M, U, b, block, k, tiles):
    """U[b:b+NV, row:row+UR] += V' M over all tiles, row = block * L + k being a channel of V."""
    noinline()
    acc = tile(UR, NV, V)
    for t in range(tiles):
        for r in range(UR):
            v = splat(V, block, t * L + k + r)
            for c in range(NV):
                acc[r, c] += v * load(M, b + c, t * L)
    for r in range(UR):
        for c in range(NV):
            row = (block * L + k + r) * L
            store(U, b + c, row, acc[r, c] + load(U, b + c, row))


@jit
def outer_products(V, M, U, tiles):
    """U[e] += V[e]' M[e] for all components e."""
    E, blocks = V.shape[:2]
    V, U, M = V.reshape(E, blocks, -1), U.reshape(E, M.shape[1], -1), M.reshape(E, M.shape[1], -1)
    for e in range(E):
        for b in range(0, M.shape[1], NV):
            for block in range(blocks):
                for k in range(0, L, UR):
                    outer_tile(V[e], M[e], U[e], b, block, k, tiles)


@jit
def transform_filters_back(U, m, dweight):
    """dweight (O, C, 3, 3) = G' U G, filter by filter."""
    O, C = dweight.shape[:2]
    grid = vectors(1, 3, 3)[0]
    for b in range((O + L - 1) // L):
        for c in range(C):
            if m == 4:
                filter_from_4(U, b, c, grid, 0, 0)
            else:
                filter_from_2(U, b, c, grid, 0, 0)
            for o in range(min(L, O - b * L)):
                for r in range(3):
                    for s in range(3):
                        dweight[b * L + o, c, r, s] = grid[r, s, o]


@jit
def correlate(dy, x, partial, top, left, m, block_rows, begin, end):
    """partial[chunk] (O, C, 3, 3): the weight gradient of each chunk's pictures, for some chunks."""
    chunks, O, C = partial.shape[:3]
    N, _, H, W = x.shape
    OH, OW = dy.shape[2:]
    down, across = (OH + m - 1) // m, (OW + m - 1) // m
    room = block_rows * across | 1
    a, blocks = m + 2, (O + NV * L - 1) // (NV * L) * NV
    V = vectors(a * a, (C + L - 1) // L, room)
    M = vectors(a * a, blocks, room)
    U = vectors(a * a, blocks, (C + L - 1) // L * L)
    rows = min(block_rows, down)
    width = max(across * m + 2, left + (W + L - 1) // L * L, (OW + L - 1) // L * L)
    grid = vectors(1, rows * m + 2, width)[0]
    out = vectors(1, rows * m + 2, width)[0]
    for chunk in range(begin, end):
        U[:] = 0
        row, end_row = chunk * N // chunks * down, (chunk + 1) * N // chunks * down
        while row < end_row:
            t = 0
            last = min(row + block_rows, end_row)
            while row < last:
                n, i = row // down, row % down
                rows = min(down - i, last - row)
                transform_inputs(x[n], i * m - top, rows, left, grid, V, t, across, m)
                transform_gradients(dy[n], i * m, rows, out, M, t, across, m)
                t += rows * across
                row += rows
            outer_products(V, M, U, t)
        transform_filters_back(U, m, partial[chunk])


@jit
def convolve(x, U, bias, y, top, left, m, block_rows, finite, begin, end):
    """y (N, O, OH, OW) from x (N, C, H, W), U and bias (blocks, L), for some blocks of tile rows."""
    N, C, H, W = x.shape
    OH, OW = y.shape[2:]
    down, across = (OH + m - 1) // m, (OW + m - 1) // m
    room = (block_rows * across + MR - 1) // MR * MR | 1  # odd, or the components get into each other's way
    V = vectors(U.shape[0], U.shape[2] // L, room)
    M = vectors(U.shape[0], U.shape[1], room)
    rows = min(block_rows, down)
    width = max(across * m + 2, left + (W + L - 1) // L * L, (OW + L - 1) // L * L)
    grid = vectors(1, rows * m + 2, width)[0]
    out = vectors(1, rows * m, width)[0]
    for job in range(begin, end):
        first, last = job * block_rows, min((job + 1) * block_rows, N * down)
        row = first
        while row < last:
            n, i = row // down, row % down
            rows = min(down - i, last - row)
            transform_inputs(x[n], i * m - top, rows, left, grid, V, (row - first) * across, across, m)
            row += rows
        products(V, U, M, (last - first) * across)
        total, row = np.float32(0), first
        while row < last:
            n, i = row // down, row % down
            rows = min(down - i, last - row)
            total += transform_outputs(M, (row - first) * across, out, bias, y[n], i * m, rows, across, m)
            row += rows
        finite[job] = total == 0


def forward(x, weight, bias, padding, m):
    top, bottom, left, right = padding
    (N, C, H, W), O = x.shape, len(weight)
    y = np.empty((N, O, H + top + bottom - 2, W + left + right - 2), np.float32)
    a, blocks = m + 2, -(-O // (NV * L)) * NV
    U = vectors(a * a, blocks, -(-C // L) * L)
    transform_filters(weight, U, m, 0, -(-O // L))
    offsets = np.zeros((blocks, L), np.float32)
    if bias is not None:
        offsets.reshape(-1)[:O] = bias
    down, across = -(-y.shape[2] // m), -(-y.shape[3] // m)
    block_rows = max(TILES // across, 1)
    jobs = -(-N * down // block_rows)
    finite = np.empty(jobs, np.bool_)
    convolve(x, U, offsets, y, top, left, m, block_rows, finite, 0, jobs)
    return y if finite.all() else None


def input_gradient(dy, weight, x_shape, padding, m):
    top, left = padding[0], padding[2]
    (H, W), (OH, OW) = x_shape[2:], dy.shape[2:]
    turned = weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    return forward(dy, turned, None, (2 - top, H - OH + top, 2 - left, W - OW + left), m)


def weight_gradient(dy, x, padding, m):
    O, (N, C) = dy.shape[1], x.shape[:2]
    chunks = min(N, 4)
    partial = np.empty((chunks, O, C, 3, 3), np.float32)
    block_rows = max(TILES // -(-dy.shape[3] // m), 1)
    correlate(dy, x, partial, padding[0], padding[2], m, block_rows, 0, chunks)
    dweight = partial.sum(axis=0)
    return dweight if np.isfinite(dweight).all() else None
