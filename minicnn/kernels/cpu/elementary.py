"""exp, tanh, erf and their like, for loops that run in vectors.

The C library's functions take one number at a time. These are for float32: a few multiplications and
additions without a branch, of which LLVM makes vectors. float64 gets the C library's all the same, and with
them all its digits.

Each rests on a polynomial, or on a quotient of two, whose largest relative error is as small as can be: at
most half a unit in the last place (ulp). With the rounding on the way, the largest errors against float64 are

    exp 2 ulp, expm1 2, log 3, log1p 3, tanh 6, erf 3, sigmoid 3, softplus 4

(tests/test_elementary.py). NaN, infinities, overflow, and numbers too small for all of float32's digits come
out as they should.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from minicnn.kernels.cpu.jit import INNER, inner
from minicnn.kernels.cpu.simd import BYTES, define

# Not reassociated: what is added, to round, and then taken away must not cancel before.
EXACT: dict[str, Any] = {"fastmath": {"contract"}, "forceinline": True}
inlined: Any = partial(inner, **EXACT)


def whole_registers():
    """Called in a kernel: let LLVM fill its registers, though it spares those of 512 bits by itself.

    It is compiled apart from its callers then, which might not ask for that.
    """


def emit_whole_registers(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    set.add(builder.function.attributes, f'"prefer-vector-width"="{BYTES * 8}"')  # `add` knows no such ones
    builder.function.attributes.add("noinline")
    return context.get_dummy_value()


define(whole_registers, lambda: types.none, emit_whole_registers)


def single(double: Callable) -> Callable:
    """The decorated function is for float32; float64 gets `double`."""

    def decorate(function: Callable) -> Callable:
        def either(x: Any) -> Any:
            return function(x) if isinstance(x, np.float32) else double(x)

        @overload(either, jit_options=INNER | EXACT)
        def choose(x):
            return function if x == types.float32 else lambda x: double(x)

        return either

    return decorate


def constants(*numbers: float) -> tuple[np.float32, ...]:
    """Numbers as float32; a Python float would make float64 of a whole formula."""
    return tuple(np.float32(number) for number in numbers)


ZERO, HALF, ONE, INFINITY = constants(0, 0.5, 1, math.inf)


@inlined
def polynomial(x, coefficients):
    """Its value at x, for coefficients from the highest power down."""
    y = coefficients[0]
    for c in coefficients[1:]:
        y = y * x + c
    return y


@inlined
def within(x, low, high):
    """x, but at least low and at most high; NaN stays NaN."""
    return low if x < low else (high if x > high else x)


# exp: with x = n 2 log(2) + r and a whole number n, e ** x is (2 ** n) ** 2 times e ** r, and |r| <= log(2).

ROUNDER = np.float32(1.5 * 2**23 + 127)  # a sum with it has no bits for a fraction; its lowest are n + 127
STEPS, STEP, STEP_REST = constants(0.5 / math.log(2), 355 / 256, 2 * math.log(2) - 355 / 256)
EXP_LOW, EXP_HIGH = constants(-104, 89)  # beyond, it is 0 or infinite
EXPM1_BY_R = constants(
    1.984097896e-4, 1.40973637e-3, 8.334448068e-3, 4.166170314e-2, 1.666664005e-1, 5.000002927e-1, 1.000000008
)


@inlined
def reduced(x):
    """2 ** n, and e ** r - 1."""
    x = within(x, EXP_LOW, EXP_HIGH)
    sum = np.float32(x * STEPS + ROUNDER)
    n = sum - ROUNDER
    r = x - n * STEP - n * STEP_REST  # log(2) in two pieces, of which the first has few bits
    power = np.int32(sum.view(np.int32) << np.int32(23)).view(np.float32)  # n + 127 is its exponent
    return power, polynomial(r, EXPM1_BY_R) * r


@single(math.exp)
def exp(x):
    """e ** x; the two factors 2 ** n are in range where their product may not be."""
    power, more = reduced(x)
    return (more + ONE) * power * power


@single(math.expm1)
def expm1(x):
    """e ** x - 1 = 2 ** n (2 ** n (e ** r - 1) + (2 ** n - 2 ** -n)), which keeps its digits near 0."""
    power, more = reduced(x)
    return (more * power + (power - ONE / power)) * power


# log

NATURAL_LOG_2 = np.float32(math.log(2))
LOG1P_TOP = constants(3.417280395e-3, 2.38157467e-1, 1.066218355, 9.999999991e-1)
LOG1P_BOTTOM = constants(7.528726263e-2, 6.879361729e-1, 1.566218225, 1)


@single(math.log1p)
def log1p(x):
    """log(1 + x) for x from 0 to 1."""
    return x * (polynomial(x, LOG1P_TOP) / polynomial(x, LOG1P_BOTTOM))


@single(math.log)
def log(x):
    """The natural logarithm of x >= 1: of 2 ** n, and of the rest, from 1 to 2."""
    bits = np.float32(x).view(np.int32)
    n = (bits >> np.int32(23)) - np.int32(127)
    rest = np.int32(bits - (n << np.int32(23))).view(np.float32)
    return np.float32(n) * NATURAL_LOG_2 + log1p(rest - ONE) if x < INFINITY else x


# tanh, erf: odd functions, so x times one of x*x.

TANH_HIGH = np.float32(9.01)  # from here on it rounds to 1
TANH_TOP = constants(1.333677879e-8, 2.059622966e-5, 3.494808683e-3, 1.338036954e-1, 9.999999404e-1)
TANH_BOTTOM = constants(7.769256172e-7, 3.284358518e-4, 2.587401867e-2, 4.671368301e-1, 1)
NEAR = np.float32(7 / 8)
ERF_BY_X = constants(
    -6.203290827e-4, 5.032189159e-3, -2.679146930e-2, 1.128245555e-1, -3.761255050e-1, 1.128379158
)
TAIL_HIGH = np.float32(9.8)  # from here on exp(-x*x) is 0
TAIL_TOP = constants(3.253083702e-2, 2.279519225e-1, 7.289447769e-1, 1.235869326, 1.000000005)
TAIL_BOTTOM = constants(5.765866361e-2, 4.040619374e-1, 1.320404476, 2.396705257, 2.364249041, 1)


@single(math.tanh)
def tanh(x):
    """The hyperbolic tangent."""
    x = within(x, -TANH_HIGH, TANH_HIGH)
    return within(x * (polynomial(x * x, TANH_TOP) / polynomial(x * x, TANH_BOTTOM)), -ONE, ONE)


@inlined
def tail(x):
    """exp(x*x) (1 - erf(x)) for x >= 0."""
    x = TAIL_HIGH if x > TAIL_HIGH else x
    return polynomial(x, TAIL_TOP) / polynomial(x, TAIL_BOTTOM)


@single(math.erf)
def erf(x):
    """The error function: near 0 a polynomial, and from there on 1 - exp(-x*x) tail(x)."""
    far = ONE - exp(-x * x) * tail(abs(x))
    near = x * polynomial(x * x, ERF_BY_X)
    return near if abs(x) < NEAR else (-far if x < 0 else far)


# The normal distribution, of which beyond |x| there is exp(-x*x / 2) tail(|x| / sqrt(2)) / 2; and GELU.

BEYOND_HIGH = np.float32(13.28)  # from here on exp(-x*x / 2) is 0
BEYOND_TOP = constants(*(0.5 * float(c) * 0.5 ** ((4 - i) / 2) for i, c in enumerate(TAIL_TOP)))
BEYOND_BOTTOM = constants(*(float(c) * 0.5 ** ((5 - i) / 2) for i, c in enumerate(TAIL_BOTTOM)))
BEYOND_STEPS, BEYOND_STEP, BEYOND_REST = constants(-0.5 / math.log(2), 355 / 512, math.log(2) - 355 / 512)
EXP_BY_R = constants(1.3888889e-3, 8.3333333e-3, 4.1666667e-2, 1.6666667e-1, 0.5, 1, 1)


@inlined
def beyond(x):
    """How much of the normal distribution is beyond |x|; and exp(-x*x / 2), 0 for less than 2 ** -126."""
    x = abs(x)
    x = BEYOND_HIGH if x > BEYOND_HIGH else x
    square = x * x
    sum = np.float32(square * BEYOND_STEPS + ROUNDER)
    n = sum - ROUNDER
    r = -HALF * square - n * BEYOND_STEP - n * BEYOND_REST
    power = np.int32(sum.view(np.int32) << np.int32(23)).view(np.float32)
    e = polynomial(r, EXP_BY_R) * power
    return e * (polynomial(x, BEYOND_TOP) / polynomial(x, BEYOND_BOTTOM)), e


@inlined
def normal_in_double(x):
    return (1 + math.erf(x * math.sqrt(0.5))) * 0.5, math.exp(-0.5 * x * x)


@single(normal_in_double)
def normal(x):
    """How much of the normal distribution is below x, (1 + erf(x / sqrt(2))) / 2; and exp(-x*x / 2)."""
    rest, e = beyond(x)
    return (rest if x < 0 else ONE - rest), e


@inlined
def gelu_in_double(x):
    return x * normal_in_double(x)[0]


@single(gelu_in_double)
def gelu(x):
    """x times how much of the normal distribution is below x."""
    return (x if x > 0 else ZERO * x) - abs(within(x, -BEYOND_HIGH, BEYOND_HIGH)) * beyond(x)[0]


# in either precision


@inlined
def sigmoid(x):
    """1 / (1 + exp(-x)), from exp(-|x|), which does not overflow."""
    one, e = type(x)(1), exp(-abs(x))
    return (e if x < 0 else one) / (one + e)


@inlined
def softplus(x):
    """log(1 + exp(x)), in the same way."""
    return log1p(exp(-abs(x))) + (type(x)(0) if x < 0 else x)
