"""More functions of each element: roots, trigonometry, logarithms, the error function."""

import math

from minicnn.autograd import Function
from minicnn.device import array_module


class Rsqrt(Function):
    """1 / sqrt(x)."""

    def forward(self, x):
        self.out = 1 / array_module(x).sqrt(x)
        return self.out

    def backward(self, grad):
        return -0.5 * grad * self.out**3


class Reciprocal(Function):
    """1 / x."""

    def forward(self, x):
        self.out = array_module(x).reciprocal(x)
        return self.out

    def backward(self, grad):
        return -grad * self.out * self.out


class Log1p(Function):
    """log(1 + x), without the loss of digits near 0."""

    def forward(self, x):
        self.x = x
        return array_module(x).log1p(x)

    def backward(self, grad):
        return grad / (1 + self.x)


class Expm1(Function):
    """exp(x) - 1, without the loss of digits near 0."""

    def forward(self, x):
        self.out = array_module(x).expm1(x)
        return self.out

    def backward(self, grad):
        return grad * (self.out + 1)


class Exp2(Function):
    """2 ** x."""

    def forward(self, x):
        self.out = array_module(x).exp2(x)
        return self.out

    def backward(self, grad):
        return grad * self.out * math.log(2)


class Log2(Function):
    """The logarithm to base 2."""

    def forward(self, x):
        self.x = x
        return array_module(x).log2(x)

    def backward(self, grad):
        return grad / (self.x * math.log(2))


class Log10(Function):
    """The logarithm to base 10."""

    def forward(self, x):
        self.x = x
        return array_module(x).log10(x)

    def backward(self, grad):
        return grad / (self.x * math.log(10))


class Sin(Function):
    """The sine."""

    def forward(self, x):
        self.x = x
        return array_module(x).sin(x)

    def backward(self, grad):
        return grad * array_module(grad).cos(self.x)


class Cos(Function):
    """The cosine."""

    def forward(self, x):
        self.x = x
        return array_module(x).cos(x)

    def backward(self, grad):
        return -grad * array_module(grad).sin(self.x)


class Tan(Function):
    """The tangent."""

    def forward(self, x):
        self.out = array_module(x).tan(x)
        return self.out

    def backward(self, grad):
        return grad * (1 + self.out * self.out)


class Asin(Function):
    """The angle whose sine is x."""

    def forward(self, x):
        self.x = x
        return array_module(x).arcsin(x)

    def backward(self, grad):
        return grad / array_module(grad).sqrt(1 - self.x * self.x)


class Acos(Function):
    """The angle whose cosine is x."""

    def forward(self, x):
        self.x = x
        return array_module(x).arccos(x)

    def backward(self, grad):
        return -grad / array_module(grad).sqrt(1 - self.x * self.x)


class Atan(Function):
    """The angle whose tangent is x."""

    def forward(self, x):
        self.x = x
        return array_module(x).arctan(x)

    def backward(self, grad):
        return grad / (1 + self.x * self.x)


class Atan2(Function):
    """The angle of the point (x, y), from y and x."""

    def forward(self, y, x):
        self.y, self.x = y, x
        return array_module(x).arctan2(y, x)

    def backward(self, grad):
        scaled = grad / (self.x * self.x + self.y * self.y)
        return scaled * self.x, -scaled * self.y


class Sinh(Function):
    """The hyperbolic sine."""

    def forward(self, x):
        self.x = x
        return array_module(x).sinh(x)

    def backward(self, grad):
        return grad * array_module(grad).cosh(self.x)


class Cosh(Function):
    """The hyperbolic cosine."""

    def forward(self, x):
        self.x = x
        return array_module(x).cosh(x)

    def backward(self, grad):
        return grad * array_module(grad).sinh(self.x)


class Round(Function):
    """x made a whole number by "floor", "ceil", "trunc" or "rint": gradient 0."""

    def forward(self, x, how):
        return x.copy() if x.dtype.kind in "iu" else getattr(array_module(x), how)(x)

    def backward(self, grad):
        return array_module(grad).zeros_like(grad)


class Sign(Function):
    """1, 0 or -1: gradient 0. As in PyTorch, nan has the sign 0."""

    def forward(self, x):
        return (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype)

    def backward(self, grad):
        return array_module(grad).zeros_like(grad)


class Remainder(Function):
    """x - y floor(x / y), of y's sign; or ("fmod") with trunc for floor, of x's sign."""

    def forward(self, x, y, how="remainder"):
        xp = array_module(x)
        self.quotient = getattr(xp, "floor" if how == "remainder" else "trunc")(xp.true_divide(x, y))
        return getattr(xp, how)(x, y)

    def backward(self, grad):
        return grad, -grad * self.quotient if self.needs[1] else None


class WholeDivide(Function):
    """x / y made a whole number by "floor" or "trunc": gradient 0, or none at all where `smooth` is False."""

    def forward(self, x, y, how="floor", smooth=True):
        self.smooth, xp = smooth, array_module(x)
        floor = xp.floor_divide(x, y)
        if how == "floor":
            return floor
        if floor.dtype.kind in "iu":
            return floor + ((xp.remainder(x, y) != 0) & (xp.less(x, 0) != xp.less(y, 0)))
        return xp.trunc(xp.true_divide(x, y))

    def backward(self, grad):
        if not self.smooth:
            raise RuntimeError('floor_divide: it has no gradient; div(..., rounding_mode="floor") has zeros')
        return array_module(grad).zeros_like(grad), array_module(grad).zeros_like(grad)
