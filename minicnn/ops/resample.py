"""Resampling: each cell of the result takes one of x, or blends its neighbours. For up to three last axes.

The places are arrays of NumPy's on every device; a GPU's kernels keep copies of those they meet.
"""

import math

import numpy as np

from minicnn.autograd import Function
from minicnn.device import kernels_for


class Pick(Function):
    """x at the places `indices` of its last axes, one array of ints for each."""

    def forward(self, x, indices):
        counts = [len(index) for index in indices]
        self.shape, self.steps = x.shape, steps(x.shape, indices, counts, np.arange)
        out = x
        for view, down, across in self.steps:
            out = kernels_for(x).pick(out.reshape(view), down, across)
        return out.reshape(*x.shape[: x.ndim - len(indices)], *counts)

    def backward(self, grad):
        for view, down, across in reversed(self.steps):
            grad = grad.reshape(view[0], len(down), len(across))
            grad = kernels_for(grad).pick_gradient(grad, down, across, view[1:])
        return grad.reshape(self.shape)


class Blend(Function):
    """(1 - share) x[low] + share x[high] along each of the last axes.

    `axes` has a triple for each: arrays of ints low and high, and share, how far from the one to the other.
    """

    def forward(self, x, axes):
        def still(n):
            return np.arange(n), np.arange(n), np.zeros(n, x.dtype)

        counts = [len(low) for low, _, _ in axes]
        self.shape, self.steps = x.shape, steps(x.shape, axes, counts, still)
        out = x
        for view, down, across in self.steps:
            out = kernels_for(x).blend(out.reshape(view), down, across)
        return out.reshape(*x.shape[: x.ndim - len(axes)], *counts)

    def backward(self, grad):
        for view, down, across in reversed(self.steps):
            grad = grad.reshape(view[0], len(down[0]), len(across[0]))
            grad = kernels_for(grad).blend_gradient(grad, down, across, view[1:])
        return grad.reshape(self.shape)


def steps(shape, axes, counts, still):
    """The last axes by twos: triples of a shape (planes, H, W) to see x in, and what to do down and across.

    `counts` says how many cells the result has along each; `still(n)` is what to do to keep an axis of n.
    """
    planes, sizes = math.prod(shape[: len(shape) - len(axes)]), shape[len(shape) - len(axes) :]
    if len(axes) == 1:
        return [((planes, 1, sizes[0]), still(1), axes[0])]
    out = []
    if len(axes) == 3:
        rest = sizes[1] * sizes[2]
        out.append(((planes, sizes[0], rest), axes[0], still(rest)))
        planes *= counts[0]
    return [*out, ((planes, *sizes[-2:]), *axes[-2:])]
