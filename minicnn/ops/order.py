"""Elements along one axis: picked, put, added up, multiplied, turned round."""

import numpy as np

from minicnn.autograd import Function
from minicnn.device import array_module
from minicnn.ops.reduce import largest

SMALLEST = 2.0**-1074  # positive float64


def places(index, axis):
    """The index of an element x[..., index[..., k, ...], ...] in every axis, to read or to write at once."""
    xp = array_module(index)
    own = [xp.arange(n).reshape(-1, *[1] * (index.ndim - 1 - i)) for i, n in enumerate(index.shape)]
    return (*own[:axis], index, *own[axis + 1 :]) if index.ndim else ()


def add_at(out, index, values):
    """Add values to places of `out`; a place that comes twice gets both.

    A GPU adds them by atomic operations, in whatever order. Those are there for some dtypes only; what wraps
    round does so in unsigned integers alike.
    """
    xp = array_module(out)
    if type(index) is tuple and not index:
        out += values
    elif xp is np:
        xp.add.at(out, index, values)
    elif out.dtype.kind == "f":
        add_in_any_order(out, index, values)
    elif out.dtype == np.int64:
        xp.add.at(out.view(np.uint64), index, values.view(np.uint64))
    else:
        wide = xp.zeros(out.shape, np.uint32)
        xp.add.at(wide, index, values.astype(np.uint32))
        out += wide.astype(out.dtype)


def add_in_any_order(out, index, values):
    """Add values to places of `out` with the same sums, bit for bit, whatever the order.

    The sums of whole numbers are the same. So values are counted in units that let no sum come to 2**62, and
    what is left of them in units as much smaller; what is not finite is added as it is.
    """
    xp, bits = array_module(out), values.size.bit_length()
    if not values.size:
        return
    known, zero = xp.isfinite(values), out.dtype.type(0)
    xp.add.at(out, index, xp.where(known, zero, values))
    rest, total = xp.where(known, values, zero).astype(np.float64), xp.zeros(out.shape)
    exponent = xp.ceil(xp.log2(xp.maximum(xp.abs(rest).max(), SMALLEST))) + (bits - 61)
    for _ in range(2):
        unit = xp.maximum(xp.exp2(exponent), SMALLEST)
        count, whole = xp.zeros(out.shape, np.int64), xp.rint(rest / unit)
        xp.add.at(count.view(np.uint64), index, whole.astype(np.int64).view(np.uint64))
        rest, total = rest - whole * unit, total + count * unit
        exponent = exponent + (bits - 61)
    out += total.astype(out.dtype)


class Along(Function):
    """x at an index array's places along an axis, as torch.gather. `distinct`: none is picked twice."""

    def forward(self, x, index, axis, distinct=False):
        self.like, self.distinct = (x.shape, x.dtype), distinct
        self.places = places(index.copy(), axis)
        return x[self.places].reshape(index.shape)

    def backward(self, grad):
        out = array_module(grad).zeros(*self.like)
        if self.distinct:
            out[self.places] = grad
        else:
            add_at(out, self.places, grad)
        return out, None


class AddAt(Function):
    """A copy of x with `value` added at places; a place that comes twice gets both."""

    def forward(self, x, value, index):
        self.index, out = index, x.copy()
        add_at(out, index, value)
        return out

    def backward(self, grad):
        return grad, grad[self.index] if self.needs[1] else None


class CumSum(Function):
    """The sums of the elements up to each one along an axis."""

    def forward(self, x, axis):
        self.axis = axis
        return array_module(x).cumsum(x, axis=axis, dtype=x.dtype)

    def backward(self, grad):
        xp = array_module(grad)
        return xp.flip(xp.cumsum(xp.flip(grad, self.axis), axis=self.axis), self.axis)


class CumProd(Function):
    """The products of the elements up to each one along an axis."""

    def forward(self, x, axis):
        self.x, self.axis = x, axis
        self.out = array_module(x).cumprod(x, axis=axis, dtype=x.dtype)
        return self.out

    def backward(self, grad):
        """d out_j / d x_k: the product of x_i, i <= j, i != k. Zeros allow no division: a pass for each k."""
        xp = array_module(grad)
        x, g = (xp.moveaxis(a, self.axis, 0) for a in (self.x, grad))
        by_x = xp.empty_like(x)
        before = xp.ones_like(x[:1])
        for k in range(len(x)):
            after = xp.cumprod(xp.concatenate([before, x[k + 1 :]]), axis=0)
            by_x[k] = (g[k:] * after).sum(axis=0)
            before = before * x[k]
        return xp.moveaxis(by_x, 0, self.axis)


class Prod(Function):
    """The product over one axis, or over all (None)."""

    def forward(self, x, axis=None, keepdim=False):
        self.x, self.axis, self.keepdim = x, axis, keepdim
        return x.prod(axis=axis, keepdims=keepdim, dtype=x.dtype)

    def backward(self, grad):
        """Each element's gradient is the product of all others: those before it times those after it."""
        xp, x = array_module(grad), self.x
        rows = x.reshape(-1) if self.axis is None else xp.moveaxis(x, self.axis, -1)
        one = xp.ones_like(rows[..., :1])
        before = xp.cumprod(xp.concatenate([one, rows[..., :-1]], axis=-1), axis=-1)
        after = xp.cumprod(xp.concatenate([one, rows[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
        others = before[..., : rows.shape[-1]] * after[..., : rows.shape[-1]]
        if self.axis is None:
            return grad * others.reshape(x.shape)
        others = xp.moveaxis(others, -1, self.axis)
        return (grad if self.keepdim else xp.expand_dims(grad, self.axis)) * others


class Flip(Function):
    """The elements in reverse order along axes, in new memory."""

    def forward(self, x, axes):
        self.axes = axes
        return array_module(x).flip(x, axes).copy()

    def backward(self, grad):
        return array_module(grad).flip(grad, self.axes)


class Norm(Function):
    """(sum |x| ** p) ** (1 / p) over axes; for p = inf and -inf the largest and smallest |x|."""

    def forward(self, x, p=2.0, axis=None, keepdim=False):
        xp = array_module(x)
        self.x, self.p, self.axis, self.keepdim, size = x, p, axis, keepdim, abs(x)
        if p in (float("inf"), -float("inf")):
            self.out = (size.max if p > 0 else size.min)(axis=axis, keepdims=True)
        elif p == 0:
            self.out = (x != 0).sum(axis=axis, keepdims=True).astype(x.dtype)
        elif p == 1:
            self.out = size.sum(axis=axis, keepdims=True)
        elif p == 2:
            self.out = xp.sqrt((x * x).sum(axis=axis, keepdims=True))
        else:
            self.out = (size**p).sum(axis=axis, keepdims=True) ** (1 / p)
        return self.out if keepdim else self.out.squeeze(axis=axis)

    def backward(self, grad):
        """Where the norm is 0, or its formula would divide by 0, the gradient is 0."""
        xp, x, p, out = array_module(grad), self.x, self.p, self.out
        if not self.keepdim:
            grad = grad.reshape(out.shape)
        if p == 0:
            return xp.zeros_like(x)
        if p == 1:
            return grad * xp.sign(x)
        if p in (float("inf"), -float("inf")):
            is_it = abs(x) == out
            return grad * xp.sign(x) * is_it / is_it.sum(axis=self.axis, keepdims=True).astype(x.dtype)
        if p == 2:
            return xp.where(out == 0, 0, grad * x / out)
        by_x = grad * xp.sign(x) * abs(x) ** (p - 1) / out ** (p - 1)
        return xp.where((out == 0) | (x == 0), 0, by_x)


class LogSumExp(Function):
    """log(sum(exp(x))) over axes, without overflow."""

    def forward(self, x, axis, keepdim=False):
        xp = array_module(x)
        top = largest(x, range(x.ndim) if axis is None else axis)
        top = xp.where(xp.isinf(top), 0, top)
        self.x, self.keepdim = x, keepdim
        self.out = xp.log(xp.exp(x - top).sum(axis=axis, keepdims=True)) + top
        return self.out if keepdim else self.out.squeeze(axis=axis)

    def backward(self, grad):
        return grad.reshape(self.out.shape) * array_module(grad).exp(self.x - self.out)
