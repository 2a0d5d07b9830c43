"""What the tests of the kernels share: shapes, numbers, memory layouts, and NumPy's own answers."""

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numba
import numpy as np
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from layout import ROOT
from minicnn.kernels.cpu.graph import WORDS, address
from minicnn.kernels.cpu.jit import OPTIONS
from minicnn.kernels.cpu.runner import call_part, launcher
from minicnn.kernels.geometry import Window

DTYPES = (np.float32, np.float64)


def numbers(*shape: int, dtype: type = np.float32, seed: int = 0) -> np.ndarray:
    """Random numbers, the same for the same shape and seed."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def assert_near(got: np.ndarray, expected: np.ndarray, what: str = "") -> None:
    """Same shape and dtype, and equal but for the rounding of numbers near 1 or near the largest."""
    assert got.shape == expected.shape, what
    assert got.dtype == expected.dtype, what
    finite = np.abs(expected[np.isfinite(expected)]).max(initial=1)
    tolerance = (4e-6 if got.dtype == np.float32 else 1e-13) * finite
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance, err_msg=what)


@functools.cache
def for_python(inner: Any) -> Any:
    """A function that Python may call, of one that only kernels call."""
    return numba.njit(lambda *arguments: inner(*arguments), **OPTIONS)


def in_parts(parts: int | None) -> Callable:
    """A function that takes the place of `run`, and does the jobs in so many parts, or each job alone."""

    def run_in_parts(kernel: Any, jobs: int, numbers: int, *arguments: Any) -> None:
        words, n = np.zeros(WORDS, np.int64), parts or jobs
        part = launcher(kernel)(address(words), 0, jobs, 1, *arguments)
        for t in range(n):
            do_part(part, address(words), t * jobs // n, (t + 1) * jobs // n)
        assert not words[:2].any(), "an error in a part"

    return run_in_parts


@numba.njit
def do_part(part, arguments, begin, end):
    call_part(part, arguments, begin, end)


def layouts(shape: tuple[int, ...], dtype: type = np.float32) -> Iterator[tuple[str, np.ndarray]]:
    """Arrays of one shape that lie in memory in every way but the plain one."""
    last = len(shape) - 1
    yield "Fortran order", np.asfortranarray(numbers(*shape, dtype=dtype, seed=1))
    yield "channels last", np.moveaxis(numbers(shape[0], *shape[2:], shape[1], dtype=dtype, seed=2), last, 1)
    every_other = (slice(None, None, 2),) * len(shape)
    yield "every other", numbers(*(2 * n for n in shape), dtype=dtype, seed=3)[every_other]
    yield "backwards", numbers(*shape, dtype=dtype, seed=4)[..., ::-1]
    yield "broadcast", np.broadcast_to(numbers(*shape[1:], dtype=dtype, seed=5), shape)
    yield "one number", np.broadcast_to(numbers(1, dtype=dtype, seed=6), shape)


def matrices(*shape: int, dtype: type = np.float32) -> Iterator[np.ndarray]:
    """Matrices that do not lie row after row."""
    N, I = shape
    yield np.asfortranarray(numbers(*shape, dtype=dtype))
    yield numbers(N, 3 * I, dtype=dtype)[:, ::3]
    yield numbers(*shape, dtype=dtype)[::-1, ::-1]
    yield np.broadcast_to(numbers(I, dtype=dtype), shape)
    yield np.broadcast_to(dtype(0.5), shape)


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
    N, (O, CG) = len(x), weight.shape[:2]
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
    parts = np.einsum("ngoyx,gocij->ngcyxij", grad, filters, optimize=True).reshape(
        N, C, OH, OW, *window.kernel
    )
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


def conv2d_bias_gradient(dy):
    return dy.sum(axis=(0, 2, 3), dtype=np.float64).astype(dy.dtype)


CONVOLUTIONS = [  # x, weight, window, groups
    ((1, 1, 1, 1), (1, 1, 1, 1), Window((1, 1)), 1),
    ((2, 3, 5, 7), (5, 3, 3, 2), Window((3, 2), (1, 1), (1, 0, 2, 1)), 1),
    ((1, 2, 6, 19), (9, 2, 3, 3), Window((3, 3)), 1),
    ((2, 4, 7, 6), (6, 2, 2, 3), Window((2, 3), (2, 3), (0, 1, 1, 0), (2, 1)), 2),
    ((1, 3, 4, 5), (3, 1, 2, 2), Window((2, 2), (1, 2)), 3),
    ((3, 5, 7, 6), (5, 1, 3, 3), Window((3, 3), padding=(1, 1, 1, 1)), 5),
    ((2, 18, 3, 5), (17, 18, 1, 1), Window((1, 1)), 1),
    ((2, 33, 5, 7), (35, 33, 2, 1), Window((2, 1), (2, 2), (1, 0, 0, 1)), 1),
    ((2, 97, 3, 4), (96, 97, 1, 1), Window((1, 1), (2, 2)), 1),
]
POOLINGS = [  # x, window
    ((1, 1, 1, 1), Window((1, 1))),
    ((2, 3, 5, 7), Window((2, 2), (2, 2))),
    ((1, 3, 6, 19), Window((3, 2), (1, 1), (1, 0, 1, 1))),
    ((3, 1, 7, 6), Window((3, 3), (2, 2), (1, 1, 0, 1), ceil_mode=True)),
]
ADAPTIVE = [((1, 1, 1, 1), (1, 1)), ((2, 3, 7, 5), (3, 4)), ((1, 5, 4, 9), (6, 2))]  # x, size
NORMS = [((1, 1, 2), 1), ((3, 4, 35), 2), ((2, 6, 1), 3), ((5, 7, 11), 7), ((2, 3, 1500), 1)]  # x, groups
PRODUCTS = [(1, 1, 1), (3, 5, 17), (9, 33, 4), (2, 70, 25)]  # N, I, O


def every_kernel(
    kernels: ModuleType,
    dtype: type,
    place: Callable = np.array,
    convolutions: list = CONVOLUTIONS,
    poolings: list = POOLINGS,
    products: list = PRODUCTS,
) -> Iterator[tuple[str, Any]]:
    """The result of each kernel in each case, under a name; arguments go through `place` first."""

    def draw(*shape: int, seed: int = 0) -> np.ndarray:
        return place(numbers(*shape, dtype=dtype, seed=seed))

    for x_shape, weight_shape, window, groups in convolutions:
        case = f"{x_shape} {weight_shape}"
        x, weight, bias = draw(*x_shape), draw(*weight_shape), draw(weight_shape[0])
        dy = draw(x_shape[0], weight_shape[0], *window.output_size(*x_shape[2:]))
        yield f"conv2d {case}", kernels.conv2d(x, weight, bias, window, groups)
        for name in ("relu", "tanh", "sigmoid"):
            yield f"{name} conv2d {case}", kernels.conv2d(x, weight, bias, window, groups, name)
        yield f"input gradient {case}", kernels.conv2d_input_gradient(dy, weight, x_shape, window, groups)
        yield f"weight gradient {case}", kernels.conv2d_weight_gradient(dy, x, window, groups)
        yield f"bias gradient {case}", kernels.conv2d_bias_gradient(dy)
        both = kernels.conv2d_parameter_gradients(dy, x, window, groups)
        yield from zip((f"dweight {case}", f"dbias {case}"), both, strict=True)
    for shape, window in poolings:
        x, dy = draw(*shape), draw(*shape[:2], *window.output_size(*shape[2:]))
        y, index = kernels.max_pool2d(x, window)
        yield f"max_pool2d {shape}", y
        yield f"index {shape}", index
        yield f"max gradient {shape}", kernels.max_pool2d_gradient(dy, place(index), shape)
        yield f"avg_pool2d {shape}", kernels.avg_pool2d(x, window, False, 0)
        yield f"mean gradient {shape}", kernels.avg_pool2d_gradient(dy, shape, window, False, 0)
    for shape, size in ADAPTIVE:
        x, dy = draw(*shape), draw(*shape[:2], *size)
        y, index = kernels.adaptive_max_pool2d(x, size)
        yield f"adaptive_max_pool2d {shape}", y
        yield f"adaptive index {shape}", index
        yield f"adaptive_avg_pool2d {shape}", kernels.adaptive_avg_pool2d(x, size)
        yield f"adaptive mean gradient {shape}", kernels.adaptive_avg_pool2d_gradient(dy, shape)
    for shape, groups in NORMS:
        yield from every_norm(kernels, draw, place, shape, groups)
    for shape, size in ADAPTIVE:
        yield from every_resampling(kernels, draw, shape[1:], size, dtype)
    for N, I, O in products:
        x, weight, dy = draw(N, I), draw(O, I), draw(N, O)
        yield f"linear {N, I, O}", kernels.linear(x, weight, draw(O))
        for name in ("relu", "tanh", "sigmoid"):
            yield f"{name} linear {N, I, O}", kernels.linear(x, weight, draw(O), name)
        yield f"linear input gradient {N, I, O}", kernels.linear_input_gradient(dy, weight)
        yield f"linear weight gradient {N, I, O}", kernels.linear_weight_gradient(dy, x)
        both = kernels.linear_parameter_gradients(dy, x)
        yield from zip((f"dweight {N, I, O}", f"dbias {N, I, O}"), both, strict=True)
        yield f"matmul {N, I, O}", kernels.matmul(draw(2, 1, N, I), draw(3, O, I).swapaxes(-1, -2))
        on_gpu = kernels.__name__.endswith("cuda")  # other random numbers: so none that matter
        source = place(np.array([5, 6, 0], np.uint64)) if on_gpu else np.random.default_rng(5)
        for p in (0.0, 1.0):
            y, fates = kernels.dropout(x, I, p, source)
            yield f"dropout {p} {N, I}", y
            yield f"dropout gradient {p} {N, I}", kernels.dropout_gradient(x, I, p, fates)
        yield f"concatenate {N, I, O}", kernels.concatenate([x, draw(N, 0), draw(N, O)], 1)
        yield f"relu {N, I}", kernels.relu(x)
        yield f"relu gradient {N, I}", kernels.relu_gradient(draw(N, I, seed=1), x)
        for name in ("tanh", "gelu"):
            yield f"{name} {N, I}", kernels.activate(name, x)
            yield f"{name} gradient {N, I}", kernels.activation_gradient(name, draw(N, I, seed=1), x)
        yield f"prelu {N, I}", kernels.prelu(x.reshape(N, I, 1), draw(I))
        for part, result in zip(
            ("dx", "dweight"),
            kernels.prelu_gradient(draw(N, I, 1), x.reshape(N, I, 1), draw(I)),
            strict=True,
        ):
            yield f"prelu {part} {N, I}", result
        for shape in ((N, I, 1), (1, N, I)):
            yield f"softmax {shape}", kernels.softmax(x.reshape(shape), False)
            yield f"softmax gradient {shape}", kernels.softmax_gradient(draw(*shape), x.reshape(shape), True)
        target = place(np.arange(N) % I)
        for reduction in ("none", "sum", "mean"):
            results = kernels.cross_entropy(x, target, abs(draw(I)), 1, 0.1, reduction)
            for part, result in zip(("loss", "gradient"), results, strict=True):
                yield f"cross_entropy {reduction} {part} {N, I}", result
        for momentum in (0.0, 0.9):
            param, buffers = draw(O, I), [draw(O, I, seed=1)] if momentum else None
            rule = 0.1, momentum, 0.2, 0.01, False, True, False
            kernels.sgd_step([param], [draw(O, I, seed=2)], buffers, *rule)
            yield f"sgd {momentum} {O, I}", param
        param, m, v = draw(O, I), draw(O, I, seed=1), abs(draw(O, I, seed=2))
        grad, rule = draw(O, I, seed=3), (0.1, 0.9, 0.99, 1e-3, 0.01)
        kernels.adam_step([param], [grad], [m], [v], None, *rule, False, False, 3)
        yield f"adam {O, I}", param
        param, m, v, most = draw(O, I), draw(O, I, seed=1), abs(draw(O, I, seed=2)), abs(draw(O, I, seed=4))
        kernels.adam_step([param], [grad], [m], [v], [most], *rule, True, True, 3)
        yield f"amsgrad {O, I}", param
        for centered in (False, True):
            param, grad, mean, buffer = (draw(O, I, seed=seed) for seed in range(4))
            square = mean * mean + 1
            state = (
                ([mean], None, 0.1, 0.9, 1e-3, 0.01, 0.0)
                if centered
                else (None, [buffer], 0.1, 0.9, 1e-3, 0, 0.7)
            )
            kernels.rmsprop_step([param], [grad], [square], *state, not centered)
            yield f"rmsprop {centered} {O, I}", param
        params = [draw(O, I), draw(0, 2), draw(N)]
        norm = kernels.euclidean_norm(params)
        yield f"euclidean norm {N, O, I}", norm
        kernels.scale(params, norm)
        for number, param in enumerate(params):
            yield f"scaled {number} {N, O, I}", param
        param, total = draw(O, I), abs(draw(O, I, seed=2))
        kernels.adagrad_step([param], [draw(O, I, seed=6)], [total], 0.1, 0.2, 1e-3, 0.01, False, 4)
        yield f"adagrad {O, I}", param


def every_resampling(
    kernels: ModuleType, draw: Callable, shape: tuple[int, ...], size: tuple[int, int], dtype: type
) -> Iterator[tuple[str, Any]]:
    """The results of picking and blending cells of x (planes, H, W)."""
    x, dy = draw(*shape), draw(shape[0], *size)
    places = [np.arange(count) * 7 % n for n, count in zip(shape[1:], size, strict=True)]
    yield f"pick {shape}", kernels.pick(x, *places)
    yield f"pick gradient {shape}", kernels.pick_gradient(dy, *places, shape[1:])
    axes = [
        (low, np.minimum(low + 1, n - 1), (np.arange(len(low)) / 7).astype(dtype))
        for n, low in zip(shape[1:], places, strict=True)
    ]
    yield f"blend {shape}", kernels.blend(x, *axes)
    yield f"blend gradient {shape}", kernels.blend_gradient(dy, *axes, shape[1:])


def every_norm(
    kernels: ModuleType, draw: Callable, place: Callable, shape: tuple[int, ...], groups: int
) -> Iterator[tuple[str, Any]]:
    """The results of the normalising kernels for x of one shape."""
    C = shape[1]
    x, dy, weight, bias = draw(*shape), draw(*shape, seed=1), draw(C, seed=2), draw(C, seed=3)
    mean, var = kernels.batch_norm_statistics(x)
    yield f"mean {shape}", mean
    yield f"var {shape}", var
    for momentum in (0.3, None):
        running, batches = (draw(C, seed=6), draw(C, seed=7)), place(np.array(3))
        yield (
            f"rstd {momentum} {shape}",
            kernels.batch_norm_update_and_invert(mean, var, *running, batches, momentum, 1e-3, 5),
        )
        names = f"running mean {momentum} {shape}", f"running var {momentum} {shape}"
        yield from zip(names, running, strict=True)
        yield f"batches {momentum} {shape}", batches
    mean, rstd = draw(C, seed=4), abs(draw(C, seed=5))
    yield f"batch_norm {shape}", kernels.batch_norm(x, weight, bias, mean, rstd)
    yield f"plain batch_norm {shape}", kernels.batch_norm(x, None, None, mean, rstd)
    for constant in (False, True):
        results = kernels.batch_norm_gradient(dy, x, weight, mean, rstd, constant)
        for name, result in zip(("dx", "dweight", "dbias"), results, strict=True):
            yield f"batch_norm {name} {constant} {shape}", result
    for name, result in zip(
        ("y", "mean", "rstd"), kernels.group_norm(x, weight, bias, groups, 1e-3), strict=True
    ):
        yield f"group_norm {name} {shape}", result
    mean, rstd = draw(shape[0], groups, seed=4), abs(draw(shape[0], groups, seed=5))
    results = kernels.group_norm_gradient(dy, x, weight, mean, rstd)
    for name, result in zip(("dx", "dweight", "dbias"), results, strict=True):
        yield f"group_norm {name} {shape}", result


def run(program: str, *arguments: str, **environment: str | None) -> subprocess.CompletedProcess:
    """Run a Python program in a process of its own, warnings as errors; None removes a variable."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    changed = {**os.environ, "PYTHONPATH": paths, **environment}
    changed = {name: value for name, value in changed.items() if value is not None}
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=changed, timeout=250)


@st.composite
def windows(draw: st.DrawFn, pooling: bool = False, dilated: bool = True) -> tuple[Window, int, int]:
    """A window, and the height and width of a plane on which it fits at least once.

    Pooling may have a ceil_mode, and has no more padding than half a kernel.
    """
    axes = []
    for _ in range(2):
        k, step, apart = (draw(st.integers(1, most)) for most in (4, 3, 3 if dilated else 1))
        extent = (k - 1) * apart + 1
        before, after = (draw(st.integers(0, k // 2 if pooling else 3)) for _ in range(2))
        size = max(1, extent - before - after + draw(st.integers(0, 6)))
        axes.append((k, step, apart, before, after, size))
    (KH, SH, DH, top, bottom, H), (KW, SW, DW, left, right, W) = axes
    ceil_mode = pooling and draw(st.booleans())
    return Window((KH, KW), (SH, SW), (top, bottom, left, right), (DH, DW), ceil_mode), H, W
