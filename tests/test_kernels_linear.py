"""A linear layer and its activation in one: against float64, and the same bits for any number of threads."""

import numpy as np
import pytest

from kernel_cases import DTYPES, assert_near, matrices, numbers, run
from minicnn.kernels import cpu

# Rows in several jobs, sums in several panels, results of less and of more than a tile, few rows, and nothing
# at all.
FEW = [(1, 5001, 30), (2, 1037, 53), (7, 16, 300), (8, 700, 50)]
SHAPES = [(3, 5, 4), (301, 70, 9), (33, 1100, 50), *FEW, (0, 3, 2), (3, 0, 2), (3, 2, 0), (1, 1, 1)]
FUNCTIONS = {
    "": (lambda z: z, lambda y: np.ones_like(y)),
    "relu": (lambda z: np.maximum(z, 0), lambda y: y > 0),
    "tanh": (np.tanh, lambda y: 1 - y * y),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda y: y * (1 - y)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", FUNCTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_linear_and_its_gradients(shape, activation, dtype):
    N, I, O = shape
    x, weight, bias = (numbers(*s, dtype=dtype, seed=i) for i, s in enumerate([(N, I), (O, I), (O,)]))
    weight /= max(I, 1) ** 0.5
    function, slope = FUNCTIONS[activation]
    for shift in (bias, None):
        exact = x.astype(float) @ weight.T.astype(float) + (0 if shift is None else shift)
        y = cpu.linear(x, weight, shift, activation)
        assert_near(y, function(exact).astype(dtype))
    dy = numbers(N, O, dtype=dtype, seed=3)
    dz = dy * slope(y.astype(float))
    kept = dy.copy()
    expected = [a.astype(dtype) for a in (dz @ weight, dz.T @ x.astype(float), dz.sum(axis=0))]
    both = cpu.linear_gradients(dy, y if activation else None, x, weight, activation)
    for got, wanted in zip(both, expected, strict=True):
        assert_near(got, wanted)
    assert (dy == kept).all()
    by_x = cpu.linear_gradients(dy, y, None, weight, activation)
    by_weight = cpu.linear_gradients(dy, y, x, None, activation)
    assert by_x[1] is by_weight[0] is None
    for got, wanted in zip((by_x[0], *by_weight[1:], by_x[2]), (*both, both[2]), strict=True):
        assert got.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("i", range(5))
def test_linear_gradients_in_any_layout(i):
    x, weight, dy = (list(matrices(*s))[i] for s in [(20, 30), (15, 30), (20, 15)])  # also read-only
    plain = [np.ascontiguousarray(a) for a in (x, weight, dy)]
    y = cpu.linear(x, weight, None, "tanh")
    assert_near(y, cpu.linear(plain[0], plain[1], None, "tanh"))
    for activation in ("", "tanh"):
        got = cpu.linear_gradients(dy, y, x, weight, activation)
        expected = cpu.linear_gradients(plain[2], y, plain[0], plain[1], activation)
        for a, b in zip(got, expected, strict=True):
            assert_near(a, b)


THREADS = """
import numpy as np
from kernel_cases import DTYPES, numbers
from minicnn.kernels import threads
from minicnn.kernels import cpu
from minicnn.kernels.cpu import runner

runner.SHARE = 1  # also little work is shared

def bits(dtype):
    x, weight, dy = (numbers(*s, dtype=dtype) for s in [(301, 70), (120, 70), (301, 120)])
    for activation in ("", "relu", "tanh", "sigmoid"):
        y = cpu.linear(x, weight, dy[0], activation)
        yield from (a.tobytes() for a in (y, *cpu.linear_gradients(dy, y, x, weight, activation)))

for dtype in DTYPES:
    threads.count = 1
    expected = list(bits(dtype))
    for threads.count in (2, 3, 4):
        print(list(bits(dtype)) == expected)
"""


def test_the_number_of_threads_changes_no_bit():
    done = run(THREADS, NUMBA_NUM_THREADS="4")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True"] * 6
