"""What the tests of the kernels share: shapes, numbers, memory layouts, and answers from NumPy's own functions."""

import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
from hypothesis import strategies as st
from layout import ROOT
from numpy.lib.stride_tricks import sliding_window_view

from minicnn.kernels.geometry import Window

DTYPES = (np.float32, np.float64)


def numbers(*shape: int, dtype: type = np.float32, seed: int = 0) -> np.ndarray:
    """Random numbers, the same for the same shape and seed."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def assert_near(got: np.ndarray, expected: np.ndarray, what: str = "") -> None:
    """Same shape and dtype, and equal but for rounding, measured by the largest number."""
    assert got.shape == expected.shape, what
    assert got.dtype == expected.dtype, what
    finite = np.abs(expected[np.isfinite(expected)]).max(initial=1e-3)
    tolerance = (4e-6 if got.dtype == np.float32 else 1e-13) * finite
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance, err_msg=what)


def layouts(shape: tuple[int, ...], dtype: type = np.float32) -> Iterator[tuple[str, np.ndarray]]:
    """Arrays of one shape that lie in memory in every way but the plain one."""
    last = len(shape) - 1
    yield "Fortran order", np.asfortranarray(numbers(*shape, dtype=dtype, seed=1))
    yield "channels last", np.moveaxis(numbers(shape[0], *shape[2:], shape[1], dtype=dtype, seed=2), last, 1)
    yield "every other", numbers(*(2 * n for n in shape), dtype=dtype, seed=3)[(slice(None, None, 2),) * len(shape)]
    yield "backwards", numbers(*shape, dtype=dtype, seed=4)[..., ::-1]
    yield "broadcast", np.broadcast_to(numbers(*shape[1:], dtype=dtype, seed=5), shape)
    yield "one number", np.broadcast_to(numbers(1, dtype=dtype, seed=6), shape)


def taps(x: np.ndarray, window: Window, fill: float = 0) -> np.ndarray:
    """The cells of every window (N, C, OH, OW, KH, KW), by NumPy's sliding windows over a padded copy."""
    top, bottom, left, right = window.padding
    (KH, KW), (SH, SW), (DH, DW) = window.kernel, window.stride, window.dilation
    tall, wide = (KH - 1) * DH + 1, (KW - 1) * DW + 1
    beyond = (SH, SW) if window.ceil_mode else (0, 0)  # room for a last window that sticks out
    sides = ((0, 0), (0, 0), (top, bottom + beyond[0]), (left, right + beyond[1]))
    cells = sliding_window_view(np.pad(x, sides, constant_values=fill), (tall, wide), axis=(2, 3))
    OH, OW = window.output_size(*x.shape[2:])
    return cells[:, :, ::SH, ::SW, ::DH, ::DW][:, :, :OH, :OW]


def conv2d(x, weight, bias, window, groups):
    """Convolution by einsum, in float64."""
    (N, C), (O, CG) = x.shape[:2], weight.shape[:2]
    cells = taps(x.astype(float), window)
    cells = cells.reshape(N, groups, CG, *cells.shape[2:])
    filters = weight.astype(float).reshape(groups, O // groups, CG, *window.kernel)
    y = np.einsum("ngcyxij,gocij->ngoyx", cells, filters, optimize=True).reshape(N, O, *cells.shape[3:5])
    return (y if bias is None else y + bias[:, None, None]).astype(x.dtype)


def conv2d_input_gradient(dy, weight, x_shape, window, groups):
    """Its input gradient: einsum for every tap, then each tap added to a strided slice of a padded plane."""
    (N, C, H, W), (O, CG) = x_shape, weight.shape[:2]
    OH, OW = dy.shape[2:]
    (SH, SW), (DH, DW), (top, bottom, left, right) = window.stride, window.dilation, window.padding
    filters = weight.astype(float).reshape(groups, O // groups, CG, *window.kernel)
    grad = dy.astype(float).reshape(N, groups, O // groups, OH, OW)
    parts = np.einsum("ngoyx,gocij->ngcyxij", grad, filters, optimize=True).reshape(N, C, OH, OW, *window.kernel)
    plane = np.zeros((N, C, H + top + bottom, W + left + right))
    for i, j in np.ndindex(window.kernel):
        rows = slice(i * DH, i * DH + (OH - 1) * SH + 1, SH)
        columns = slice(j * DW, j * DW + (OW - 1) * SW + 1, SW)
        plane[:, :, rows, columns] += parts[..., i, j]
    return plane[:, :, top : top + H, left : left + W].astype(dy.dtype)


def conv2d_weight_gradient(dy, x, window, groups):
    """Its weight gradient by einsum."""
    (N, O, OH, OW), C = dy.shape, x.shape[1]
    cells = taps(x.astype(float), window).reshape(N, groups, C // groups, OH, OW, *window.kernel)
    grad = dy.astype(float).reshape(N, groups, O // groups, OH, OW)
    out = np.einsum("ngoyx,ngcyxij->gocij", grad, cells, optimize=True)
    return out.reshape(O, C // groups, *window.kernel).astype(dy.dtype)


def run(program: str, *arguments: str, **environment: str | None) -> subprocess.CompletedProcess:
    """Run a Python program in a process of its own, warnings as errors; None removes a variable."""
    changed = {name: value for name, value in {**os.environ, **environment}.items() if value is not None}
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=changed, cwd=ROOT, timeout=250)


@st.composite
def windows(draw: st.DrawFn, pooling: bool = False) -> tuple[Window, int, int]:
    """A window, and the height and width of a plane on which it fits at least once."""
    axes = []
    for _ in range(2):
        k, step, apart = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
        extent = (k - 1) * apart + 1
        most = extent // 2 if pooling else 3
        before, after = draw(st.integers(0, most)), draw(st.integers(0, most))
        size = max(1, extent - before - after + draw(st.integers(0, 6)))
        axes.append((k, step, apart, before, after, size))
    (KH, SH, DH, top, bottom, H), (KW, SW, DW, left, right, W) = axes
    ceil_mode = pooling and draw(st.booleans())
    return Window((KH, KW), (SH, SW), (top, bottom, left, right), (DH, DW), ceil_mode), H, W
