"""Convolution with 3x3 filters and stride 1 by Winograd's minimal filtering (Lavin and Gray 2016).

The output is cut into tiles of m x m pixels. A tile comes from a patch of a x a pixels, a = m + 2, and is
A' [(G g G') * (B' d B)] A (see winograd_transforms.py). With the sum over channels inside the brackets, the
products of all tiles are a*a products of matrices, one for each place in the patch:

    M[e] (tiles, O) = V[e] (tiles, C) U[e] (C, O)          V: transformed input, U: transformed filters

and 36 products do the work of 144 (F(4x4)), or 16 that of 36 (F(2x2)). All matrices lie in blocks of L
channels, one vector wide: E[b, e, row] is a vector, L = lanes(E). So a transform works on L channels at once,
without knowing it. Pictures stay (N, C, H, W) outside: a strip of their rows is turned to (rows, columns, L)
and back in cache, and a block of tiles is small enough that V and M stay there, too.

A tile mixes the numbers of its patch, so one that is infinite or not a number spoils the tile: then the
functions return None, and the caller computes in another way.

Interpolating magnifies rounding. The largest error, divided by the root mean square of the exact result, for
random normal numbers, 64 to 512 channels, forward and both gradients:

    F(2x2) 3e-6        F(4x4) 2e-5        PyTorch 2e-6 forward and input gradient, 3e-5 weight gradient

That is a share of the largest number of a patch: beside one that is a million times as large as the others,
these keep six digits with F(2x2), none with F(4x4).
"""

import numpy as np

from minicnn.kernels.cpu.graph import again, all_set
from minicnn.kernels.cpu.jit import inner, kernel
from minicnn.kernels.cpu.memory import empty, result
from minicnn.kernels.cpu.runner import PRODUCTS, run
from minicnn.kernels.cpu.scratch import reshape
from minicnn.kernels.cpu.simd import BYTES, load, store
from minicnn.kernels.cpu.winograd_products import MR, NV, lines_of, outer_product, product
from minicnn.kernels.cpu.winograd_transforms import (
    MARGIN,
    POINTS,
    L,
    add_filters,
    read_strip,
    strip,
    transform_all_filters,
    transform_filters,
    transform_gradient,
    transform_input,
    transform_output,
    vectors,
    write_block,
    write_strip,
)
from minicnn.kernels.geometry import Window

SLICE = 64  # channels whose V, of a block of tiles, stays in an L2 cache beside their filters and ...
CACHE = 5 << 17  # ... so many bytes of M
TILES = 96  # in a block, if there are so many
CHUNKS = 8  # parts that a weight gradient is summed in

CHOICES = ("auto", "f2", "f4", False)
choice: str | bool = "auto"  # what minicnn.backends.cpu.winograd is


def tile_size(N: int, C: int, O: int, OH: int, OW: int, window: Window) -> int:
    """m of the F(m x m, 3x3) that should compute y (N, O, OH, OW) from C channels; 0: none of them.

    "auto" asks for enough channels and tiles that the other methods take longer, in all three directions,
    and takes the m with fewer products, of two equal ones the more precise.
    """
    plain = window.kernel == (3, 3) and window.stride == window.dilation == (1, 1)
    if not (choice and plain and all(0 <= side <= 2 for side in window.padding) and N * OH * OW > 0):
        return 0
    if choice != "auto":
        return 2 if choice == "f2" else 4
    tiles = {m: N * -(-OH // m) * -(-OW // m) for m in (2, 4)}
    m = 2 if 16 * tiles[2] <= 36 * tiles[4] else 4
    few, many = sorted((C, O))
    return m if few >= 16 and few * many >= 512 and few * tiles[m] >= 1024 else 0


@inner
def part_of_picture(row, last, down):
    """Which picture a tile row is in, which of its `down` tile rows it is, and how many follow up to last."""
    return row // down, row % down, min(down - row % down, last - row)


@inner
def transform_inputs(x, first, last, size, top, left, points, grid, V):
    """V = the tiles of tile rows first to last, counted through all pictures of x (N, C, H, W)."""
    m, (down, across) = len(points) - 1, size
    row = first
    while row < last:
        n, i, rows = part_of_picture(row, last, down)
        t = (row - first) * across
        for b in range(len(V)):
            read_strip(x[n], b, i * m - top, rows * m + 2, grid)
            for r in range(rows):
                for s in range(across):
                    transform_input(points, grid, r * m, MARGIN - left + s * m, V, b, t + r * across + s)
        row += rows


@inner
def transform_gradients(dy, panel, first, last, size, points, grid, M):
    """M = the same tile rows of dy (N, O, OH, OW), for a panel of its channels."""
    m, (down, across) = len(points) - 1, size
    row = first
    while row < last:
        n, i, rows = part_of_picture(row, last, down)
        t = (row - first) * across
        for b in range(NV):
            read_strip(dy[n], panel * NV + b, i * m, rows * m, grid)
            for r in range(rows):
                for s in range(across):
                    transform_gradient(points, grid, r * m, MARGIN + s * m, M, b, t + r * across + s)
        row += rows


@inner
def transform_outputs(M, bias, floor, first, last, size, points, grid, y, panel):
    """The same tile rows of y (N, O, OH, OW) from M, for a panel of its channels; 0, or NaN."""
    m, (down, across) = len(points) - 1, size
    row, finite = first, np.float32(0)
    while row < last:
        n, i, rows = part_of_picture(row, last, down)
        t = (row - first) * across
        for b in range(NV):
            for r in range(rows):
                for s in range(across):
                    transform_output(points, M, b, t + r * across + s, grid, r * m, s * m)
            finite += write_strip(grid, bias, panel * NV + b, floor, y[n], i * m, rows * m)
        row += rows
    return finite


@kernel
def convolve(x, filters, turned, U, bias, floor, y, top, left, points, rows, at_once, finite, begin, end):
    """y (N, O, OH, OW) from x (N, C, H, W), filters as in transform_filters, and bias (panels * NV, L).

    Numbers of y below the floor become the floor.

    A job is some panels, `at_once`, of a block of tile rows: a slice of V is in cache for all of them. U has
    all transformed filters; if it is empty, each job transforms those it needs, slice by slice.
    """
    (N, C, _, W), (OH, OW), m = x.shape, y.shape[2:], len(points) - 1
    size = down, across = (OH + m - 1) // m, (OW + m - 1) // m
    E, panels, blocks = (m + 2) ** 2, len(bias) // NV, (C + L - 1) // L
    groups = (panels + at_once - 1) // at_once
    room = (rows * across + MR - 1) // MR * MR | 1  # odd, or rows would share places in cache
    V, M, own = vectors((blocks, E, room)), vectors((at_once * NV, E, room)), vectors((NV, E, SLICE | 1))
    grid = strip(min(rows, down), across, W, m)
    out = strip(min(rows, down), across, OW, m)
    for job in range(begin, end):
        block, panel = job // groups, job % groups * at_once
        first, last = block * rows, min((block + 1) * rows, N * down)
        if job == begin or panel == 0:
            transform_inputs(x, first, last, size, top, left, points, grid, V)
        count, total = min(at_once, panels - panel), np.float32(0)
        for k in range(0, C, SLICE):
            stop = min(k + SLICE, C)
            for p in range(count):
                if len(U) == 0:
                    transform_filters(filters, turned, panel + p, k, stop, points, own)
                product(
                    lines_of(V),
                    lines_of(U[panel + p] if len(U) > 0 else own),
                    lines_of(M[p * NV : (p + 1) * NV]),
                    (last - first) * across,
                    k // L,
                    (stop + L - 1) // L,
                    k if len(U) > 0 else 0,
                )
        for p in range(count):
            part = M[p * NV : (p + 1) * NV]
            total += transform_outputs(part, bias, floor, first, last, size, points, out, y, panel + p)
        finite[job] = total == 0


@inner
def add_chunks(partial, panel, first, last, taps, steps, dweight):
    """dweight (O, 1, C*taps) for a panel and channels first to last: the sum of chunks (chunks, NV, rows*L).

    steps: rows from a channel to the next, and from a tap to the next. The result is 0, or NaN.
    """
    none, line = vectors((1, 1, (panel + 1) * NV))[0, 0], vectors((1, 1, L))[0]
    finite, stop = np.float32(0), last * taps
    for b in range(NV):
        row = tap = 0
        for k in range(first * taps, stop, L):
            for i in range(min(L, stop - k)):
                v = load(partial, 0, b, row * L)
                for chunk in range(1, len(partial)):
                    v += load(partial, chunk, b, row * L)
                store(line, 0, i, 0, v)
                row, tap = row + steps[1], tap + 1
                if tap == taps:
                    row, tap = row + steps[0] - taps * steps[1], 0
            finite += write_block(line, 0, 0, none, panel * NV + b, -np.inf, dweight, 0, k)
    return finite


@kernel
def differentiate(dy, x, partial, dweight, top, left, points, block_rows, at_once, finite, begin, end):
    """partial (chunks, panels, NV, C, 9, L) = the weight gradient of chunks of blocks of tile rows.

    A job is a chunk, or some of its panels. Those `at_once` share a slice of V in cache. Without chunks there
    is one block of tiles only, and its gradient goes to dweight (O, 1, C*9).
    """
    chunks, panels = partial.shape[0], (dweight.shape[0] + NV * L - 1) // (NV * L)
    (N, C, _, W), (OH, OW), m = x.shape, dy.shape[2:], len(points) - 1
    size = down, across = (OH + m - 1) // m, (OW + m - 1) // m
    E, blocks = (m + 2) ** 2, (N * down + block_rows - 1) // block_rows
    share = at_once if blocks == max(chunks, 1) else panels
    groups = (panels + share - 1) // share
    room = block_rows * across | 1
    V, M = vectors(((C + L - 1) // L, E, room)), vectors((at_once * NV, E, room))
    U, sums = vectors((NV, E, SLICE | 1)), vectors((NV, SLICE, 9))
    grid = strip(min(block_rows, down), across, W, m)
    out = strip(min(block_rows, down), across, OW, m)
    known = -1
    for job in range(begin, end):
        chunk, group, total = job // groups, job % groups, np.float32(0)
        first_block = chunk * blocks // max(chunks, 1)
        for block in range(first_block, (chunk + 1) * blocks // max(chunks, 1)):
            first, last = block * block_rows, min((block + 1) * block_rows, N * down)
            if block != known:
                transform_inputs(x, first, last, size, top, left, points, grid, V)
            known = block
            for panel in range(group * share, min((group + 1) * share, panels), at_once):
                count = min(at_once, panels - panel)
                for p in range(count):
                    part = M[p * NV : (p + 1) * NV]
                    transform_gradients(dy, panel + p, first, last, size, points, out, part)
                for k in range(0, C, SLICE):
                    stop = min(k + SLICE, C)
                    for p in range(count):
                        part, tiles = M[p * NV : (p + 1) * NV], (last - first) * across
                        how = k // L, (stop + L - 1) // L, False
                        outer_product(lines_of(V), lines_of(part), lines_of(U), tiles, *how)
                        if chunks > 0:
                            add_filters(U, points, partial[chunk, panel + p, :, k:stop], block > first_block)
                        else:
                            add_filters(U, points, sums[:, : stop - k], False)
                            rows = reshape(sums, (1, NV, SLICE * 9 * L))[:, :, : (stop - k) * 9 * L]
                            total += add_chunks(rows, panel + p, k, stop, 9, (9, 1), dweight)
        finite[job] = total == 0


@kernel
def add_up(partial, dweight, taps, steps, finite, begin, end):
    """dweight (O, 1, C*taps) = the sum of the chunks (chunks, panels, NV, rows*L) for some panels."""
    for panel in range(begin, end):
        total = add_chunks(partial[:, panel], panel, 0, dweight.shape[2] // taps, taps, steps, dweight)
        finite[panel] = total == 0


def cut(tile_rows: int, across: int, tiles: int = TILES) -> tuple[int, int]:
    """How many tile rows make a block, and how many blocks there are, all about as large."""
    blocks = max(round(tile_rows * across / tiles), 1)
    block_rows = -(-tile_rows // blocks)
    return block_rows, -(-tile_rows // block_rows)


def panels_at_once(tiles: int, panels: int, E: int) -> int:
    """For how many panels M, of so many tiles at E places, stays in cache."""
    fit = max(CACHE // (tiles * E * NV * BYTES), 1)
    return -(-panels // -(-panels // fit))  # groups about as large as each other


def convolution(
    x: np.ndarray,
    weight: np.ndarray,
    turned: bool,
    bias: np.ndarray | None,
    y: np.ndarray,
    padding: tuple[int, ...],
    m: int,
    floor: float = -np.inf,
) -> np.ndarray | None:
    """Fill y (N, O, OH, OW) in; weight is (O, C, 3, 3), or (C, O, 3, 3) if it is to be turned round."""
    (N, O, OH, OW), C = y.shape, x.shape[1]
    panels, E, down, across = -(-O // (NV * L)), (m + 2) ** 2, -(-OH // m), -(-OW // m)
    block_rows, blocks = cut(N * down, across)
    offsets = np.zeros((panels * NV, L), np.float32)
    if bias is not None:
        again(np.copyto, offsets.ravel()[:O], bias)
    filters = np.ascontiguousarray(weight).reshape((C, O, 1, 9) if turned else (1, O, 1, 9 * C))
    channels = -(-C // L) * L | 1
    U = empty((panels if blocks > 1 else 0, NV, E, channels, L))
    again(np.copyto, U[:, :, :, C:], 0)  # so many channels have no filters
    run(transform_all_filters, len(U), U.size, filters, turned, 0, C, POINTS[m], U)
    at_once = panels_at_once(block_rows * across, panels, E)
    finite = np.empty(blocks * -(-panels // at_once), np.bool_)
    arrays = np.ascontiguousarray(x), filters, turned, U, offsets, floor, y
    settings = padding[0], padding[2], POINTS[m], block_rows, at_once, finite
    run(convolve, len(finite), y.size * C * 9 // PRODUCTS, *arrays, *settings)
    return y if all_set(finite) else None


def forward(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    padding: tuple[int, int, int, int],
    m: int,
    relu: bool = False,
) -> np.ndarray | None:
    """The convolution by F(m x m, 3x3).

    Parameters
    ----------
    x, weight, bias : float32 (N, C, H, W), (O, C, 3, 3) and (O) or None
    padding : at the top, bottom, left and right; 0, 1 or 2 each
    m, relu : 2 or 4; whether what is below 0 becomes 0

    Returns
    -------
    y (N, O, OH, OW), or None if a number in it is not finite.
    """
    (N, _, H, W), (top, bottom, left, right) = x.shape, padding
    y = result((N, len(weight), H + top + bottom - 2, W + left + right - 2), np.float32)
    return convolution(x, weight, False, bias, y, padding, m, 0.0 if relu else -np.inf)


def input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], padding: tuple[int, int, int, int], m: int
) -> np.ndarray | None:
    """dx (N, C, H, W) from dy (N, O, OH, OW), or None: dy convolved with the turned filters."""
    dx = result(x_shape, np.float32)
    return convolution(dy, weight, True, None, dx, tuple(2 - side for side in padding), m)


def weight_gradient(
    dy: np.ndarray, x: np.ndarray, padding: tuple[int, int, int, int], m: int
) -> np.ndarray | None:
    """dweight (O, C, 3, 3) from dy (N, O, OH, OW) and x (N, C, H, W), or None."""
    (N, O, OH, OW), C = dy.shape, x.shape[1]
    panels, down, across = -(-O // (NV * L)), -(-OH // m), -(-OW // m)
    block_rows, blocks = cut(N * down, across)
    chunks = min(blocks, CHUNKS) if blocks > 1 else 0  # a single block needs no sum
    partial = result((chunks, panels, NV, C, 9, L), np.float32)
    dweight = np.empty((O, C, 3, 3), np.float32)
    at_once = panels_at_once(block_rows * across, panels, (m + 2) ** 2)
    jobs = blocks * -(-panels // at_once) if blocks <= CHUNKS else chunks
    finite, lines = np.empty(jobs, np.bool_), dweight.reshape(O, 1, C * 9)
    arrays = np.ascontiguousarray(dy), np.ascontiguousarray(x), partial, lines
    settings = padding[0], padding[2], POINTS[m], block_rows, at_once, finite
    run(differentiate, jobs, dy.size * C * 9 // PRODUCTS, *arrays, *settings)
    if chunks > 0:
        finite, rows = np.empty(panels, np.bool_), partial.reshape(chunks, panels, NV, -1)
        run(add_up, panels, partial.size, rows, lines, 9, (9, 1), finite)
    return dweight if all_set(finite) else None
