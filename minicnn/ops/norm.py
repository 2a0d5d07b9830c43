"""Normalisation: the checks, and the rules for the gradients (formulas: kernels/reference/norm.py)."""

import math

from minicnn.autograd import Function, note_write
from minicnn.device import check_same, kernels_for
from minicnn.ops.conv import FLOATS


class BatchNorm(Function):
    """Each channel of x (N, C, ...) with mean 0 and variance 1, times weight plus bias (C).

    `running` is None, or mean and var (C) and the number of batches () or None. With `batch`, the statistics
    are the batch's, and the running ones move towards them by `momentum`; else the running ones are used.
    """

    def forward(self, x, weight, bias, running=None, batch=True, momentum=0.1, eps=1e-5, name="batch_norm"):
        check_channels(name, x, weight, bias, *(running or ())[:2])
        self.shape, self.weight, self.constant = x.shape, weight, not batch
        x = x.reshape(*x.shape[:2], math.prod(x.shape[2:]))
        kernels = kernels_for(x)
        mean, var = kernels.batch_norm_statistics(x) if batch else running[:2]
        rstd = update_and_invert(mean, var, running if batch else None, momentum, eps, len(x) * x.shape[2])
        if any(self.needs):
            self.x, self.rstd = x, rstd
            self.mean = mean if batch else mean.copy()  # the running one moves on
        return kernels.batch_norm(x, weight, bias, mean, rstd).reshape(self.shape)

    def backward(self, grad):
        dx, dweight, dbias = kernels_for(grad).batch_norm_gradient(
            grad.reshape(self.x.shape), self.x, self.weight, self.mean, self.rstd, self.constant
        )
        return dx.reshape(self.shape), dweight, dbias


class OverGroups(Function):
    """What the norms over groups of channels of one sample share."""

    def normalise(self, x, view, weight, bias, groups, eps):
        """Normalise x, seen in the shape `view` (N, C, P)."""
        self.shape, self.per_channel = x.shape, None if weight is None else weight.shape
        weight, bias = (None if a is None else a.reshape(-1) for a in (weight, bias))
        x = x.reshape(view)
        y, mean, rstd = kernels_for(x).group_norm(x, weight, bias, groups, eps)
        if any(self.needs):
            self.x, self.weight, self.mean, self.rstd = x, weight, mean, rstd
        return y.reshape(self.shape)

    def backward(self, grad):
        dx, dweight, dbias = kernels_for(grad).group_norm_gradient(
            grad.reshape(self.x.shape), self.x, self.weight, self.mean, self.rstd
        )
        if self.per_channel is not None:
            dweight, dbias = dweight.reshape(self.per_channel), dbias.reshape(self.per_channel)
        return dx.reshape(self.shape), dweight, dbias


class GroupNorm(OverGroups):
    """Each group of channels of each sample of x (N, C, ...) with mean 0 and variance 1; weight, bias (C)."""

    def forward(self, x, weight, bias, groups, eps=1e-5):
        check_channels("group_norm", x, weight, bias)
        if x.shape[1] % groups:
            raise RuntimeError(
                f"group_norm: {x.shape[1]} channels {x.shape} do not divide into {groups} groups"
            )
        return self.normalise(x, (*x.shape[:2], math.prod(x.shape[2:])), weight, bias, groups, eps)


class InstanceNorm(OverGroups):
    """Each channel of each sample of x (N, C, ...) with mean 0 and variance 1; weight and bias (C).

    `running`, as in `BatchNorm`, move towards the samples' mean statistics by `momentum`.
    """

    def forward(self, x, weight, bias, running=None, momentum=0.1, eps=1e-5):
        check_channels("instance_norm", x, weight, bias, *(running or ())[:2])
        N, C = x.shape[:2]
        P = math.prod(x.shape[2:])
        if running is not None:
            pair = kernels_for(x).batch_norm_statistics(x.reshape(1, N * C, P))
            mean, var = (statistic.reshape(N, C).mean(axis=0) for statistic in pair)
            update_and_invert(mean, var, running, momentum, eps, P)
        return self.normalise(x, (N, C, P), weight, bias, C, eps)


class LayerNorm(OverGroups):
    """The last dimensions of x, of shape `shape`, with mean 0 and variance 1; weight and bias of it."""

    def forward(self, x, weight, bias, shape, eps=1e-5):
        check_floats("layer_norm", x, weight, bias)
        if not shape or x.shape[-len(shape) :] != shape:
            raise RuntimeError(f"layer_norm: expected x (..., {str(shape)[1:-1].rstrip(',')}), got {x.shape}")
        for role, values in (("weight", weight), ("bias", bias)):
            if values is not None and values.shape != shape:
                raise RuntimeError(f"layer_norm: expected a {role} of shape {shape}, got {values.shape}")
        features = math.prod(shape)
        rows = math.prod(x.shape[: x.ndim - len(shape)])
        return self.normalise(x, (rows, features, 1), weight, bias, 1, eps)


class LocalResponseNorm(Function):
    """x (k + alpha / size * sum of x*x over `size` neighbouring channels) ** -beta, for x (N, C, ...).

    Source: Krizhevsky et al., ImageNet classification with deep convolutional neural networks, 2012, 3.3;
    PyTorch's alpha is divided by the size.
    """

    def forward(self, x, size, alpha=1e-4, beta=0.75, k=1.0):
        check_floats("local_response_norm", x)
        if x.ndim < 3:
            raise ValueError(f"local_response_norm: expected x (N, C, ...) or (C, H, W), got {x.shape}")
        self.size, self.alpha, self.beta = size, alpha / size, beta
        base = k + self.alpha * neighbours(x * x, size // 2, (size - 1) // 2)
        factor = base**-beta
        if self.needs[0]:
            self.x, self.base, self.factor = x, base, factor
        return x * factor

    def backward(self, grad):
        inner = neighbours(grad * self.x * self.factor / self.base, (self.size - 1) // 2, self.size // 2)
        return grad * self.factor - 2 * self.alpha * self.beta * self.x * inner


def neighbours(x, before, after):
    """For each channel of x (N, C, ...), the sum over those from `before` before it to `after` after it."""
    C = x.shape[1]
    out = x.copy()
    for step in range(1, min(max(before, after), C - 1) + 1):
        if step <= before:
            out[:, step:] += x[:, : C - step]
        if step <= after:
            out[:, : C - step] += x[:, step:]
    return out


def update_and_invert(mean, var, running, momentum, eps, count):
    """rstd (C) from statistics of `count` numbers each; the running ones, if any, move, and know of it."""
    changed = running or (None, None, None)
    rstd = kernels_for(var).batch_norm_update_and_invert(mean, var, *changed, momentum, eps, count)
    for array in changed:
        if array is not None:
            note_write(array)
    return rstd


def check_floats(name, *arrays):
    """Raise RuntimeError unless all arrays are float32 or all float64."""
    dtypes = {a.dtype for a in arrays if a is not None}
    if len(dtypes) > 1 or arrays[0].dtype not in FLOATS:
        given = [str(a.dtype) for a in arrays if a is not None]
        raise RuntimeError(f"{name}: expected all float32 or all float64, got {given}")


def check_channels(name, x, *per_channel):
    """Raise RuntimeError unless x is (N, C, ...) and the others, weight, bias, mean, var, are None or (C)."""
    if x.ndim < 2:
        raise RuntimeError(f"{name}: expected x (N, C, ...) of at least 2 dimensions, got {x.shape}")
    channels = x.shape[1:2]
    for i, values in enumerate(per_channel):
        if values is not None and type(values) is not type(x):
            check_same(name, ("x", ("weight", "bias", "running_mean", "running_var")[i]), (x, values))
        if values is not None and values.shape != channels:
            role = ("weight", "bias", "running_mean", "running_var")[i]
            raise RuntimeError(
                f"{name}: x has {x.shape[1]} channels {x.shape} but {role} has the shape {values.shape}"
            )
    check_floats(name, x, *per_channel)
