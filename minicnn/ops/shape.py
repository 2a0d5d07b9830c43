"""The same numbers in another arrangement: reshaping, permuting, expanding, indexing, joining."""

import numpy as np

from minicnn.autograd import Function
from minicnn.device import array_module, device_of, kernels_for, move
from minicnn.ops.order import add_at


class Reshape(Function):
    """The same elements, row by row, in another shape."""

    def forward(self, x, shape):
        self.shape = x.shape
        return x.reshape(shape)

    def backward(self, grad):
        return grad.reshape(self.shape)


class Permute(Function):
    """The axes in another order."""

    def forward(self, x, axes):
        self.axes = axes
        return x.transpose(axes)

    def backward(self, grad):
        return grad.transpose([self.axes.index(i) for i in range(len(self.axes))])


class Expand(Function):
    """The same elements, repeated along new axes and axes of size 1; the engine sums the gradient back."""

    def forward(self, x, shape):
        return x if x.shape == tuple(shape) else array_module(x).broadcast_to(x, shape)

    def backward(self, grad):
        return grad


class Slice(Function):
    """x[index] for integers, slices, ... and None: a view."""

    def forward(self, x, index):
        self.like, self.index = (x.shape, x.dtype), index
        return x[index]

    def backward(self, grad):
        out = array_module(grad).zeros(*self.like)
        out[self.index] = grad
        return out


class Diagonal(Function):
    """The elements i, i + offset of two axes, along a new last axis: a view."""

    def forward(self, x, how):
        self.like, self.how = (x.shape, x.dtype), how
        out = x.diagonal(*how)
        if type(out) is np.ndarray:
            out.flags.writeable = x.flags.writeable  # NumPy's is not
        return out

    def backward(self, grad):
        out = array_module(grad).zeros(*self.like)
        self.forward(out, self.how)[...] = grad
        return out


class Gather(Function):
    """x[view][index], where the index has arrays. An element taken twice gets both gradients."""

    def forward(self, x, index, view=...):
        self.like, self.view, self.index = (x.shape, x.dtype), view, index
        return x[view][index]

    def backward(self, grad):
        out = array_module(grad).zeros(*self.like)
        add_at(out[self.view], self.index, grad)
        return out


class Put(Function):
    """A copy of x with x[view][index] = value."""

    def forward(self, x, value, view, index):
        self.view, self.index = view, index
        out = x.copy()
        out[view][index] = value
        return out

    def backward(self, grad):
        by_x = None
        if self.needs[0]:
            by_x = grad.copy()
            by_x[self.view][self.index] = 0
        return by_x, grad[self.view][self.index] if self.needs[1] else None


class PutView(Function):
    """A copy of x in which what ``view.forward(x, how)`` shows of it has other values."""

    def forward(self, x, value, view, how):
        self.show = lambda array: view().forward(array, how)
        out = array_module(x).ascontiguousarray(x).copy()
        self.show(out)[...] = value
        return out

    def backward(self, grad):
        by_x = None
        if self.needs[0]:
            by_x = grad.copy()
            self.show(by_x)[...] = 0
        return by_x, self.show(grad) if self.needs[1] else None


class Concatenate(Function):
    """Arrays one after the other along an axis."""

    def forward(self, arrays, axis):
        self.axis = axis
        if any(self.needs):
            self.sizes = [x.shape[axis] for x in arrays]
        return kernels_for(arrays[0]).concatenate(arrays, axis)

    def backward(self, grad):
        ends = [sum(self.sizes[: i + 1]) for i in range(len(self.sizes) - 1)]
        return tuple(array_module(grad).split(grad, ends, axis=self.axis))


class Stack(Function):
    """Arrays of one shape along a new axis."""

    def forward(self, arrays, axis):
        self.axis, new = axis, (*(slice(None),) * axis, None)
        return kernels_for(arrays[0]).concatenate([x[new] for x in arrays], axis)

    def backward(self, grad):
        return tuple(array_module(grad).moveaxis(grad, self.axis, 0))


class Move(Function):
    """The same values in the memory of another device."""

    def forward(self, x, to):
        self.home = device_of(x)
        return move(x, to)

    def backward(self, grad):
        return move(grad, self.home)


class Copy(Function):
    """The same values in memory of their own."""

    def forward(self, x):
        return x.copy()

    def backward(self, grad):
        return grad
