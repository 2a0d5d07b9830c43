"""Nonlinearities of each element on its own (formulas: kernels/reference/activation.py)."""

import math

from minicnn.autograd import Function
from minicnn.device import array_module, is_array, kernels_for


def sigmoid(x):
    """1 / (1 + exp(-x)), without overflow."""
    return kernels_for(x).activate("sigmoid", x)


def softplus(x):
    """log(1 + exp(x)), without overflow."""
    return kernels_for(x).activate("softplus", x, (1.0, math.inf))


def gradient_of_result(name, grad, y):
    """The gradient before an activation that a layer has applied to its result, now y; "" is none."""
    if not name:
        return grad
    kernels = kernels_for(grad)
    return kernels.relu_gradient(grad, y) if name == "relu" else kernels.activation_gradient(name, grad, y)


class Activation(Function):
    """A function that is a kernel: its name there, and whether its gradient is found from the result."""

    kernel: str
    of_result = False

    def forward(self, x, *numbers):
        out = kernels_for(x).activate(self.kernel, x, numbers)
        self.kept, self.numbers = out if self.of_result else x, numbers
        return out

    def backward(self, grad):
        return kernels_for(grad).activation_gradient(self.kernel, grad, self.kept, self.numbers)


class OfResult(Activation):
    """One without settings whose gradient is found from the result."""

    of_result, numbers = True, ()

    def forward(self, x):
        self.kept = out = kernels_for(x).activate(self.kernel, x)
        return out


class Exp(OfResult):
    """e ** x."""

    kernel = "exp"


class Tanh(OfResult):
    """The hyperbolic tangent."""

    kernel = "tanh"


class Sigmoid(OfResult):
    """1 / (1 + exp(-x))."""

    kernel = "sigmoid"


class Erf(Activation):
    """The error function, 2 / sqrt(pi) times the integral of exp(-t t) from 0 to x."""

    kernel = "erf"


class HardTanh(Activation):
    """x limited to [low, high]; the gradient passes strictly inside."""

    kernel, of_result = "hardtanh", True

    def forward(self, x, low, high):
        if x.dtype.kind != "f":
            return array_module(x).clip(x, x.dtype.type(low), x.dtype.type(high))
        return super().forward(x, low, high)


class LeakyReLU(Activation):
    """x where it is positive, else slope x, for a number or for an array of them in the shape of x."""

    kernel = "leaky_relu"

    def forward(self, x, slope):
        if not is_array(slope):
            return super().forward(x, slope)
        self.slopes = array_module(x).where(x > 0, x.dtype.type(1), slope)
        return x * self.slopes

    def backward(self, grad):
        return grad * self.slopes if hasattr(self, "slopes") else super().backward(grad)


class PReLU(Function):
    """x where it is positive, else weight x: one weight for all, or (1, C, 1, ...) for x (N, C, ...)."""

    def forward(self, x, weight):
        N, C = x.shape[0] if x.ndim else 1, weight.size
        self.x = x.reshape(N, C, x.size // max(N * C, 1))
        self.weight, self.shapes = weight.reshape(-1), (x.shape, weight.shape)
        return kernels_for(x).prelu(self.x, self.weight).reshape(x.shape)

    def backward(self, grad):
        pair = kernels_for(grad).prelu_gradient(grad.reshape(self.x.shape), self.x, self.weight)
        return tuple(g.reshape(shape) for g, shape in zip(pair, self.shapes, strict=True))


class ELU(Activation):
    """scale x where x is positive, else scale alpha (exp(rate x) - 1)."""

    kernel = "elu"

    def forward(self, x, alpha=1.0, scale=1.0, rate=1.0):
        return super().forward(x, alpha, scale, rate)


class SiLU(Activation):
    """x sigmoid(x), also called swish."""

    kernel = "silu"


class Mish(Activation):
    """x tanh(log(1 + exp(x)))."""

    kernel = "mish"


class GELU(Activation):
    """x times the probability that a standard normal number is smaller."""

    kernel = "gelu"


class TanhGELU(Activation):
    """GELU by the approximation x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2."""

    kernel = "gelu_tanh"


class HardSwish(Activation):
    """x min(max(x + 3, 0), 6) / 6."""

    kernel = "hardswish"


class HardSigmoid(Activation):
    """min(max(x + 3, 0), 6) / 6."""

    kernel = "hardsigmoid"


class Softplus(Activation):
    """log(1 + exp(beta x)) / beta, and x itself where beta x is above the threshold."""

    kernel = "softplus"

    def forward(self, x, beta, threshold):
        return super().forward(x, beta, threshold)


class LogSigmoid(Activation):
    """The logarithm of sigmoid(x)."""

    kernel = "log_sigmoid"


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
