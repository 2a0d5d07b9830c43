"""Stacks of matrix products on the CPU's own kernels: against float64, and for any number of threads."""

import importlib

import numpy as np
import pytest

from kernel_cases import DTYPES, assert_near, matrices, numbers, run
from minicnn.kernels.cpu import gemm

matmul = importlib.import_module("minicnn.kernels.cpu.matmul")  # the package's `matmul` is the function

STACKS = [  # x, y
    ((37, 70), (70, 50)),
    ((3, 9, 17), (3, 17, 20)),
    ((2, 3, 35, 70), (2, 3, 70, 150)),  # more columns than a turned x is copied for
    ((2, 1, 13, 4), (3, 4, 2)),
    ((5, 13, 4), (4, 9)),
    ((13, 4), (3, 4, 60)),
    ((2, 1, 3, 5, 7), (4, 1, 7, 6)),
    ((2, 3, 2, 5, 7), (2, 3, 2, 7, 6)),
    ((2, 3, 1100), (2, 1100, 5)),  # sums in several panels
    ((2, 5, 1), (2, 1, 5)),
]
LAYOUTS = {
    "as they are": lambda a: a,
    "turned": lambda a: np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2),
    "apart": lambda a: np.concatenate([a, a], axis=-1)[..., : a.shape[-1]],
    "every second": lambda a: a.repeat(2, -1)[..., ::2],
    "heads": lambda a: np.ascontiguousarray(a.swapaxes(0, -2)).swapaxes(0, -2),
}


@pytest.fixture(autouse=True)
def however_few(monkeypatch):
    monkeypatch.setattr(matmul, "FEW_PRODUCTS", 0)
    monkeypatch.setattr(matmul, "TINY", 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("x_shape", "y_shape"), STACKS)
def test_stacks(x_shape, y_shape, layout, dtype, monkeypatch):
    monkeypatch.setattr(gemm, "ROWS", 8)  # several blocks of rows
    x, y = numbers(*x_shape, dtype=dtype) / x_shape[-1], numbers(*y_shape, dtype=dtype, seed=1)
    expected = (x.astype(float) @ y.astype(float)).astype(dtype)
    assert_near(matmul.matmul(LAYOUTS[layout](x), y), expected)
    assert_near(matmul.matmul(x, LAYOUTS[layout](y)), expected)
    assert_near(matmul.matmul(LAYOUTS[layout](x), LAYOUTS[layout](y)), expected)


@pytest.mark.parametrize("i", range(5))
def test_any_layout(i):
    x, y = (list(matrices(*shape))[i] for shape in [(20, 30), (30, 140)])  # also read-only
    assert_near(matmul.matmul(x, y), (x.astype(float) @ y.astype(float)).astype(np.float32))


def test_what_numpy_does():
    for x, y in [((3, 0, 4), (3, 4, 5)), ((3, 2, 0), (3, 0, 5)), ((1, 9), (9, 7)), ((2, 9, 9), (2, 9, 1))]:
        x, y = numbers(*x), numbers(*y)
        assert_near(matmul.matmul(x, y), (x.astype(float) @ y.astype(float)).astype(np.float32))
    whole = np.arange(12).reshape(3, 4)
    assert (matmul.matmul(whole, whole.T) == whole @ whole.T).all()


@pytest.mark.parametrize(
    ("x", "y"), [((3, 4), (5, 4)), ((2, 3, 4), (5, 4)), ((2, 3, 4), (3, 4, 5)), ((3, 4), (2, 3, 5))]
)
def test_shapes_that_do_not_fit(x, y):
    with pytest.raises(ValueError):
        matmul.matmul(numbers(*x), numbers(*y))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite_where_its_products_are(bad):
    x, y = numbers(2, 21, 19), numbers(2, 19, 53, seed=1)
    x[1, 20, 18] = y[0, 18, 52] = bad
    with np.errstate(invalid="ignore"):
        expected = x @ y
        got = matmul.matmul(x, y)
    assert_near(got, expected)


THREADS = """
import importlib
from kernel_cases import DTYPES, numbers
from minicnn.kernels import threads
from minicnn.kernels.cpu import runner

matmul = importlib.import_module("minicnn.kernels.cpu.matmul")

runner.SHARE, matmul.FEW_PRODUCTS, matmul.TINY = 1, 0, 0  # also little work is shared

for dtype in DTYPES:
    x, y = numbers(3, 2, 301, 70, dtype=dtype), numbers(3, 2, 150, 70, dtype=dtype).swapaxes(2, 3)
    for a, b in ((x, y), (y[:, :, :, :70], y), (y, x[:, :, :150])):
        threads.count = 1
        expected = matmul.matmul(a, b).tobytes()
        for threads.count in (2, 3, 4):
            print(matmul.matmul(a, b).tobytes() == expected)
"""


def test_the_number_of_threads_changes_no_bit():
    done = run(THREADS, NUMBA_NUM_THREADS="4")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True"] * 18
