"""The GPU's kernels: launchers in NAME.py, and their CUDA C++ in NAME.cu, compiled at the first use.

Arrays are CuPy's. Read `launch.py` first (from a source to a call), then `activation.cu` (a thread a number).
"""

from minicnn.kernels.cuda.activation import (
    activate,
    activation_gradient,
    prelu,
    prelu_gradient,
    relu,
    relu_gradient,
)
from minicnn.kernels.cuda.adaptive import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_gradient,
    adaptive_max_pool2d,
)
from minicnn.kernels.cuda.clip import euclidean_norm, scale
from minicnn.kernels.cuda.conv import (
    conv2d,
    conv2d_bias_gradient,
    conv2d_input_gradient,
    conv2d_parameter_gradients,
    conv2d_weight_gradient,
)
from minicnn.kernels.cuda.dropout import dropout, dropout_gradient
from minicnn.kernels.cuda.grid import sample, sample_gradient, sample_place_gradient
from minicnn.kernels.cuda.join import concatenate
from minicnn.kernels.cuda.linear import (
    linear,
    linear_input_gradient,
    linear_parameter_gradients,
    linear_weight_gradient,
)
from minicnn.kernels.cuda.loss import cross_entropy
from minicnn.kernels.cuda.matmul import matmul
from minicnn.kernels.cuda.norm import (
    batch_norm,
    batch_norm_gradient,
    batch_norm_statistics,
    group_norm,
    group_norm_gradient,
)
from minicnn.kernels.cuda.optim import adagrad_step, adam_step, rmsprop_step, sgd_step
from minicnn.kernels.cuda.pool import avg_pool2d, avg_pool2d_gradient, max_pool2d, max_pool2d_gradient
from minicnn.kernels.cuda.resample import blend, blend_gradient, pick, pick_gradient
from minicnn.kernels.cuda.running import batch_norm_update_and_invert
from minicnn.kernels.cuda.softmax import softmax, softmax_gradient

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
