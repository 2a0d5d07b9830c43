"""Two-dimensional convolution: the checks, and the one rule for its gradients."""

from functools import lru_cache

import numpy as np

from minicnn.autograd import Function
from minicnn.device import kernels_for
from minicnn.kernels.geometry import Window
from minicnn.ops.activation import gradient_of_result

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))  # what kernels compute in


class Conv2d(Function):
    """Cross-correlation of x (N, C, H, W) with weight (O, C/G, KH, KW), plus bias (O); perhaps activated."""

    def forward(self, x, weight, bias, window: Window, groups: int = 1, activation: str = ""):
        check_conv2d(x, weight, bias, window, groups)
        self.window, self.groups, self.shape = window, groups, x.shape
        self.x = x if self.needs[1] else None
        self.weight = weight if self.needs[0] else None
        self.activation, out = activation, kernels_for(x).conv2d(x, weight, bias, window, groups, activation)
        self.y = out if activation else None
        return out

    def backward(self, grad):
        grad = gradient_of_result(self.activation, grad, self.y)
        kernels, by_x, by_weight, by_bias = kernels_for(grad), None, None, None
        if self.needs[0]:
            by_x = kernels.conv2d_input_gradient(grad, self.weight, self.shape, self.window, self.groups)
        if self.needs[1] and self.needs[2]:
            how = self.window, self.groups
            by_weight, by_bias = kernels.conv2d_parameter_gradients(grad, self.x, *how)
        elif self.needs[1]:
            by_weight = kernels.conv2d_weight_gradient(grad, self.x, self.window, self.groups)
        elif self.needs[2]:
            by_bias = kernels.conv2d_bias_gradient(grad)
        return by_x, by_weight, by_bias


def check_conv2d(x, weight, bias, window, groups):
    """Raise RuntimeError unless the shapes and dtypes fit together."""
    if x.ndim != 4 or weight.ndim != 4:
        raise RuntimeError(
            f"conv2d: expected x (N, C, H, W) and weight (O, C/G, KH, KW), got {x.shape} and {weight.shape}"
        )
    check_dtypes("conv2d", x, weight, bias)
    if not weight.shape[1]:
        raise RuntimeError(
            f"conv2d: expected at least one channel, got x {x.shape} and weight {weight.shape}"
        )
    if x.shape[1] != weight.shape[1] * groups:
        expected = f"{weight.shape[1]}" if groups == 1 else f"{weight.shape[1]} x {groups} groups"
        raise RuntimeError(
            f"conv2d: x has {x.shape[1]} channels {x.shape} but weight expects {expected} {weight.shape}"
        )
    if weight.shape[0] % groups or not weight.shape[0]:
        raise RuntimeError(f"conv2d: the filters {weight.shape} do not divide into {groups} groups")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise RuntimeError(f"conv2d: expected a bias of shape {weight.shape[:1]}, got {bias.shape}")
    if not fits(window, *x.shape[2:]):
        raise RuntimeError(
            f"conv2d: the kernel spans {window.extent()} but the padded picture has only "
            f"{window.padded_size(*x.shape[2:])} (x {x.shape}, weight {weight.shape})"
        )


@lru_cache(64)
def fits(window, height, width):
    """Whether there is a place for the window on a picture of this size."""
    return min(window.output_size(height, width)) >= 1


class ConvTranspose2d(Function):
    """The transpose of Conv2d's map from x to y, applied to x (N, C, H, W), plus bias (O).

    Its weight (C, O/G, KH, KW) is that of the convolution which leads from (N, O, OH, OW) back to x's shape;
    so its forward is that one's input gradient, and the other way round.
    """

    def forward(self, x, weight, bias, window: Window, size: tuple[int, int], groups: int = 1):
        check_conv_transpose2d(x, weight, bias, groups)
        if min(size) < 1:
            raise RuntimeError(f"conv_transpose2d: the result would have the size {size} (x {x.shape})")
        self.window, self.groups = window, groups
        self.x = x if self.needs[1] else None
        self.weight = weight if self.needs[0] else None
        shape = (len(x), weight.shape[1] * groups, *size)
        out = kernels_for(x).conv2d_input_gradient(x, weight, shape, window, groups)
        if bias is not None:
            out += bias[:, None, None]
        return out

    def backward(self, grad):
        kernels, by_x, by_weight, by_bias = kernels_for(grad), None, None, None
        if self.needs[0]:
            by_x = kernels.conv2d(grad, self.weight, None, self.window, self.groups)
        if self.needs[1]:
            by_weight = kernels.conv2d_weight_gradient(self.x, grad, self.window, self.groups)
        if self.needs[2]:
            by_bias = kernels.conv2d_bias_gradient(grad)
        return by_x, by_weight, by_bias


def check_conv_transpose2d(x, weight, bias, groups):
    """Raise RuntimeError unless the shapes and dtypes fit together."""
    check_dtypes("conv_transpose2d", x, weight, bias)
    if x.shape[1] != len(weight) or not weight.size or len(weight) % groups:
        raise RuntimeError(
            f"conv_transpose2d: x has {x.shape[1]} channels {x.shape} but weight expects {len(weight)} "
            f"{weight.shape} in {groups} groups"
        )
    if bias is not None and bias.shape != (weight.shape[1] * groups,):
        expected = (weight.shape[1] * groups,)
        raise RuntimeError(f"conv_transpose2d: expected a bias of shape {expected}, got {bias.shape}")


def check_dtypes(name, x, weight, bias):
    """Raise RuntimeError unless x, weight and bias are all float32 or all float64."""
    if x.dtype != weight.dtype or (bias is not None and bias.dtype != x.dtype):
        given = f"x is {x.dtype}, weight {weight.dtype}" + (
            f", bias {bias.dtype}" if bias is not None else ""
        )
        raise RuntimeError(f"{name}: expected one dtype, but {given}")
    if x.dtype not in FLOATS:
        raise RuntimeError(f"{name}: expected float32 or float64, got {x.dtype}")
