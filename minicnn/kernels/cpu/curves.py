"""Activations with curves: loops over exp and its kin (elementary.py), a function's and then its slope's.

Each goes through some of the numbers: FUNCTION(x, y, ...) and FUNCTION_gradient(dy, kept, dx, ...).
"""

import math

from minicnn.kernels.cpu import elementary
from minicnn.kernels.cpu.elementary import exp, expm1, inlined, whole_registers
from minicnn.kernels.cpu.jit import kernel

DENSITY = 1 / math.sqrt(2 * math.pi)  # of the normal distribution, at 0
BEND = 0.044715  # of GELU's approximation


@kernel
def exponential(x, y, begin, end):
    whole_registers()
    x, y = x[begin:end], y[begin:end]
    for i in range(x.size):
        y[i] = exp(x[i])


@kernel
def exponential_gradient(dy, y, dx, begin, end):
    dy, y, dx = dy[begin:end], y[begin:end], dx[begin:end]
    for i in range(y.size):
        dx[i] = dy[i] * y[i]


@kernel
def tanh(x, y, begin, end):
    whole_registers()
    x, y = x[begin:end], y[begin:end]
    for i in range(x.size):
        y[i] = elementary.tanh(x[i])


@kernel
def tanh_gradient(dy, y, dx, begin, end):
    dy, y, dx = dy[begin:end], y[begin:end], dx[begin:end]
    one = y.dtype.type(1)
    for i in range(y.size):
        dx[i] = dy[i] * (one - y[i] * y[i])


@kernel
def sigmoid(x, y, begin, end):
    whole_registers()
    x, y = x[begin:end], y[begin:end]
    for i in range(x.size):
        y[i] = elementary.sigmoid(x[i])


@kernel
def sigmoid_gradient(dy, y, dx, begin, end):
    dy, y, dx = dy[begin:end], y[begin:end], dx[begin:end]
    one = y.dtype.type(1)
    for i in range(y.size):
        dx[i] = dy[i] * (y[i] * (one - y[i]))


@kernel
def erf(x, y, begin, end):
    whole_registers()
    x, y = x[begin:end], y[begin:end]
    for i in range(x.size):
        y[i] = elementary.erf(x[i])


@kernel
def erf_gradient(dy, x, dx, begin, end):
    whole_registers()
    dy, x, dx = dy[begin:end], x[begin:end], dx[begin:end]
    scale = x.dtype.type(2 / math.sqrt(math.pi))
    for i in range(x.size):
        dx[i] = dy[i] * (scale * exp(-x[i] * x[i]))


@kernel
def gelu(x, y, begin, end):
    whole_registers()
    x, y = x[begin:end], y[begin:end]
    for i in range(x.size):
        y[i] = elementary.gelu(x[i])


@kernel
def gelu_gradient(dy, x, dx, begin, end):
    whole_registers()
    dy, x, dx = dy[begin:end], x[begin:end], dx[begin:end]
    density = x.dtype.type(DENSITY)
    for i in range(x.size):
        share, e = elementary.normal(x[i])
        dx[i] = dy[i] * (share + x[i] * (density * e))


@inlined
def bent(x):
    """The tanh of gelu_tanh."""
    return elementary.tanh((x + type(x)(BEND) * x * x * x) * type(x)(2 * DENSITY))


@kernel
def gelu_tanh(x, y, begin, end):
    whole_registers()
    x, y = x[begin:end], y[begin:end]
    half, one = x.dtype.type(0.5), x.dtype.type(1)
    for i in range(x.size):
        y[i] = x[i] * half * (one + bent(x[i]))


@kernel
def gelu_tanh_gradient(dy, x, dx, begin, end):
    whole_registers()
    dy, x, dx = dy[begin:end], x[begin:end], dx[begin:end]
    half, one = x.dtype.type(0.5), x.dtype.type(1)
    linear, cubic = x.dtype.type(2 * DENSITY), x.dtype.type(6 * DENSITY * BEND)
    for i in range(x.size):
        t = bent(x[i])
        slope = (linear + cubic * x[i] * x[i]) * (one - t)
        dx[i] = dy[i] * (half * (one + t) * (one + x[i] * slope))


@kernel
def silu(x, y, begin, end):
    whole_registers()
    x, y = x[begin:end], y[begin:end]
    for i in range(x.size):
        y[i] = x[i] * elementary.sigmoid(x[i])


@kernel
def silu_gradient(dy, x, dx, begin, end):
    whole_registers()
    dy, x, dx = dy[begin:end], x[begin:end], dx[begin:end]
    one = x.dtype.type(1)
    for i in range(x.size):
        share = elementary.sigmoid(x[i])
        dx[i] = dy[i] * (share * (one + x[i] * (one - share)))


@inlined
def mish_gate(x):
    """tanh(log(1 + exp(x))), by exp(-|x|) alone."""
    one, two, e = type(x)(1), type(x)(2), exp(-abs(x))
    part, rest = (e * (e + two), two) if x < 0 else (one + two * e, two * e * e)
    return part / (part + rest)


@kernel
def mish(x, y, begin, end):
    whole_registers()
    x, y = x[begin:end], y[begin:end]
    for i in range(x.size):
        y[i] = x[i] * mish_gate(x[i])


@kernel
def mish_gradient(dy, x, dx, begin, end):
    whole_registers()
    dy, x, dx = dy[begin:end], x[begin:end], dx[begin:end]
    one = x.dtype.type(1)
    for i in range(x.size):
        gate = mish_gate(x[i])
        dx[i] = dy[i] * (gate + x[i] * elementary.sigmoid(x[i]) * (one - gate * gate))


@kernel
def elu(x, y, alpha, scale, rate, begin, end):
    whole_registers()
    x, y = x[begin:end], y[begin:end]
    zero, below = x.dtype.type(0), alpha * scale
    for i in range(x.size):
        y[i] = x[i] * scale if x[i] > zero else expm1(x[i] * rate) * below


@kernel
def elu_gradient(dy, x, dx, alpha, scale, rate, begin, end):
    whole_registers()
    dy, x, dx = dy[begin:end], x[begin:end], dx[begin:end]
    zero, below = x.dtype.type(0), alpha * scale * rate
    for i in range(x.size):
        dx[i] = dy[i] * (scale if x[i] > zero else exp(x[i] * rate) * below)


@kernel
def softplus(x, y, beta, threshold, begin, end):
    whole_registers()
    x, y = x[begin:end], y[begin:end]
    for i in range(x.size):
        scaled = x[i] * beta
        y[i] = x[i] if scaled > threshold else elementary.softplus(scaled) / beta


@kernel
def softplus_gradient(dy, x, dx, beta, threshold, begin, end):
    whole_registers()
    dy, x, dx = dy[begin:end], x[begin:end], dx[begin:end]
    one = x.dtype.type(1)
    for i in range(x.size):
        scaled = x[i] * beta
        dx[i] = dy[i] * (one if scaled > threshold else elementary.sigmoid(scaled))


@kernel
def log_sigmoid(x, y, begin, end):
    whole_registers()
    x, y = x[begin:end], y[begin:end]
    for i in range(x.size):
        y[i] = -elementary.softplus(-x[i])


@kernel
def log_sigmoid_gradient(dy, x, dx, begin, end):
    whole_registers()
    dy, x, dx = dy[begin:end], x[begin:end], dx[begin:end]
    for i in range(x.size):
        dx[i] = dy[i] * elementary.sigmoid(-x[i])
