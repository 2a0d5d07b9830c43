"""Layers as functions, with PyTorch's names and arguments; `minicnn.nn` joins them to their parameters."""

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
    rrelu,
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
from minicnn.nn.functional.conv import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from minicnn.nn.functional.distance import cosine_similarity, normalize, pairwise_distance
from minicnn.nn.functional.dropout import (
    dropout,
    dropout1d,
    dropout2d,
    stochastic_depth,
)
from minicnn.nn.functional.embedding import embedding, one_hot
from minicnn.nn.functional.grid import affine_grid, grid_sample
from minicnn.nn.functional.linear import linear
from minicnn.nn.functional.loss import cross_entropy, nll_loss
from minicnn.nn.functional.margin_loss import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
    triplet_margin_loss,
)
from minicnn.nn.functional.norm import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_contrast_norm,
    local_response_norm,
)
from minicnn.nn.functional.padding import pad
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
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    max_pool1d,
    max_pool2d,
)
from minicnn.nn.functional.shape import channel_shuffle, fold, pixel_shuffle, pixel_unshuffle, unfold
from minicnn.nn.functional.upsample import interpolate, upsample

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d", "affine_grid",
    "avg_pool1d", "avg_pool2d", "batch_norm", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "celu", "channel_shuffle", "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d",
    "cosine_embedding_loss", "cosine_similarity", "cross_entropy", "dropout", "dropout1d", "dropout2d", "elu",
    "embedding", "fold", "gelu", "glu", "grid_sample", "group_norm", "hardshrink", "hardsigmoid", "hardswish",
    "hardtanh", "hinge_embedding_loss", "huber_loss", "instance_norm", "interpolate", "kl_div", "l1_loss",
    "layer_norm", "leaky_relu", "linear", "local_contrast_norm", "local_response_norm", "log_softmax",
    "logsigmoid", "margin_ranking_loss", "max_pool1d", "max_pool2d", "mish", "mse_loss",
    "multilabel_soft_margin_loss", "nll_loss", "normalize", "one_hot", "pad", "pairwise_distance",
    "pixel_shuffle", "pixel_unshuffle", "prelu", "relu", "relu6", "rrelu", "scaled_dot_product_attention",
    "selu", "sigmoid", "silu", "smooth_l1_loss", "soft_margin_loss", "softmax", "softmin", "softplus",
    "softshrink", "softsign", "stochastic_depth", "tanh", "tanhshrink", "threshold", "triplet_margin_loss",
    "unfold", "upsample",
]  # fmt: skip
