"""The fast kernels: Numba functions over vectors, in cache, on all cores.

Read `simd.py` (what a vector is), `gemm.py` (tiles in registers), then `conv.py` beside
``reference/conv.py``. The rooms:

    jit, runner, memory         how kernels are compiled, share the cores, and get their arrays
    graph, lists                calls recorded and done again; many arrays in one call
    scratch                     arrays that kernels make for themselves, and other shapes of arrays
    simd, masks, weave          vectors: numbers, choices, shuffles
    elementary, rows            exp, tanh and erf of vectors; sums of rows
    transpose, prefetch         rows into columns; memory asked for ahead
    gemm                        products of matrices, in linear, matmul, attention, outer, pointwise
    conv                        convolution, in pointwise, direct (with strips), depthwise, tap_by_tap,
                                im2col_gemm and winograd (with its _transforms and _products)
    interleaved/                the same for pictures side by side, one in each lane
    pool                        pooling, in im2col's rows, halving for cells of 2x2, adaptive
    norm                        normalisation, normalise for batches, running for their statistics
    activation, curves          activations, and those with exp in them
    softmax, loss, dropout, grid, resample, join, clip, optim
"""

from minicnn.kernels.cpu import interleaved, memory  # noqa: F401 (for plans; sets malloc up)
from minicnn.kernels.cpu.activation import (
    activate,
    activation_gradient,
    prelu,
    prelu_gradient,
    relu,
    relu_gradient,
)
from minicnn.kernels.cpu.adaptive import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_gradient,
    adaptive_max_pool2d,
)
from minicnn.kernels.cpu.attention import attention  # noqa: F401 (for plans)
from minicnn.kernels.cpu.clip import euclidean_norm, scale
from minicnn.kernels.cpu.conv import (
    conv2d,
    conv2d_bias_gradient,
    conv2d_input_gradient,
    conv2d_parameter_gradients,
    conv2d_weight_gradient,
)
from minicnn.kernels.cpu.dropout import dropout, dropout_gradient
from minicnn.kernels.cpu.grid import sample, sample_gradient, sample_place_gradient
from minicnn.kernels.cpu.join import concatenate
from minicnn.kernels.cpu.linear import (
    linear,
    linear_gradients,  # noqa: F401 (for plans)
    linear_input_gradient,
    linear_parameter_gradients,
    linear_plus,  # noqa: F401 (for plans)
    linear_weight_gradient,
)
from minicnn.kernels.cpu.loss import cross_entropy
from minicnn.kernels.cpu.matmul import matmul
from minicnn.kernels.cpu.norm import (
    batch_norm,
    batch_norm_gradient,
    batch_norm_statistics,
    group_norm,
    group_norm_gradient,
)
from minicnn.kernels.cpu.optim import adagrad_step, adam_step, rmsprop_step, sgd_step
from minicnn.kernels.cpu.pool import avg_pool2d, avg_pool2d_gradient, max_pool2d, max_pool2d_gradient
from minicnn.kernels.cpu.resample import blend, blend_gradient, pick, pick_gradient
from minicnn.kernels.cpu.running import batch_norm_update_and_invert
from minicnn.kernels.cpu.softmax import softmax, softmax_gradient

__all__ = [
    "activate", "activation_gradient", "adagrad_step", "adam_step", "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_gradient", "adaptive_max_pool2d", "avg_pool2d", "avg_pool2d_gradient", "batch_norm",
    "batch_norm_gradient", "batch_norm_statistics", "batch_norm_update_and_invert", "blend", "blend_gradient",
    "concatenate", "conv2d", "conv2d_bias_gradient", "conv2d_input_gradient", "conv2d_parameter_gradients",
    "conv2d_weight_gradient", "cross_entropy", "dropout", "dropout_gradient", "euclidean_norm", "group_norm",
    "group_norm_gradient", "linear", "linear_input_gradient",
    "linear_parameter_gradients", "linear_weight_gradient", "matmul", "max_pool2d", "max_pool2d_gradient",
    "pick", "pick_gradient", "prelu", "prelu_gradient", "relu", "relu_gradient", "rmsprop_step", "sample",
    "sample_gradient", "sample_place_gradient", "scale", "sgd_step", "softmax", "softmax_gradient",
]  # fmt: skip
