"""Sums, means and extremes over dimensions. `axis` is a tuple of non-negative ints, None for all."""

import math

from minicnn.autograd import Function
from minicnn.device import array_module


def spread(reduced, shape, axis, keepdim):
    """A reduced array, seen in the shape it was reduced from."""
    if not keepdim:
        axes = range(len(shape)) if axis is None else axis
        reduced = reduced.reshape([1 if i in axes else n for i, n in enumerate(shape)])
    return array_module(reduced).broadcast_to(reduced, shape)


class Sum(Function):
    """The sum over axes."""

    def forward(self, x, axis=None, keepdim=False):
        self.shape, self.axis, self.keepdim = x.shape, axis, keepdim
        return array_module(x).add.reduce(x, axis, x.dtype, None, keepdim)

    def backward(self, grad):
        return spread(grad, self.shape, self.axis, self.keepdim)


class Mean(Function):
    """The mean over axes."""

    def forward(self, x, axis=None, keepdim=False):
        self.shape, self.axis, self.keepdim = x.shape, axis, keepdim
        self.count = math.prod(x.shape if axis is None else [x.shape[i] for i in axis])
        total = array_module(x).add.reduce(x, axis=axis, keepdims=keepdim)
        return total / x.dtype.type(self.count)  # of nothing: nan, as in PyTorch

    def backward(self, grad):
        return spread(grad / self.count, self.shape, self.axis, self.keepdim)


class Var(Function):
    """The variance over axes, divided by count - correction (Bessel's is 1)."""

    def forward(self, x, axis=None, correction=1, keepdim=False):
        self.axis, self.keepdim = axis, keepdim
        count = math.prod(x.shape if axis is None else [x.shape[i] for i in axis])
        self.freedom = x.dtype.type(max(count - correction, 0))
        self.centred = x - x.sum(axis=axis, keepdims=True) / x.dtype.type(count)
        return (self.centred * self.centred).sum(axis=axis, keepdims=keepdim) / self.freedom

    def backward(self, grad):
        return spread(grad, self.centred.shape, self.axis, self.keepdim) * (2 / self.freedom) * self.centred


class Std(Var):
    """The standard deviation: the square root of the variance, with gradient 0 where it is 0."""

    def forward(self, x, axis=None, correction=1, keepdim=False):
        self.out = array_module(x).sqrt(super().forward(x, axis, correction, keepdim))
        return self.out

    def backward(self, grad):
        return super().backward(array_module(grad).where(self.out == 0, 0, grad / (2 * self.out)))


class Extreme(Function):
    """The largest or smallest value over axes; equal ones share the gradient in equal parts."""

    def forward(self, x, axis=None, keepdim=False, largest=True):
        self.x, self.axis, self.keepdim = x, axis, keepdim
        self.out = (x.max if largest else x.min)(axis=axis, keepdims=True)
        return self.out if keepdim else self.out.squeeze(axis=axis)

    def backward(self, grad):
        is_it = self.x == self.out
        share = is_it / is_it.sum(axis=self.axis, keepdims=True).astype(grad.dtype)
        return spread(grad, self.x.shape, self.axis, self.keepdim) * share


class Softmax(Function):
    """exp(x) / sum(exp(x)) along one axis."""

    def forward(self, x, axis):
        e = array_module(x).exp(x - x.max(axis=axis, keepdims=True, initial=-math.inf))
        e /= e.sum(axis=axis, keepdims=True)
        self.axis, self.out = axis, e
        return e

    def backward(self, grad):
        weighted = grad * self.out
        return weighted - self.out * weighted.sum(axis=self.axis, keepdims=True)


class LogSoftmax(Function):
    """x - log(sum(exp(x))) along one axis."""

    def forward(self, x, axis):
        xp = array_module(x)
        x = x - x.max(axis=axis, keepdims=True, initial=-math.inf)
        self.axis, self.out = axis, x - xp.log(xp.exp(x).sum(axis=axis, keepdims=True))
        return self.out

    def backward(self, grad):
        return grad - array_module(grad).exp(self.out) * grad.sum(axis=self.axis, keepdims=True)
