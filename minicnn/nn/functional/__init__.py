"""Layers as functions, with PyTorch's names and arguments; `minicnn.nn` joins them to their parameters."""

from minicnn.nn.arguments import Size
from minicnn.nn.functional.activation import (
    celu,
    elu,
    gelu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    log_softmax,
    logsigmoid,
    mish,
    prelu,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softmin,
    softplus,
    softshrink,
    softsign,
    tanh,
    tanhshrink,
    threshold,
)
from minicnn.nn.functional.attention import (
    scaled_dot_product_attention,
)
from minicnn.nn.functional.conv import conv1d, conv2d, conv_padding, conv_transpose2d, one
from minicnn.nn.functional.dropout import (
    dropout,
    dropout1d,
    dropout2d,
    stochastic_depth,
)
from minicnn.nn.functional.embedding import (
    cosine_similarity,
    embedding,
    normalize,
    one_hot,
)
from minicnn.nn.functional.linear import linear
from minicnn.nn.functional.loss import cross_entropy, nll_loss
from minicnn.nn.functional.norm import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_contrast_norm,
    local_response_norm,
)
from minicnn.nn.functional.pointwise_loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    smooth_l1_loss,
)
from minicnn.nn.functional.pool import (
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool2d,
    max_pool2d,
    pool_window,
)
from minicnn.nn.functional.shape import (
    fold,
    interpolate,
    pad,
    pixel_shuffle,
    pixel_unshuffle,
    unfold,
    upsample,
)

__all__ = [
    "Size", "adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool2d", "batch_norm", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "celu", "conv1d", "conv2d", "conv_padding", "conv_transpose2d",
    "cosine_similarity", "cross_entropy", "dropout", "dropout1d", "dropout2d", "elu", "embedding", "fold",
    "gelu", "glu", "group_norm", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "huber_loss",
    "instance_norm", "interpolate", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "linear",
    "local_contrast_norm", "local_response_norm", "log_softmax", "logsigmoid", "max_pool2d", "mish",
    "mse_loss", "nll_loss", "normalize", "one", "one_hot", "pad", "pixel_shuffle", "pixel_unshuffle",
    "pool_window", "prelu", "relu", "relu6", "scaled_dot_product_attention", "selu", "sigmoid", "silu",
    "smooth_l1_loss", "softmax", "softmin", "softplus", "softshrink", "softsign", "stochastic_depth", "tanh",
    "tanhshrink", "threshold", "unfold", "upsample",
]  # fmt: skip
