"""Convolution: an implicit product of matrices, or a direct sum where there is too little for one.

A convolution and its input gradient are one kernel; ``conv.cuh`` tells them apart by what a result cell sees.

======================  ================================================================================
``conv_gemm.cuh``       tiles of a product of matrices: by threads in ``conv.cu``, by tensor cores in
                        ``conv_tf32.cu``
``conv_direct.cu``      few channels or few filters, and few taps
``conv_depthwise.cu``   a filter or two a channel
cuBLAS                  1x1 filters that step by one: a product of matrices as they lie there
======================  ================================================================================
"""

from typing import Any

import numpy as np

from minicnn.kernels.cuda.launch import BLOCK, cupy, launch
from minicnn.kernels.geometry import Window

__all__ = ["conv2d", "conv2d_bias_gradient", "conv2d_input_gradient", "conv2d_weight_gradient"]

Array = Any  # of CuPy

allow_tf32 = False  # round the factors of float32 products to 10 bits, which tensor cores multiply
TILES = ((128, 128), (64, 128), (32, 64))  # rows and columns
CROWD = 264  # blocks that fill a GPU: two for each of the 132 multiprocessors of an H200
PART = 256  # cells that a block of a sum over cells has at least
CELLS, FILTERS = 64, 8  # of a block of convolve_directly
MOST_DIRECT = 512  # products to a sum of convolve_directly, whose filters lie in shared memory
TAPS = 8  # of a block of depthwise_weight_gradient


def conv2d(x: Array, weight: Array, bias: Array | None, window: Window, groups: int) -> Array:
    """y (N, O, OH, OW) from x (N, C, H, W), weight (O, C/G, KH, KW) and bias (O) or None."""
    shape = (len(x), len(weight), *window.output_size(*x.shape[2:]))
    return convolve(x, weight, bias, shape, window, groups, transposed=False)


def conv2d_input_gradient(
    dy: Array, weight: Array, x_shape: tuple[int, ...], window: Window, groups: int
) -> Array:
    """dx (N, C, H, W) from dy (N, O, OH, OW)."""
    return convolve(dy, weight, None, x_shape, window, groups, transposed=True)


def convolve(
    source: Array,
    weight: Array,
    bias: Array | None,
    shape: tuple[int, ...],
    window: Window,
    groups: int,
    transposed: bool,
) -> Array:
    """A result of this shape from a source; transposed, it has the shape of x, and the source that of y."""
    (N, O, OH, OW), (KH, KW), dtype, xp = shape, window.kernel, source.dtype, cupy()
    OG, CG = O // groups, source.shape[1] // groups
    filters = weight.reshape((groups, CG, OG, KH * KW) if transposed else (groups, OG, CG, KH * KW))
    if not transposed:
        filters = filters.transpose(0, 2, 1, 3)  # now (G, C/G, O/G, taps)
    if window.kernel == window.stride == (1, 1) and not any(window.padding) and not rounded(dtype):
        return mix(source, filters[..., 0], bias, shape)

    result = xp.empty(shape, dtype)
    settings = numbers(source, shape, window, groups, transposed)
    source, bias = xp.ascontiguousarray(source), None if bias is None else xp.ascontiguousarray(bias)
    phases, cells = 1, N * OH * OW
    if transposed:
        SH, SW = window.stride
        phases, cells = SH * SW, N * -(-OH // SH) * -(-OW // SW)
    grid: tuple[int, ...]
    if groups > 1 and CG * OG <= 4:
        grid = (N * O, min(-(-OH * OW // BLOCK), 64))
        arguments = source, xp.ascontiguousarray(weight), bias, result, *settings
        launch("conv_depthwise", "convolve_depthwise", dtype, grid, (BLOCK,), arguments)
    elif (CG < 8 or OG <= 16) and CG * KH * KW <= MOST_DIRECT:
        grid = (-(-cells // CELLS) * phases, -(-OG // FILTERS), groups)
        arguments = source, xp.ascontiguousarray(weight), bias, result, *settings
        shared = CG * KH * KW * FILTERS * dtype.itemsize
        launch("conv_direct", "convolve_directly", dtype, grid, (BLOCK,), arguments, shared)
    else:
        rows, columns = tile(OG, cells, phases * groups)
        grid = (-(-cells // columns) * phases, -(-OG // rows), groups)
        arguments = source, xp.ascontiguousarray(filters.transpose(0, 3, 1, 2)), bias, result, *settings
        launch(gemm_source(dtype), f"convolve_{rows}x{columns}", dtype, grid, (BLOCK,), arguments)
    return result


def mix(source: Array, filters: Array, bias: Array | None, shape: tuple[int, ...]) -> Array:
    """The same by one product of matrices a picture and group, for filters (G, C/G, O/G) of one tap."""
    N, _, H, W = source.shape
    pictures = source.reshape(N, *filters.shape[:2], H * W)
    result = cupy().matmul(filters.transpose(0, 2, 1), pictures).reshape(shape)
    if bias is not None:
        result += bias[:, None, None]
    return result


def rounded(dtype: np.dtype) -> bool:
    """Whether products of these numbers are left to tensor cores."""
    return allow_tf32 and dtype == np.float32


def gemm_source(dtype: np.dtype) -> str:
    """Which of the sources multiplies tiles of these numbers."""
    return "conv_tf32" if rounded(dtype) else "conv"


def tile(rows: int, columns: int, times: int) -> tuple[int, int]:
    """The largest tile that is not mostly empty, and of which there are enough for all multiprocessors."""
    for tall, wide in TILES[:-1]:
        if rows > tall // 2 and -(-rows // tall) * -(-columns // wide) * times >= CROWD // 2:
            return tall, wide
    return TILES[-1]


def conv2d_weight_gradient(dy: Array, x: Array, window: Window, groups: int) -> Array:
    """dweight (O, C/G, KH, KW) from dy (N, O, OH, OW) and x (N, C, H, W)."""
    (N, O, OH, OW), (KH, KW), dtype, xp = dy.shape, window.kernel, dy.dtype, cupy()
    OG, CG = O // groups, x.shape[1] // groups
    if groups > 1 and CG * OG <= 4:
        source, name = "conv_depthwise", "depthwise_weight_gradient"
        across, down, deep = O * CG, KH * -(-KW // TAPS), 1
    else:
        rows, columns = next(t for t in TILES if t[0] // 2 < OG or t == TILES[-1])
        source, name = gemm_source(dtype), f"weight_gradient_{rows}x{columns}"
        across, down, deep = -(-CG * KH * KW // columns), -(-OG // rows), groups
    parts, cells_each = split(N * OH * OW, across * down * deep)
    dweight = xp.empty((O, CG, KH, KW), dtype)
    partial = dweight if parts == 1 else xp.empty((parts, *dweight.shape), dtype)
    settings = numbers(x, dy.shape, window, groups, False)
    arguments = xp.ascontiguousarray(dy), xp.ascontiguousarray(x), partial, cells_each, *settings
    launch(source, name, dtype, (across, down, deep * parts), (BLOCK,), arguments)
    return add_parts(partial, dweight)


def conv2d_bias_gradient(dy: Array) -> Array:
    """dbias (O) from dy (N, O, OH, OW): a bias is added to every pixel of its channel."""
    (N, O, OH, OW), dtype, xp = dy.shape, dy.dtype, cupy()
    parts, cells_each = split(N * OH * OW, O)
    dbias = xp.empty(O, dtype)
    partial = dbias if parts == 1 else xp.empty((parts, O), dtype)
    arguments = xp.ascontiguousarray(dy), partial, N, O, OH * OW, cells_each
    launch("conv", "channel_sums", dtype, (O, parts), (BLOCK,), arguments)
    return add_parts(partial, dbias)


def split(cells: int, blocks: int) -> tuple[int, int]:
    """How many parts a sum over cells has, if each takes this many blocks, and how many cells a part has."""
    parts = max(1, min(-(-CROWD // max(blocks, 1)), cells // PART))
    return parts, -(-cells // parts)


def add_parts(partial: Array, result: Array) -> Array:
    """The sum of the parts, if there are several."""
    if partial is not result:
        grid, arguments = (-(-result.size // 32),), (partial, result, len(partial), result.size)
        launch("conv", "sum_parts", result.dtype, grid, (32, 16), arguments)
    return result


def numbers(
    source: Array, shape: tuple[int, ...], window: Window, groups: int, transposed: bool
) -> tuple[int, ...]:
    """What SHAPE_PARAMETERS of conv.cuh takes."""
    return (*source.shape, *shape[1:], groups, *window.numbers(), transposed)
