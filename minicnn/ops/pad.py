"""Padding: other numbers around."""

from minicnn.autograd import Function
from minicnn.device import array_module


class Pad(Function):
    """x with `value` around it; `widths` has (before, after) for each axis, negative to cut cells off."""

    def forward(self, x, widths, value=0.0):
        if any(n + before + after < 0 for n, (before, after) in zip(x.shape, widths, strict=True)):
            raise RuntimeError(f"pad: {widths} would leave less than nothing of x {x.shape}")
        shape = [n + before + after for n, (before, after) in zip(x.shape, widths, strict=True)]
        self.shape = x.shape
        self.inside = tuple(slice(max(b, 0), n - max(a, 0)) for n, (b, a) in zip(shape, widths, strict=True))
        self.kept = tuple(
            slice(max(-b, 0), n - max(-a, 0)) for n, (b, a) in zip(x.shape, widths, strict=True)
        )
        out = array_module(x).full(shape, value, dtype=x.dtype)
        out[self.inside] = x[self.kept]
        return out

    def backward(self, grad):
        out = array_module(grad).zeros(self.shape, grad.dtype)
        out[self.kept] = grad[self.inside]
        return out
