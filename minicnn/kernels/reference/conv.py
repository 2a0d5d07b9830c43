"""Convolution as its definition: every product, one at a time.

y[n, o, oh, ow] = bias[o] + sum over c, kh, kw of  x[n, c, oh*SH + kh*DH - PT, ow*SW + kw*DW - PL] * weight[o,
c, kh, kw]

with x taken as 0 outside, and c running over the C/G channels of the filter's group. The two gradients run
over the same products: each one passes y's gradient back to both of its factors.
"""

from collections.abc import Iterator

import numpy as np

from minicnn.kernels.geometry import Window
from minicnn.kernels.reference.activation import activated

__all__ = [
    "conv2d", "conv2d_bias_gradient", "conv2d_input_gradient", "conv2d_parameter_gradients",
    "conv2d_weight_gradient",
]  # fmt: skip


def products(
    x_shape: tuple, weight_shape: tuple, window: Window, groups: int
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """The places in y, x and weight of every product."""
    N, C, H, W = x_shape
    O, CG, KH, KW = weight_shape  # CG = C/G channels a group
    _, _, SH, SW, PT, PL, DH, DW = window.numbers()
    OH, OW = window.output_size(H, W)
    for n, o, oh, ow in np.ndindex(N, O, OH, OW):
        first = o // (O // groups) * CG  # the group's first channel
        for c, kh, kw in np.ndindex(CG, KH, KW):
            h, w = oh * SH + kh * DH - PT, ow * SW + kw * DW - PL
            if 0 <= h < H and 0 <= w < W:
                yield (n, o, oh, ow), (n, first + c, h, w), (o, c, kh, kw)


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    window: Window,
    groups: int,
    activation: str = "",
) -> np.ndarray:
    """y (N, O, OH, OW) from x (N, C, H, W), weight (O, C/G, KH, KW) and bias (O) or None.

    Then its activation, if one is named: "relu", "tanh" or "sigmoid".
    """
    y = np.zeros((len(x), len(weight), *window.output_size(*x.shape[2:])), x.dtype)
    for at_y, at_x, at_weight in products(x.shape, weight.shape, window, groups):
        y[at_y] += x[at_x] * weight[at_weight]
    return activated(y if bias is None else y + bias[:, None, None], activation)


def conv2d_input_gradient(
    dy: np.ndarray, weight: np.ndarray, x_shape: tuple[int, ...], window: Window, groups: int
) -> np.ndarray:
    """dx (N, C, H, W) from dy (N, O, OH, OW)."""
    dx = np.zeros(x_shape, dy.dtype)
    for at_y, at_x, at_weight in products(x_shape, weight.shape, window, groups):
        dx[at_x] += dy[at_y] * weight[at_weight]
    return dx


def conv2d_weight_gradient(dy: np.ndarray, x: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """dweight (O, C/G, KH, KW) from dy (N, O, OH, OW) and x (N, C, H, W)."""
    dweight = np.zeros((dy.shape[1], x.shape[1] // groups, *window.kernel), dy.dtype)
    for at_y, at_x, at_weight in products(x.shape, dweight.shape, window, groups):
        dweight[at_weight] += dy[at_y] * x[at_x]
    return dweight


def conv2d_bias_gradient(dy: np.ndarray) -> np.ndarray:
    """dbias (O) from dy (N, O, OH, OW): a bias is added to every pixel of its channel."""
    dbias = np.zeros(dy.shape[1], dy.dtype)
    for at in np.ndindex(dy.shape):
        dbias[at[1]] += dy[at]
    return dbias


def conv2d_parameter_gradients(
    dy: np.ndarray, x: np.ndarray, window: Window, groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """dweight (O, C/G, KH, KW) and dbias (O)."""
    return conv2d_weight_gradient(dy, x, window, groups), conv2d_bias_gradient(dy)
