"""What fused steps do: several operations in one Function, forward and back (fusion.py says where)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minicnn import ops
from minicnn.autograd import Function
from minicnn.device import array_module, kernels_for, telling
from minicnn.ops.conv import FLOATS
from minicnn.ops.norm import update_and_invert

Limits = tuple[float, float]  # low and high; NaN is none (kernels/cpu/normalise.py)
FREE: Limits = (math.nan, math.nan)
RELU: Limits = (0.0, math.nan)


def again(function: Callable, *arguments: Any) -> Any:
    """What NumPy computes, of which a recording knows then (kernels/cpu/graph.py)."""
    return telling("cpu.graph").again(function, *arguments)


def finished(y: Any, other: Any, limits: Limits) -> Any:
    """y (N, C, ...), which nobody else has, plus another value, within limits; in its memory."""
    y = np.ascontiguousarray(y)
    return telling("cpu").normalise.limit(y, other, limits, y)


class FusedBatchNorm(Function):
    """Batch normalisation, perhaps plus another value, perhaps within limits: relu(norm(x) + other).

    Forward and back are one pass over memory each. The gradient behind the limits is computed once, for the
    normalisation and for the other value; where it passed, y tells, or x where nothing was added.
    """

    def forward(
        self, x: Any, weight: Any, bias: Any, other: Any = None, limits: Limits | None = None, **settings: Any
    ) -> Any:
        kernels, running = telling("cpu").normalise, settings["running"]
        self.weight, self.limits = weight, limits or FREE
        self.constant = not settings["batch"]
        arrays = x, other, weight, bias
        if self.constant:
            mean, var = running[:2]
            mean = again(np.copy, mean) if any(self.needs) else mean  # the running one moves on
            rstd = update_and_invert(mean, var, None, None, settings["eps"], 0)
            y = kernels.normalise(*arrays, mean, rstd, self.limits)
        else:
            y, mean, var, rstd = kernels.normalise_batch(*arrays, settings["eps"], self.limits)
            if running is not None:
                count = x.size // max(len(mean), 1)
                update_and_invert(mean, var, running, settings["momentum"], settings["eps"], count)
        if any(self.needs):
            self.x, self.mean, self.rstd = x, mean, rstd
            self.bias = bias if limits and other is None else None
            self.y = y if limits and other is not None else None
        return y

    def backward(self, grad: Any) -> Any:
        kept = self.x, self.weight, self.bias, self.mean, self.rstd, self.constant, self.limits
        return telling("cpu").normalise.gradients(grad, self.y, *kept)


class FusedAdd(Function):
    """The sum of two values of one shape within limits: relu(x + y)."""

    def forward(self, x: Any, y: Any, limits: Limits) -> Any:
        if x.dtype not in FLOATS:
            low, high = (None if math.isnan(limit) else x.dtype.type(limit) for limit in limits)
            return (x + y).clip(low, high)
        self.limits, self.out = limits, telling("cpu").normalise.limit(x, y, limits)
        return self.out

    def backward(self, grad: Any) -> Any:
        kernels = telling("cpu")
        if self.limits[1] != self.limits[1]:
            shared = kernels.relu_gradient(grad, self.out)
        else:
            shared = kernels.activation_gradient("hardtanh", grad, self.out, self.limits)
        return shared, shared


class FoldedConv2d(Function):
    """A convolution and the batch normalisation of its result with constant statistics.

    (w x + b - mean) gamma / sqrt(var + eps) + beta is a convolution with another weight and bias. They are
    computed at each call, so that they are those of the parameters of now. What follows, another value added
    and limits, is done in the result's memory.
    """

    def forward(  # the convolution's arguments, those of the normalisation, what is added
        self, x: Any, weight: Any, bias: Any, gamma: Any, beta: Any, other: Any = None, **settings: Any
    ) -> Any:
        (mean, var, *_), limits = settings["running"], settings.get("limits")
        weight, shift = again(folded, weight, bias, gamma, beta, mean, var, x.dtype.type(settings["eps"]))
        how = settings["window"], settings["groups"], settings.get("activation", "")
        y = kernels_for(x).conv2d(x, weight, shift, *how)
        return y if other is None and not limits else finished(y, other, limits or FREE)


def folded(weight: Any, bias: Any, gamma: Any, beta: Any, mean: Any, var: Any, eps: Any) -> tuple[Any, Any]:
    """The weight (O, C, KH, KW) and bias (O) of a convolution with a normalisation after it."""
    scale = 1 / array_module(weight).sqrt(var + eps)
    if gamma is not None:
        scale = scale * gamma
    shift = -mean if bias is None else bias - mean
    shift = shift * scale if beta is None else shift * scale + beta
    return weight * scale[:, None, None, None], shift


class ScaledChannels(Function):
    """x (N, C, H, W) times sigmoid(scale), for scale (N, C, 1, 1): how squeeze-and-excitation ends."""

    def forward(self, scale: Any, x: Any) -> Any:
        kernels, (N, C, *size) = telling("cpu"), x.shape
        lines, share = x.reshape(1, N * C, *size), kernels.activate("sigmoid", scale).reshape(N * C)
        zeros, ones = np.zeros_like(share), np.ones_like(share)
        return kernels.normalise.normalise(lines, None, share, None, zeros, ones).reshape(x.shape)


class PooledConv2d(Function):
    """A convolution and the max pooling of its result, whose arguments are the convolution's and a window.

    Pooling passes each gradient on to one place, so the bias's gradient is the sum over the pooled result.
    """

    def forward(self, x: Any, weight: Any, bias: Any, pool: Any, **settings: Any) -> Any:
        self.convolution = ops.Conv2d()
        self.convolution.needs = (*self.needs[:2], None)
        wide = self.convolution.forward(x, weight, bias, **settings)
        self.shape = wide.shape
        out, self.index = kernels_for(x).max_pool2d(wide, pool)
        return out

    def backward(self, grad: Any) -> Any:
        kernels = kernels_for(grad)
        by_bias = kernels.conv2d_bias_gradient(grad) if self.needs[2] else None
        wide = kernels.max_pool2d_gradient(grad, self.index, self.shape)
        return *self.convolution.backward(wide)[:2], by_bias

    def _check_kept(self) -> None:
        self.convolution.time = self.time
        self.convolution._check_kept()


class Dense(Function):
    """A linear layer and an activation, whose arguments are the first's; all gradients at once.

    In evaluation another value may be added, before the activation (tokens.py).
    """

    def forward(self, x: Any, weight: Any, bias: Any = None, other: Any = None, activation: str = "") -> Any:
        self.shape, self.activation = x.shape, activation
        rows = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
        self.x = rows if self.needs[1] else None
        self.weight = weight if self.needs[0] else None
        more = None if other is None else other.reshape(len(rows), len(weight))
        out = telling("cpu").linear_plus(rows, weight, bias, more, activation)
        self.y = out if activation else None
        return out if x.ndim == 2 else out.reshape(*x.shape[:-1], len(weight))

    def backward(self, grad: Any) -> Any:
        rows = grad if grad.ndim == 2 else grad.reshape(-1, grad.shape[-1])
        gradients = telling("cpu").linear_gradients(rows, self.y, self.x, self.weight, self.activation)
        if gradients[0] is None or grad.ndim == 2:
            return gradients
        return gradients[0].reshape(self.shape), *gradients[1:]
