"""Each method of convolution on its own, also for layers that conv.py would give to another one."""

import itertools

import numpy as np
import pytest

import kernel_cases
from kernel_cases import assert_near, for_python, numbers, run
from minicnn.kernels import cpu
from minicnn.kernels.cpu import (
    conv,
    depthwise,
    depthwise_large,
    direct,
    im2col_gemm,
    outer,
    pointwise,
    strips,
    tap_by_tap,
)
from minicnn.kernels.cpu.conv import Layer
from minicnn.kernels.cpu.simd import BYTES
from minicnn.kernels.cpu.transpose import transpose
from minicnn.kernels.geometry import Window
from test_simd import HASWELL, X86, compiled, innermost_loop, simd, spills

LANES = BYTES // 4
DIRECTIONS = "conv2d", "conv2d_input_gradient", "conv2d_weight_gradient"


def arguments(x_shape, weight_shape, window, groups):
    """Of each direction, in turn."""
    x, weight, bias = numbers(*x_shape), numbers(*weight_shape, seed=1), numbers(weight_shape[0], seed=2)
    dy = numbers(x_shape[0], weight_shape[0], *window.output_size(*x_shape[2:]), seed=3)
    yield x, weight, bias, window, groups
    yield dy, weight, x_shape, window, groups
    yield dy, x, window, groups


def check(method, x_shape, weight_shape, window, groups):
    for name, given in zip(DIRECTIONS, arguments(x_shape, weight_shape, window, groups), strict=True):
        if window.stride != (1, 1) and (method, name) in (
            (direct, "conv2d_input_gradient"), (depthwise_large, "conv2d_weight_gradient"),
        ):  # fmt: skip
            continue
        assert_near(getattr(method, name)(*given), getattr(kernel_cases, name)(*given), f"{name} {window}")


DIRECT = {  # x, weight, window, groups
    "LeNet's first": ((3, 1, 32, 32), (6, 1, 5, 5), Window((5, 5)), 1),
    "LeNet's second": ((3, 6, 14, 14), (16, 6, 5, 5), Window((5, 5)), 1),
    "a first layer, stride": ((2, 3, 37, 41), (35, 3, 7, 7), Window((7, 7), (2, 2), (3, 3, 3, 3)), 1),
    "a last layer": ((2, 40, 9, 21), (3, 40, 3, 3), Window((3, 3), padding=(1, 1, 1, 1)), 1),
    "one filter": ((2, 3, 9, 33), (1, 3, 3, 2), Window((3, 2), padding=(2, 0, 1, 1)), 1),
    "seven filters": ((2, 2, 8, 9), (7, 2, 3, 3), Window((3, 3)), 1),
    "vectors and one": ((1, 2, 8, 9), (2 * LANES + 1, 2, 3, 3), Window((3, 3)), 1),
    "groups": ((2, 12, 9, 10), (9, 4, 3, 3), Window((3, 3), padding=(1, 1, 1, 1)), 3),
    "groups of many filters": ((2, 4, 9, 10), (26, 2, 3, 3), Window((3, 3), (1, 2)), 2),
    "short rows": ((2, 3, 9, 8), (2 * LANES + 3, 3, 3, 3), Window((3, 3)), 1),
    "short rows, groups": ((2, 4, 10, 8), (26, 2, 4, 4), Window((4, 4)), 2),
    "short rows, stride": ((2, 3, 11, 12), (9, 3, 3, 3), Window((3, 3), (2, 2)), 1),
    "short rows in bands": ((1, 9, 400, 6), (8, 9, 2, 2), Window((2, 2)), 1),
    "several bands": ((1, 5, 130, 140), (6, 5, 3, 3), Window((3, 3), padding=(1, 0, 0, 2)), 1),
    "large strides": ((2, 3, 20, 23), (5, 3, 3, 3), Window((3, 3), (3, 4), (1, 0, 2, 0)), 1),
    "dilation": ((2, 3, 20, 23), (5, 3, 3, 2), Window((3, 2), (1, 1), (2, 2, 3, 0), (2, 3)), 1),
    "dilation and stride": ((2, 3, 20, 23), (8, 3, 3, 4), Window((3, 4), (2, 2), (2, 0, 3, 0), (2, 3)), 1),
}


@pytest.mark.parametrize("name", DIRECT)
def test_direct(name):
    check(direct, *DIRECT[name])


PLANES = [(2, 3, 5, 7), (3, 9, 8, 40), (1, 1, 1, 1), (9, 2, 33, 17)]
FILTERS = [(1, 1), (3, 3), (3, 2), (5, 5), (7, 7), (9, 1)]


LARGE = [(x_shape, kernel, depthwise_large) for x_shape in PLANES[:2] for kernel in [(3, 2), (5, 5), (9, 1)]]


@pytest.mark.parametrize(
    ("x_shape", "kernel", "method"), [*itertools.product(PLANES, FILTERS, [depthwise]), *LARGE]
)
def test_depthwise(x_shape, kernel, method):
    down, across = kernel[0] // 2, kernel[1] // 2
    for stride, padding, dilation in itertools.product(
        [(1, 1), (2, 2), (1, 2)], [(down, down, across, across), (0, down, across, 0)], [(1, 1), (1, 2)]
    ):
        window = Window(kernel, stride, padding, dilation)
        if min(window.output_size(*x_shape[2:])) > 0:
            check(method, x_shape, (x_shape[1], 1, *kernel), window, x_shape[1])


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize(
    "window", [Window((5, 3), (2, 2), (2, 2, 1, 1)), Window((3, 3), padding=(0, 2, 1, 1))]
)
def test_depthwise_of_large_planes(window, copied, monkeypatch):
    monkeypatch.setattr(depthwise, "copied", lambda *what: copied)
    check(depthwise, (1, 2, 151, 149), (2, 1, *window.kernel), window, 2)


@pytest.mark.parametrize(
    ("N", "C", "O", "H", "W"),
    [(1, 1, 1, 1, 1), (3, 5, 7, 4, 3), (2, 70, 33, 9, 31), (9, 17, 40, 7, 7), (2, 40, 13, 30, 20)],
)
def test_pointwise(N, C, O, H, W):
    check(pointwise, (N, C, H, W), (O, C, 1, 1), Window((1, 1)), 1)


@pytest.mark.parametrize("name", DIRECT)
def test_im2col(name):
    check(im2col_gemm, *DIRECT[name])


TAPS = {  # x, weight, window
    "halving": ((3, 20, 11, 14), (37, 20, 3, 3), Window((3, 3), (2, 2), (1, 1, 1, 1))),
    "points, halving": ((2, 33, 9, 8), (16, 33, 1, 1), Window((1, 1), (2, 2))),
    "one place": ((1, 2, 3, 3), (2, 2, 3, 3), Window((3, 3), (2, 2))),
    "steps past a window": ((2, 4, 17, 18), (5, 4, 2, 2), Window((2, 2), (3, 4), (1, 0, 2, 0))),
    "large, dilated": ((2, 18, 13, 40), (9, 18, 5, 3), Window((5, 3), padding=(4, 4, 2, 2), dilation=(2, 2))),
    "dilation and strides": ((2, 3, 20, 23), (8, 3, 3, 2), Window((3, 2), (2, 3), (2, 0, 2, 0), (2, 3))),
    "more than a sum takes at once": ((2, 300, 7, 7), (33, 300, 3, 3), Window((3, 3), (2, 2), (1, 1, 1, 1))),
    "several blocks": ((5, 6, 22, 22), (40, 6, 3, 3), Window((3, 3), padding=(1, 1, 1, 1))),
}


@pytest.mark.parametrize("name", TAPS)
def test_tap_by_tap(name):
    assert tap_by_tap.fits(TAPS[name][2])
    check(tap_by_tap, *TAPS[name], 1)


def test_tap_by_tap_at_its_ends():
    window = Window((3, 3), (2, 2), (1, 1, 1, 1))
    check(tap_by_tap, (0, 20, 9, 9), (17, 20, 3, 3), window, 1)
    dx = tap_by_tap.conv2d_input_gradient(ones(2, 17, 0, 0), ones(17, 20, 3, 3), (2, 20, 1, 1), window, 1)
    np.testing.assert_array_equal(dx, np.zeros((2, 20, 1, 1), np.float32))
    for wide in (Window((3, 3), padding=(1, 1, 3, 1)), Window((4, 4))):  # for the margins: y, dx
        assert not tap_by_tap.fits(wide)


# what is not finite


ANY = Window((3, 3), padding=(1, 0, 0, 1))
NOT_FINITE = {
    "direct, few filters": (direct, (2, 3, 6, 19), (4, 3, 3, 3), ANY, 1),
    "direct, many filters": (direct, (2, 3, 6, 19), (11, 3, 3, 3), ANY, 1),
    "depthwise": (depthwise, (2, 3, 6, 19), (3, 1, 3, 3), ANY, 3),
    "depthwise, large": (depthwise_large, (2, 3, 6, 19), (3, 1, 3, 3), ANY, 3),
    "pointwise": (pointwise, (2, 3, 6, 19), (11, 3, 1, 1), Window((1, 1)), 1),
    "im2col": (im2col_gemm, (2, 3, 6, 19), (11, 3, 3, 3), ANY, 1),
    "tap by tap": (tap_by_tap, (2, 3, 6, 19), (11, 3, 3, 3), ANY, 1),
    "tap by tap, strides": (tap_by_tap, (2, 3, 6, 19), (11, 3, 3, 3), ANY._replace(stride=(2, 2)), 1),
}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", NOT_FINITE)
def test_not_finite_where_its_windows_are(name, bad):
    """Vectors read beyond a row's end, and panels hold more rows than there are: no result may see that."""
    method, *layer = NOT_FINITE[name]
    for direction, given in zip(DIRECTIONS, arguments(*layer), strict=True):
        pictures = given[0] if direction != "conv2d_weight_gradient" else given[1]
        for at in [(0, 1, 0, 0), (1, 2, 3, 18), (1, 0, pictures.shape[2] - 1, 16)]:
            at = *at[:2], min(at[2], pictures.shape[2] - 1), min(at[3], pictures.shape[3] - 1)
            before, pictures[at] = pictures[at], bad
            with np.errstate(invalid="ignore"):
                got, expected = (getattr(m, direction)(*given) for m in (method, kernel_cases))
            assert_near(got, expected, f"{direction} {at}")
            pictures[at] = before


# which method


@pytest.mark.parametrize(
    ("CG", "OG", "groups", "window", "y", "dx", "dw"),
    [
        (1, 6, 1, Window((5, 5)), direct, direct, direct),
        (6, 16, 1, Window((5, 5)), direct, direct, direct),
        (3, 64, 1, Window((7, 7), (2, 2), (3, 3, 3, 3)), direct, im2col_gemm, direct),
        (3, 64, 1, Window((3, 3), padding=(3, 0, 0, 0)), direct, im2col_gemm, direct),
        (64, 3, 1, Window((3, 3), padding=(1, 1, 1, 1)), direct, direct, direct),
        (4, 4, 32, Window((3, 3), padding=(1, 1, 1, 1)), direct, direct, direct),
        (48, 128, 1, Window((5, 5), padding=(2, 2, 2, 2)), direct, direct, direct),
        (64, 64, 1, Window((5, 5), padding=(2, 2, 2, 2)), tap_by_tap, tap_by_tap, direct),
        (128, 128, 1, Window((5, 5), padding=(2, 2, 2, 2)), tap_by_tap, tap_by_tap, tap_by_tap),
        (128, 128, 1, Window((5, 5)), im2col_gemm, im2col_gemm, direct),
        (16, 16, 1, Window((3, 3), (2, 2), (1, 1, 1, 1)), direct, tap_by_tap, direct),
        (64, 64, 1, Window((3, 3), (2, 2), (1, 1, 1, 1)), tap_by_tap, tap_by_tap, direct),
        (16, 16, 4, Window((3, 3), (2, 2), (1, 1, 1, 1)), direct, im2col_gemm, direct),
        (3, 768, 1, Window((16, 16), (16, 16)), im2col_gemm, im2col_gemm, im2col_gemm),
        (64, 256, 1, Window((1, 1)), pointwise, pointwise, pointwise),
        (128, 256, 1, Window((1, 1), (2, 2)), tap_by_tap, tap_by_tap, tap_by_tap),
        (1, 1, 32, Window((3, 3), (2, 2), (1, 1, 1, 1)), depthwise, depthwise, depthwise),
        (1, 1, 32, Window((3, 3), (3, 3), (1, 1, 1, 1)), im2col_gemm, im2col_gemm, im2col_gemm),
        (1, 1, 32, Window((3, 3), padding=(0, 0, 3, 0)), depthwise, im2col_gemm, depthwise),
    ],
)
def test_choice(CG, OG, groups, window, y, dx, dw):
    layer = Layer(np.dtype(np.float32), 8, groups, CG, OG, 28, 28, window)
    assert [conv.method_for(layer, direction) for direction in ("y", "dx", "dw")] == [y, dx, dw]
    double = layer._replace(dtype=np.dtype(np.float64))
    assert {conv.method_for(double, direction) for direction in ("y", "dx", "dw")} == {im2col_gemm}
    assert conv.winograd_tile(layer) == conv.winograd_tile(double) == 0


def test_rows_that_do_not_fill_vectors_want_fewer_channels():
    layer = Layer(np.dtype(np.float32), 1, 1, 40, 40, 4 * LANES, 3 * LANES, Window((3, 3), (2, 2)))
    assert conv.method_for(layer, "y") is direct
    assert conv.method_for(layer._replace(OW=LANES // 2), "y") is tap_by_tap
    assert conv.method_for(layer._replace(OW=LANES // 2, OG=8), "y") is direct


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_winograd_for_many_channels_unless_something_is_not_finite(bad):
    layer = (8, 32, 9, 9), (32, 32, 3, 3), Window((3, 3), padding=(1, 1, 1, 1)), 1
    assert conv.winograd_tile(Layer(np.dtype(np.float32), 8, 1, 32, 32, 9, 9, layer[2]))
    check(cpu, *layer)
    for name, given in zip(DIRECTIONS, arguments(*layer), strict=True):
        given[0][3, 4, 5, 6] = bad
        with np.errstate(invalid="ignore"):
            got, expected = (getattr(m, name)(*given) for m in (cpu, kernel_cases))
        assert_near(got, expected, name)


# the pieces


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("M", "N"), [(1, 1), (3, 50), (LANES, LANES), (LANES + 1, 2 * LANES - 1), (40, 7), (50, 33)]
)
def test_transpose(dtype, M, N):
    source, target = numbers(M, N, dtype=dtype), np.full((N + 1, M + 2), 7, dtype)
    for_python(transpose)(source, target)
    assert np.array_equal(target[:N, :M], source.T)
    assert (target[N] == 7).all() and (target[:, M:] == 7).all()


@pytest.mark.parametrize(
    "window", [ANY, Window((3, 4), (2, 2), (2, 1, 3, 3), (2, 1)), Window((2, 3), (1, 3))]
)
def test_taps_of_a_strip_are_shifts(window):
    """What NumPy's sliding windows show of a padded picture lies in a strip at the tap's offset."""
    x = numbers(2, 12, 9)
    cells = kernel_cases.taps(x[None], window)[0]  # (C, OH, OW, KH, KW)
    (C, OH, OW), rows, row0 = cells.shape[:3], 3, 1
    shape = strips.strip_of(C, rows, OW, x.shape[2], window)
    flat = for_python(strips.empty_strip)(shape.shape, x)
    for_python(strips.fill_strip)(x, flat, shape.shape, row0 * window.stride[0], window.numbers())
    offsets = shape.offsets.reshape(C, *window.kernel)
    for (c, kh, kw), h in itertools.product(np.ndindex(offsets.shape), range(min(rows, OH - row0))):
        at = offsets[c, kh, kw] + h * shape.step
        assert np.array_equal(flat[at : at + OW], cells[c, row0 + h, :, kh, kw])


def test_spread_strip():
    dy, window = numbers(2, 3, 4), Window((3, 3), padding=(1, 0, 2, 0))
    shape = strips.strip_of(2, 7, 10, 10, window)
    flat = for_python(strips.empty_strip)(shape.shape, dy)
    for_python(strips.spread_strip)(dy, flat, shape.shape, 2, (3, 3, 2, 3, *window.numbers()[4:]))
    wide = np.zeros((2, 30, 20), np.float32)
    wide[:, 1:6:2, 2:12:3] = dy
    C, R, _, P = shape.shape
    assert np.array_equal(flat[: C * R * P].reshape(C, R, P), wide[:, 2 : 2 + R, :P])


# the compiled loops


def ones(*shape):
    return np.ones(shape, np.float32)


def tiles():
    """Name -> a kernel, arguments (tile sizes first), and the products of its tile."""
    strip, offsets, bias = ones(4096), np.zeros(direct.TAPS, np.int64), ones(direct.MR)
    rows, cols, few, many = direct.MR, direct.NV, direct.FEW, direct.WIDE
    y, panel = ones(rows, cols, LANES), ones(9, rows)
    given = (rows, cols, panel, offsets, strip, 8, bias, y, 0, 0, cols)
    yield "direct", direct.band_of_tiles, given, rows * cols
    given = (ones(9, LANES), offsets, strip, 8, ones(LANES), 5, 2, ones(10, LANES), 0)
    yield "direct, pixels", direct.band_of_pixels, given, direct.DOWN * direct.ACROSS
    sums = ones(direct.TAPS, 2 * LANES)
    given = (2, ones(18, 2 * LANES), strip, offsets, 8, 9, sums, 0, 0)
    yield "direct, sum over pixels", direct.sum_over_pixels, given, 2 * direct.TAPS
    panel, sums = ones(2, 3, few, LANES), ones(few, many, LANES)
    given = (panel, strip, offsets, 8, 2, 2 * LANES + 1, sums, 0)
    yield "direct, sum over places", direct.sum_over_places, given, few * many
    given = (2, ones(outer.ROWS, 9), ones(9, 2 * LANES), ones(outer.ROWS, 2 * LANES), 0)
    yield "outer", outer.outer_tile, given, 2 * outer.ROWS
    given = *(ones(2, *shape, LANES * 48) for shape in ((1,), (), (1,))), 24, np.arange(2), 0, 2, True
    yield "tap by tap", tap_by_tap.product, given, tap_by_tap.MR * tap_by_tap.NV
    y, weight = ones(1, 14, LANES), ones(1, 3, 3)
    given = (1, (0,) * 3, np.arange(3), strip, 1024, 32, weight, bias[:1], y, 0, 1, 0, 14)
    yield "depthwise", depthwise.sum_over_taps, given, 3 * depthwise.ROWS


@X86
@pytest.mark.parametrize(
    ("kernel", "given", "products"), [t[1:] for t in tiles()], ids=[t[0] for t in tiles()]
)
def test_tiles_stay_in_registers(kernel, given, products):
    function = compiled(kernel.py_func)
    function(*given)
    loop = innermost_loop("\n".join(function.inspect_asm().values()))
    assert sum("vfm" in line for line in loop) >= products
    assert spills(loop) == []


@X86
def test_large_depthwise_stays_in_registers():
    window, x, y = Window((3, 3), padding=(1, 1, 1, 1)), ones(1, 40, 40), ones(1, 40, 40)
    sees, sizes = depthwise_large.sight_of(40, 40, 40, 40, window, x.dtype), depthwise_large.tuples(window)
    function = compiled(depthwise_large.correlate.py_func)
    function(x, ones(9), False, ones(1), y, *sizes, sees.across, sees.columns, sees.rows, 1, 0, 1)
    loop = innermost_loop("\n".join(function.inspect_asm().values()))
    assert sum("vfm" in line for line in loop) == 3 * depthwise_large.ROWS
    assert sum("{z}" in line for line in loop) in (0, 2 + depthwise_large.ROWS)  # a load for each row of x
    assert spills(loop) == []


OTHER_CPU = """
import test_conv_methods as t
for layer in t.DIRECT.values():
    t.check(t.direct, *layer)
    t.check(t.im2col_gemm, *layer)
for layer in t.TAPS.values():
    t.check(t.tap_by_tap, *layer, 1)
t.test_depthwise((1, 2, 151, 149), (5, 3), t.depthwise)
t.test_depthwise((3, 9, 8, 40), (3, 3), t.depthwise)
t.test_depthwise((3, 9, 8, 40), (3, 3), t.depthwise_large)
t.test_pointwise(2, 70, 33, 9, 31)
t.test_transpose(t.np.float32, 50, 33)
print(t.LANES)
"""


@pytest.mark.slow
@pytest.mark.skipif("+avx2" not in simd.FEATURES or "+fma" not in simd.FEATURES, reason="needs AVX2")
@pytest.mark.parametrize(("name", "features", "lanes"), [("haswell", HASWELL, 8), ("generic", None, 4)])
def test_narrower_vectors(name, features, lanes):
    done = run(OTHER_CPU, NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES=features)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{lanes}\n"
