"""Sums, means and extremes over dimensions. `axis` is a tuple of non-negative ints, None for all.

`over` is a pair: axis, and whether the reduced axes are kept, with size 1.
"""

import math
from typing import Any

import numpy as np

from minicnn.autograd import Function
from minicnn.device import array_module, kernels_for

ALL = None, False
add_up: Any = np.add.reduce


def spread(reduced, shape, over):
    """A reduced array, seen in the shape it was reduced from."""
    axis, keepdim = over
    if not keepdim:
        axes = range(len(shape)) if axis is None else axis
        reduced = reduced.reshape([1 if i in axes else n for i, n in enumerate(shape)])
    return array_module(reduced).broadcast_to(reduced, shape)


def total(x, over):
    """The sum over axes; if one number is left it is an array, too, of which NumPy would make a number."""
    axis, keepdim = over
    if type(x) is not np.ndarray:
        return x.sum(axis=axis, dtype=x.dtype, keepdims=keepdim)
    alone = (axis is None or len(axis) == x.ndim) and not keepdim
    return add_up(x, axis, x.dtype, np.empty((), x.dtype) if alone else None, keepdim)


def largest(x, axes):
    """The largest along axes, which are kept; of nothing -inf."""
    if not x.ndim:
        return x
    if x.size:
        return x.max(axis=tuple(axes), keepdims=True)
    shape = [1 if i in axes else n for i, n in enumerate(x.shape)]
    return array_module(x).full(shape, -math.inf, x.dtype)


class Sum(Function):
    """The sum over axes."""

    def forward(self, x, over):
        self.shape, self.over = x.shape, over
        if over is ALL and type(x) is np.ndarray:
            return add_up(x, None, x.dtype, np.empty((), x.dtype))
        return total(x, over)

    def backward(self, grad):
        return spread(grad, self.shape, self.over)


class Mean(Function):
    """The mean over axes."""

    def forward(self, x, over):
        self.shape, self.over = x.shape, over
        out = total(x, over)
        self.count = x.size // out.size if out.size else 1
        return array_module(x).divide(out, self.count, out)  # of nothing: nan, as in PyTorch

    def backward(self, grad):
        return spread(grad / self.count, self.shape, self.over)


class Var(Function):
    """The variance over axes, divided by count - correction (Bessel's is 1)."""

    def forward(self, x, axis=None, correction=1, keepdim=False):
        self.over = axis, keepdim
        count = math.prod(x.shape if axis is None else [x.shape[i] for i in axis])
        self.freedom = x.dtype.type(max(count - correction, 0))
        self.centred = x - x.sum(axis=axis, keepdims=True) / x.dtype.type(count)
        return (self.centred * self.centred).sum(axis=axis, keepdims=keepdim) / self.freedom

    def backward(self, grad):
        return spread(grad, self.centred.shape, self.over) * (2 / self.freedom) * self.centred


class Std(Var):
    """The standard deviation: the square root of the variance, with gradient 0 where it is 0."""

    def forward(self, x, axis=None, correction=1, keepdim=False):
        self.out = array_module(x).sqrt(super().forward(x, axis, correction, keepdim))
        return self.out

    def backward(self, grad):
        return super().backward(array_module(grad).where(self.out == 0, 0, grad / (2 * self.out)))


class Extreme(Function):
    """The largest or smallest value over axes; equal ones share the gradient in equal parts.

    `how`: axis, whether to keep it, and whether the largest is wanted.
    """

    def forward(self, x, how):
        axis, keepdim, largest = how
        self.x, self.over = x, (axis, keepdim)
        self.out = (x.max if largest else x.min)(axis=axis, keepdims=True)
        return self.out if keepdim else self.out.squeeze(axis=axis)

    def backward(self, grad):
        is_it = self.x == self.out
        share = is_it / is_it.sum(axis=self.over[0], keepdims=True).astype(grad.dtype)
        return spread(grad, self.x.shape, self.over) * share


class Softmax(Function):
    """exp(x) / sum(exp(x)) along one axis."""

    log = False

    def forward(self, x, axis):
        K = x.shape[axis] if x.ndim else 1
        B = math.prod(x.shape[axis + 1 :]) if x.ndim else 1
        view = x.size // max(K * B, 1), K, B
        self.out = kernels_for(x).softmax(x.reshape(view), self.log)
        return self.out.reshape(x.shape)

    def backward(self, grad):
        kernels, grad_there = kernels_for(grad), grad.reshape(self.out.shape)
        return kernels.softmax_gradient(grad_there, self.out, self.log).reshape(grad.shape)


class LogSoftmax(Softmax):
    """x - log(sum(exp(x))) along one axis."""

    log = True
