"""exp, tanh, erf and their like, for loops that run in vectors.

The C library's functions take one number at a time. These are for float32: a few multiplications and
additions without a branch, of which LLVM makes vectors. float64 gets the C library's all the same, and with
them all its digits.

Each is a polynomial, or a quotient of two, whose largest relative error is as small as can be: below 2e-8, a
third of a unit in the last place (ulp). With the rounding on the way, the largest errors against float64 are

    exp 1 ulp, expm1 2, tanh 4, sigmoid 3, erf 4, softplus 3

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

from minicnn.kernels.cpu.jit import OPTIONS, jit

# Not reassociated: what is added, to round, and then taken away must not cancel before.
EXACT = {"fastmath": {"contract"}, "forceinline": True}
inlined = partial(jit, **EXACT)


def single(double: Callable) -> Callable:
    """The decorated function is for float32; float64 gets `double`."""

    def decorate(function: Callable) -> Callable:
        def either(x: Any) -> Any:
            return function(x) if isinstance(x, np.float32) else double(x)

        @overload(either, jit_options=OPTIONS | EXACT)
        def choose(x):  # type: ignore[no-untyped-def]
            return function if x == types.float32 else lambda x: double(x)

        return either

    return decorate


def constants(*numbers: float) -> tuple[np.float32, ...]:
    """Numbers as float32; a Python float would make float64 of a whole formula."""
    return tuple(np.float32(number) for number in numbers)


HALF, ONE, TWO = constants(0.5, 1, 2)


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


# exp: with x = n log(2) + r and a whole number n, e ** x is 2 ** n times e ** r, and r is at most log(2) / 2.

LOG2_E, LOG_2, LOG_2_REST = constants(1 / math.log(2), 355 / 512, math.log(2) - 355 / 512)
ROUNDER = np.float32(1.5 * 2**23)  # a sum with it has no bits left for a fraction, and its lowest are n
ROUNDER_BITS = ROUNDER.view(np.int32)
EXP_LOW, EXP_HIGH = constants(-104, 89)  # beyond, it is 0 or infinite
EXPM1_LOW = np.float32(-18)  # below, it is -1
EXPM1_BY_R = constants(
    1.388888142e-3, 8.369075727e-3, 4.166713629e-2, 1.666650616e-1, 4.999999812e-1, 1.000000011
)


@inlined
def power_of_2(n):
    """2 ** n for n from -126 to 127: a float32 has its exponent, plus 127, above the 23 bits of the fraction."""
    return np.int32((n + np.int32(127)) << np.int32(23)).view(np.float32)


@inlined
def reduced(x):
    """n, and e ** r - 1."""
    sum = np.float32(x * LOG2_E + ROUNDER)
    whole = sum - ROUNDER
    r = x - whole * LOG_2 - whole * LOG_2_REST  # log(2) in two pieces, of which the first has few bits
    return sum.view(np.int32) - ROUNDER_BITS, polynomial(r, EXPM1_BY_R) * r


@single(math.exp)
def exp(x):
    """e ** x. n goes from -150 to 128, so 2 ** n is made of two factors."""
    n, more = reduced(within(x, EXP_LOW, EXP_HIGH))
    half = n >> np.int32(1)
    return (more + ONE) * power_of_2(half) * power_of_2(n - half)


@single(math.expm1)
def expm1(x):
    """e ** x - 1 = 2 ** n (e ** r - 1) + (2 ** n - 1), which keeps its digits near 0; n may be 128."""
    n, more = reduced(within(x, EXPM1_LOW, EXP_HIGH))
    scale = power_of_2(n - np.int32(1))
    return more if n == 0 else (more * scale + (scale - HALF)) * TWO


# The others, from it

TANH_HIGH = np.float32(9.1)  # from here on it rounds to 1
LOG1P_TOP = constants(3.417280395e-3, 2.38157467e-1, 1.066218355, 9.999999991e-1)
LOG1P_BOTTOM = constants(7.528726263e-2, 6.879361729e-1, 1.566218225, 1)
ERF_BY_X = constants(  # of x*x, for |x| up to 7/8
    -6.203290827e-4, 5.032189159e-3, -2.679146930e-2, 1.128245555e-1, -3.761255050e-1, 1.128379158
)
SMALL, TAIL_HIGH = constants(7 / 8, 9.8)  # from the second on, exp(-x*x) is 0
TAIL_TOP = constants(3.253083702e-2, 2.279519225e-1, 7.289447769e-1, 1.235869326, 1.000000005)
TAIL_BOTTOM = constants(5.765866361e-2, 4.040619374e-1, 1.320404476, 2.396705257, 2.364249041, 1)


@single(math.tanh)
def tanh(x):
    """The hyperbolic tangent."""
    m = expm1(TWO * within(x, -TANH_HIGH, TANH_HIGH))
    return m / (m + TWO)


@single(math.log1p)
def log1p(x):
    """log(1 + x) for x from 0 to 1."""
    return x * (polynomial(x, LOG1P_TOP) / polynomial(x, LOG1P_BOTTOM))


@inlined
def tail(x):
    """exp(x*x) (1 - erf(x)) for x >= 0, where there is anything left after exp(-x*x)."""
    x = within(x, -TAIL_HIGH, TAIL_HIGH)
    return polynomial(x, TAIL_TOP) / polynomial(x, TAIL_BOTTOM)


@single(math.erf)
def erf(x):
    """The error function: near 0 a polynomial, and from there on 1 - exp(-x*x) tail(x)."""
    far = ONE - exp(-x * x) * tail(abs(x))
    near = x * polynomial(x * x, ERF_BY_X)
    return near if abs(x) < SMALL else (-far if x < 0 else far)


@inlined
def sigmoid(x):
    """1 / (1 + exp(-x)), from exp(-|x|), which does not overflow."""
    one, e = type(x)(1), exp(-abs(x))
    return (e if x < 0 else one) / (one + e)


@inlined
def softplus(x):
    """log(1 + exp(x)), in the same way."""
    return log1p(exp(-abs(x))) + (type(x)(0) if x < 0 else x)
