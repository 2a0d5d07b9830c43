"""Convolution: an implicit product of matrices, or a direct sum where there is too little for one.

A convolution and its input gradient are one kernel; ``conv.cuh`` tells them apart by what a result cell sees.

======================  ================================================================================
``conv_gemm.cuh``       tiles of a product of matrices: by threads in ``conv.cu``, by tensor cores in
                        ``conv_tf32.cu``; ``gemm.cuh`` tells how, fully connected layers use it, too
``conv_direct.cu``      few channels or few filters, and few taps
``conv_depthwise.cu``   a filter or two a channel
======================  ================================================================================
"""

from typing import Any

from minicnn.kernels.cuda import gemm
from minicnn.kernels.cuda.gemm import THREADS
from minicnn.kernels.cuda.launch import cupy, launch
from minicnn.kernels.geometry import Window

__all__ = [
    "conv2d", "conv2d_bias_gradient", "conv2d_input_gradient", "conv2d_parameter_gradients",
    "conv2d_weight_gradient",
]  # fmt: skip

Array = Any  # of CuPy

PART = 64  # cells that a block has at least whose layers are cells
MANY = 1024  # cells that a block has at least whose threads are cells
CELLS, FILTERS = 64, 8  # of a block of convolve_directly
MOST_DIRECT = 512  # products to a sum of convolve_directly, whose filters lie in shared memory
TAPS = 8  # of a block of depthwise_weight_gradient


def conv2d(
    x: Array, weight: Array, bias: Array | None, window: Window, groups: int, activation: str = ""
) -> Array:
    """y (N, O, OH, OW), activated, from x (N, C, H, W), weight (O, C/G, KH, KW) and bias (O) or None."""
    shape = (len(x), len(weight), *window.output_size(*x.shape[2:]))
    return convolve(x, weight, bias, shape, window, groups, activation)


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
    activation: str = "",
    transposed: bool = False,
) -> Array:
    """A result of this shape from a source; transposed, it has the shape of x, and the source that of y."""
    (N, O, OH, OW), (KH, KW), dtype, xp = shape, window.kernel, source.dtype, cupy()
    OG, CG = O // groups, source.shape[1] // groups
    result = xp.empty(shape, dtype)
    settings = numbers(source, shape, window, groups, transposed)
    source, bias = xp.ascontiguousarray(source), None if bias is None else xp.ascontiguousarray(bias)
    phases, cells = 1, N * OH * OW
    if transposed:
        SH, SW = window.stride
        phases, cells = SH * SW, N * -(-OH // SH) * -(-OW // SW)
    grid: tuple[int, ...]
    done = gemm.ACTIVATIONS[activation]
    if groups > 1 and CG * OG <= 4:
        grid = (N * O, min(-(-OH * OW // THREADS), 64))
        arguments = source, xp.ascontiguousarray(weight), bias, done, result, *settings
        launch("conv_depthwise", "convolve_depthwise", dtype, grid, (THREADS,), arguments)
    elif (CG < 8 or OG <= 16) and CG * KH * KW <= MOST_DIRECT:
        grid = (-(-cells // CELLS) * phases, -(-OG // FILTERS), groups)
        arguments = source, xp.ascontiguousarray(weight), bias, done, result, *settings
        shared = CG * KH * KW * FILTERS * dtype.itemsize
        launch("conv_direct", "convolve_directly", dtype, grid, (THREADS,), arguments, shared)
    else:
        rows, columns = gemm.tile(OG, cells, phases * groups)
        grid = (-(-cells // columns) * phases, -(-OG // rows), groups)
        filters = weight.reshape((groups, CG, OG, KH * KW) if transposed else (groups, OG, CG, KH * KW))
        filters = xp.ascontiguousarray(filters.transpose((0, 3, 1, 2) if transposed else (0, 3, 2, 1)))
        done = gemm.activation_in(activation, rows)
        arguments = source, filters, bias, done, result, *settings
        launch(gemm.source("conv", dtype), f"convolve_{rows}x{columns}", dtype, grid, (THREADS,), arguments)
    return gemm.activate(activation, done, result)


def conv2d_weight_gradient(dy: Array, x: Array, window: Window, groups: int) -> Array:
    """dweight (O, C/G, KH, KW) from dy (N, O, OH, OW) and x (N, C, H, W)."""
    return weight_gradient(dy, x, window, groups, None)


def conv2d_parameter_gradients(dy: Array, x: Array, window: Window, groups: int) -> tuple[Array, Array]:
    """dweight, and dbias (O), by the same launches: some of their blocks sum dy."""
    dbias = cupy().empty(dy.shape[1], dy.dtype)
    return weight_gradient(dy, x, window, groups, dbias), dbias


def weight_gradient(dy: Array, x: Array, window: Window, groups: int, dbias: Array | None) -> Array:
    """dweight, and dbias in its array, if there is one."""
    (N, O, OH, OW), (KH, KW), dtype, xp = dy.shape, window.kernel, dy.dtype, cupy()
    OG, CG = O // groups, x.shape[1] // groups
    if groups > 1 and CG * OG <= 4:
        source, name = "conv_depthwise", "depthwise_weight_gradient"
        across, down, deep, least = O * CG, KH * -(-KW // TAPS), 1, MANY
        wider, taller = 0, 1
    else:
        rows, columns = gemm.tile(OG, CG * KH * KW, groups * max(N * OH * OW // PART, 1))
        source, name = gemm.source("conv", dtype), f"weight_gradient_{rows}x{columns}"
        across, down, deep, least = -(-CG * KH * KW // columns), -(-OG // rows), groups, PART
        wider, taller = rows // 8, 0
    count, cells_each = gemm.split(N * OH * OW, across * down * deep, least)
    if dbias is not None:
        across, down = across + wider, down + taller
    dweight = xp.empty((O, CG, KH, KW), dtype)
    partial, biases, part_size = gemm.room(count, dweight, dbias)
    settings = numbers(x, dy.shape, window, groups, False)
    arrays = xp.ascontiguousarray(dy), xp.ascontiguousarray(x), partial, biases
    grid = across, down, deep * count
    launch(source, name, dtype, grid, (THREADS,), (*arrays, part_size, cells_each, *settings))
    return gemm.add_parts(partial, dweight, None, dbias)


def conv2d_bias_gradient(dy: Array) -> Array:
    """dbias (O) from dy (N, O, OH, OW): a bias is added to every pixel of its channel."""
    (N, O, OH, OW), dtype, xp = dy.shape, dy.dtype, cupy()
    count, cells_each = gemm.split(N * OH * OW, O, MANY)
    dbias = xp.empty(O, dtype)
    partial = gemm.room(count, dbias)[0]
    arguments = xp.ascontiguousarray(dy), partial, N, O, OH * OW, cells_each
    launch("parts", "channel_sums", dtype, (O, count), (THREADS,), arguments)
    return gemm.add_parts(partial, dbias)


def numbers(
    source: Array, shape: tuple[int, ...], window: Window, groups: int, transposed: bool
) -> tuple[int, ...]:
    """What SHAPE_PARAMETERS of conv.cuh takes."""
    return (*source.shape, *shape[1:], groups, *window.numbers(), transposed)
