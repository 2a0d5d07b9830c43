"""exp, tanh, erf and their like against float64, over all of float32."""

import math
import re

import numba
import numpy as np
import pytest
from scipy import special

from minicnn.kernels.cpu import curves, elementary, jit, runner, simd

# name -> the function in float64, the largest error in ulp that elementary.py states, and where it applies
FUNCTIONS = {
    "exp": (np.exp, 2, (-np.inf, np.inf)),
    "expm1": (np.expm1, 2, (-np.inf, np.inf)),
    "tanh": (np.tanh, 6, (-np.inf, np.inf)),
    "erf": (special.erf, 3, (-np.inf, np.inf)),
    "sigmoid": (special.expit, 3, (-np.inf, np.inf)),
    "softplus": (lambda x: np.logaddexp(0, x), 4, (-np.inf, np.inf)),
    "log1p": (np.log1p, 3, (0, 1)),
    "log": (np.log, 3, (1, np.inf)),
}
NAMES = pytest.mark.parametrize("name", FUNCTIONS)


def over_array(name):
    """The function as a loop over an array."""
    function = getattr(elementary, name)

    @numba.njit(**jit.OPTIONS)
    def loop(x, y):
        for i in range(x.size):
            y[i] = function(x[i])

    def call(x):
        y = np.empty_like(x)
        loop(x, y)
        return y

    return call


def numbers_of_all_sizes(low, high):
    """Float32 numbers of every exponent and sign, more of them where functions bend, and infinities."""
    every = np.arange(0, 2**32, 4099, dtype=np.uint32).view(np.float32)
    x = np.concatenate(
        [every, np.linspace(-20, 20, 300_001, dtype=np.float32), np.float32([np.inf, -np.inf])]
    )
    return x[(x >= low) & (x <= high)]


@NAMES
def test_error_against_float64(name):
    exact, most, domain = FUNCTIONS[name]
    x = numbers_of_all_sizes(*domain)
    got = over_array(name)(x)
    with np.errstate(all="ignore"):
        expected = exact(x.astype(float))
        rounded = expected.astype(np.float32)
    finite = np.isfinite(rounded)
    assert np.array_equal(got[~finite], rounded[~finite], equal_nan=True)
    error = np.abs(got[finite] - expected[finite]) / np.spacing(np.abs(rounded[finite]))
    worst = error.argmax()
    assert error[worst] <= most, f"{error[worst]:.2f} ulp at {x[finite][worst]}"


@NAMES
def test_nan_stays_nan_in_both_precisions(name):
    for dtype in (np.float32, np.float64):
        assert np.isnan(over_array(name)(np.array([np.nan, 1], dtype))).tolist() == [True, False]


@NAMES
def test_float64_has_all_its_digits(name):
    exact, _, domain = FUNCTIONS[name]
    x = np.linspace(max(domain[0], -30), min(domain[1], 30), 2001)
    np.testing.assert_allclose(over_array(name)(x), exact(x), rtol=2e-15, atol=1e-300)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal_distribution(dtype):
    """Below x, with its digits where little of it is; and its density, but for a factor."""
    x = np.linspace(-12, 12, 5001).astype(dtype)

    @numba.njit(**jit.OPTIONS)
    def loop(x, share, density):
        for i in range(x.size):
            share[i], density[i] = elementary.normal(x[i])

    share, density = np.empty_like(x), np.empty_like(x)
    loop(x, share, density)
    wide = x.astype(float)
    near = np.abs(x) < 5
    tolerance = 1e-6 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(share, special.ndtr(wide), rtol=0, atol=tolerance / 10)
    if dtype == np.float32:  # float64 has the C library's erf, which loses them
        np.testing.assert_allclose(share[near], special.ndtr(wide[near]), rtol=3 * tolerance)
    np.testing.assert_allclose(density[near], np.exp(-(wide[near] ** 2) / 2), rtol=3 * tolerance)


def test_saturated_values_are_exact():
    assert over_array("tanh")(np.float32([9.1, 1e30, -9.1, 0])).tolist() == [1, 1, -1, 0]
    assert over_array("erf")(np.float32([4, 1e30, -4, 0])).tolist() == [1, 1, -1, 0]
    assert over_array("exp")(np.float32([0, -200, 200])).tolist() == [1, 0, math.inf]


@NAMES
def test_loops_run_in_vectors(name):
    """Nobody would notice if they did not: slow is not wrong."""
    function = getattr(elementary, name)

    @numba.njit("void(float32[::1], float32[::1])", **jit.OPTIONS)
    def loop(x, y):
        for i in range(x.size):
            y[i] = function(x[i])

    (code,) = loop.inspect_llvm().values()
    assert re.search(r"fmul [a-z ]*<\d+ x float>", code)


def test_kernels_fill_whole_registers_where_they_are_launched(monkeypatch):
    """The wish is a function's: inlined into another, its loop would follow that one's."""
    monkeypatch.setattr(jit, "FOLDER", None)  # what comes from the cache cannot be looked at
    launch = runner.launcher.__wrapped__(curves.exponential)
    x = np.linspace(-1, 1, 64, dtype=np.float32)
    y = np.empty_like(x)
    launch(0, 0, 64, 1, x, y)
    np.testing.assert_allclose(y, np.exp(x), rtol=1e-6)
    code = "".join(launch.inspect_llvm().values())
    wish = f'"prefer-vector-width"="{8 * simd.BYTES}"'
    wishes = [number for number, group in re.findall(r"attributes (#\d+) = {([^}]*)}", code) if wish in group]
    functions = re.findall(r"^define [^\n]*\)([^\n]*){\n(.*?)^}", code, re.MULTILINE | re.DOTALL)
    whole = f"fmul contract <{simd.BYTES // 4} x float>"
    loops = [header.split() for header, body in functions if whole in body]
    assert loops
    assert all(set(wishes) & set(header) for header in loops)
