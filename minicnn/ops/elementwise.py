"""Arithmetic and functions of each element on its own. Inputs broadcast; the engine sums gradients back."""

from typing import Any

from minicnn.autograd import Function
from minicnn.device import array_module, kernels_for


class Add(Function):
    """x + y."""

    def forward(self, x, y):
        return x + y

    def backward(self, grad):
        return grad, grad


class Sub(Function):
    """x - y."""

    def forward(self, x, y):
        return x - y

    def backward(self, grad):
        return grad, -grad if self.needs[1] else None


class Mul(Function):
    """x y."""

    def forward(self, x, y):
        self.x = x if self.needs[1] else None
        self.y = y if self.needs[0] else None
        return x * y

    def backward(self, grad):
        return grad * self.y if self.needs[0] else None, grad * self.x if self.needs[1] else None


class Div(Function):
    """x / y."""

    def forward(self, x, y):
        self.y, out = y, x / y
        self.out = out if self.needs[1] else None
        return out

    def backward(self, grad):
        by_x = grad / self.y
        return by_x, -by_x * self.out if self.needs[1] else None


class Pow(Function):
    """x ** y."""

    def forward(self, x, y):
        self.x, self.y = x, y
        self.out = x**y
        return self.out

    def backward(self, grad):
        xp = array_module(grad)
        by_x = by_y = None
        if self.needs[0]:  # y = 0 has gradient 0, also where x ** -1 is infinite
            by_x = grad * (self.y * self.x ** (self.y - (self.y != 0)))
        if self.needs[1]:  # 0 ** y stays 0 for y > 0: gradient 0 rather than 0 * log 0
            zero = xp.equal(self.x, 0) & xp.greater_equal(self.y, 0)
            log = xp.log(xp.where(zero, 1, self.x)).astype(self.out.dtype)
            by_y = grad * xp.where(zero, 0, self.out * log)
        return by_x, by_y


class Neg(Function):
    """-x."""

    def forward(self, x):
        return -x

    def backward(self, grad):
        return -grad


class Abs(Function):
    """|x|, with gradient 0 at 0."""

    def forward(self, x):
        self.x = x
        return abs(x)

    def backward(self, grad):
        return grad * array_module(grad).sign(self.x)


class Exp(Function):
    """e ** x."""

    def forward(self, x):
        self.out = array_module(x).exp(x)
        return self.out

    def backward(self, grad):
        return grad * self.out


class Log(Function):
    """The natural logarithm."""

    def forward(self, x):
        self.x = x
        return array_module(x).log(x)

    def backward(self, grad):
        return grad / self.x


class Sqrt(Function):
    """The square root."""

    def forward(self, x):
        self.out = array_module(x).sqrt(x)
        return self.out

    def backward(self, grad):
        return grad / (2 * self.out)


class Tanh(Function):
    """The hyperbolic tangent."""

    def forward(self, x):
        self.out = array_module(x).tanh(x)
        return self.out

    def backward(self, grad):
        return kernels_for(grad).tanh_gradient(grad, self.out)


class Sigmoid(Function):
    """1 / (1 + exp(-x)), from exp(-|x|), which does not overflow."""

    def forward(self, x):
        xp = array_module(x)
        e = xp.exp(-abs(x))
        self.out = xp.where(x >= 0, 1, e) / (1 + e)
        return self.out

    def backward(self, grad):
        return grad * (self.out * (1 - self.out))


class ReLU(Function):
    """max(x, 0), with gradient 0 at 0."""

    def forward(self, x):
        self.out = kernels_for(x).relu(x)
        return self.out

    def backward(self, grad):
        return kernels_for(grad).relu_gradient(grad, self.out)


class Clamp(Function):
    """x limited to [low, high]; the gradient passes where x lies inside, borders included."""

    def forward(self, x, low: Any = None, high: Any = None):
        self.x, self.low, self.high = x, low, high
        return array_module(x).clip(x, low, high)

    def backward(self, grad):
        inside = array_module(grad).ones(self.x.shape, dtype=bool)
        if self.low is not None:
            inside &= self.x >= self.low
        if self.high is not None:
            inside &= self.x <= self.high
        return grad * inside


class Maximum(Function):
    """The larger of x and y; ties share the gradient in equal parts."""

    def forward(self, x, y):
        self.x, self.y = x, y
        return array_module(x).maximum(x, y)

    def backward(self, grad):
        share = 0.5 * ((self.x >= self.y).astype(grad.dtype) + (self.x > self.y))
        return grad * share, grad * (1 - share)


class Minimum(Function):
    """The smaller of x and y; ties share the gradient in equal parts."""

    def forward(self, x, y):
        self.x, self.y = x, y
        return array_module(x).minimum(x, y)

    def backward(self, grad):
        share = 0.5 * ((self.x <= self.y).astype(grad.dtype) + (self.x < self.y))
        return grad * share, grad * (1 - share)


class Where(Function):
    """x where the condition holds, else y."""

    def forward(self, condition, x, y):
        self.condition = condition
        return array_module(condition).where(condition, x, y)

    def backward(self, grad):
        return None, grad * self.condition, grad * ~self.condition


class Cast(Function):
    """The same values in another dtype."""

    def forward(self, x, dtype):
        self.dtype = x.dtype
        return x.astype(dtype)

    def backward(self, grad):
        return grad.astype(self.dtype)


class Mask(Function):
    """x times a constant mask, as dropout needs it."""

    def forward(self, x, mask):
        self.mask = mask
        return x * mask

    def backward(self, grad):
        return grad * self.mask
