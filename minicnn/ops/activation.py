"""Nonlinearities of each element on its own; each keeps its input x and derives by it."""

import math

from minicnn.autograd import Function
from minicnn.device import array_module, special_module


def sigmoid(x):
    """1 / (1 + exp(-x)), from exp(-|x|), which does not overflow."""
    xp = array_module(x)
    e = xp.exp(-abs(x))
    return xp.where(x >= 0, 1, e) / (1 + e)


def softplus(x):
    """log(1 + exp(x)), without overflow."""
    xp = array_module(x)
    return xp.log1p(xp.exp(-abs(x))) + xp.maximum(x, 0)


class HardTanh(Function):
    """x limited to [low, high]; the gradient passes strictly inside."""

    def forward(self, x, low, high):
        self.x, self.low, self.high = x, x.dtype.type(low), x.dtype.type(high)
        return array_module(x).clip(x, self.low, self.high)

    def backward(self, grad):
        return grad * ((self.x > self.low) & (self.x < self.high))


class LeakyReLU(Function):
    """x where it is positive, else slope x."""

    def forward(self, x, slope):
        self.x, self.slope = x, slope
        return array_module(x).where(x > 0, x, x * slope)

    def backward(self, grad):
        return array_module(grad).where(self.x > 0, grad, grad * self.slope)


class PReLU(Function):
    """x where it is positive, else weight x, for a weight that is learned and broadcasts to x."""

    def forward(self, x, weight):
        self.x, self.weight = x, weight
        return array_module(x).where(x > 0, x, x * weight)

    def backward(self, grad):
        where, positive = array_module(grad).where, self.x > 0
        by_x = where(positive, grad, grad * self.weight) if self.needs[0] else None
        return by_x, where(positive, 0, grad * self.x) if self.needs[1] else None


class ELU(Function):
    """scale x where x is positive, else scale alpha (exp(rate x) - 1)."""

    def forward(self, x, alpha=1.0, scale=1.0, rate=1.0):
        xp = array_module(x)
        self.x, self.numbers = x, (alpha, scale, rate)
        return xp.where(x > 0, x * scale, xp.expm1(x * rate) * (alpha * scale))

    def backward(self, grad):
        xp = array_module(grad)
        alpha, scale, rate = self.numbers
        return grad * xp.where(self.x > 0, scale, xp.exp(self.x * rate) * (alpha * scale * rate))


class SiLU(Function):
    """x sigmoid(x), also called swish."""

    def forward(self, x):
        self.x, self.gate = x, sigmoid(x)
        return x * self.gate

    def backward(self, grad):
        return grad * (self.gate * (1 + self.x * (1 - self.gate)))


class Mish(Function):
    """x tanh(log(1 + exp(x)))."""

    def forward(self, x):
        self.x, self.gate = x, array_module(x).tanh(softplus(x))
        return x * self.gate

    def backward(self, grad):
        return grad * (self.gate + self.x * sigmoid(self.x) * (1 - self.gate * self.gate))


class GELU(Function):
    """x times the probability that a standard normal number is smaller."""

    def forward(self, x):
        self.x, self.share = x, (special_module(x).erf(x * math.sqrt(0.5)) + 1) * 0.5
        return x * self.share

    def backward(self, grad):
        density = array_module(grad).exp(self.x * self.x * -0.5) * (1 / math.sqrt(2 * math.pi))
        return grad * (self.share + self.x * density)


class TanhGELU(Function):
    """GELU by the approximation x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2."""

    def forward(self, x):
        self.x = x
        self.tanh = array_module(x).tanh((x + x * x * x * 0.044715) * math.sqrt(2 / math.pi))
        return x * (1 + self.tanh) * 0.5

    def backward(self, grad):
        slope = (1 + self.x * self.x * (3 * 0.044715)) * math.sqrt(2 / math.pi)
        return grad * (0.5 * (1 + self.tanh) * (1 + self.x * (1 - self.tanh) * slope))


class HardSwish(Function):
    """x min(max(x + 3, 0), 6) / 6."""

    def forward(self, x):
        self.x = x
        return x * array_module(x).clip(x + 3, 0, 6) / 6

    def backward(self, grad):
        where = array_module(grad).where
        return where(self.x <= -3, 0, where(self.x < 3, grad * (self.x / 3 + 0.5), grad))


class HardSigmoid(Function):
    """min(max(x + 3, 0), 6) / 6. Its slope has float32's digits in float64 too, as PyTorch's has."""

    slope = float.fromhex("0x1.555556p-3")

    def forward(self, x):
        self.inside = (x > -3) & (x < 3)
        return array_module(x).clip(x + 3, 0, 6) / 6

    def backward(self, grad):
        return array_module(grad).where(self.inside, grad * self.slope, 0)


class Softplus(Function):
    """log(1 + exp(beta x)) / beta, and x itself where beta x is above the threshold."""

    def forward(self, x, beta, threshold):
        self.scaled = x * beta
        self.straight = self.scaled > threshold
        return array_module(x).where(self.straight, x, softplus(self.scaled) / beta)

    def backward(self, grad):
        return array_module(grad).where(self.straight, grad, grad * sigmoid(self.scaled))


class LogSigmoid(Function):
    """The logarithm of sigmoid(x)."""

    def forward(self, x):
        self.x = x
        return -softplus(-x)

    def backward(self, grad):
        return grad * sigmoid(-self.x)


class Threshold(Function):
    """x where it is above the threshold, else a value."""

    def forward(self, x, threshold, value):
        self.below = x <= threshold
        return array_module(x).where(self.below, x.dtype.type(value), x)

    def backward(self, grad):
        return array_module(grad).where(self.below, 0, grad)


class Shrink(Function):
    """0 where |x| is at most `width`, else x, moved by `shift` towards 0."""

    def forward(self, x, width, shift):
        xp = array_module(x)
        self.outside = abs(x) > width
        return xp.where(abs(x) <= width, 0, x - xp.sign(x) * x.dtype.type(shift))

    def backward(self, grad):
        return grad * self.outside
