"""The definitions: plain Python loops, one number at a time. Slow, and the measure of every faster kernel."""

from minicnn.kernels.reference.activation import (
    activate,
    activation_gradient,
    prelu,
    prelu_gradient,
    relu,
    relu_gradient,
)
from minicnn.kernels.reference.adaptive import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_gradient,
    adaptive_max_pool2d,
)
from minicnn.kernels.reference.clip import euclidean_norm, scale
from minicnn.kernels.reference.conv import (
    conv2d,
    conv2d_bias_gradient,
    conv2d_input_gradient,
    conv2d_parameter_gradients,
    conv2d_weight_gradient,
)
from minicnn.kernels.reference.dropout import dropout, dropout_gradient
from minicnn.kernels.reference.grid import sample, sample_gradient, sample_place_gradient
from minicnn.kernels.reference.join import concatenate
from minicnn.kernels.reference.linear import (
    linear,
    linear_input_gradient,
    linear_parameter_gradients,
    linear_weight_gradient,
)
from minicnn.kernels.reference.loss import cross_entropy
from minicnn.kernels.reference.matmul import matmul
from minicnn.kernels.reference.norm import (
    batch_norm,
    batch_norm_gradient,
    batch_norm_statistics,
    group_norm,
    group_norm_gradient,
)
from minicnn.kernels.reference.optim import adagrad_step, adam_step, rmsprop_step, sgd_step
from minicnn.kernels.reference.pool import avg_pool2d, avg_pool2d_gradient, max_pool2d, max_pool2d_gradient
from minicnn.kernels.reference.resample import blend, blend_gradient, pick, pick_gradient
from minicnn.kernels.reference.running import batch_norm_update_and_invert
from minicnn.kernels.reference.softmax import softmax, softmax_gradient

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
