"""Winograd's convolutions of interleaved pictures against sums in float64, and against PyTorch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import kernel_cases
from kernel_cases import assert_near, numbers, run
from minicnn.kernels.cpu import winograd as plain
from minicnn.kernels.cpu.interleaved import conv, winograd, winograd_products, winograd_tiles
from minicnn.kernels.cpu.interleaved.finish import MAX, MEAN, NONE, RELU, TANH
from minicnn.kernels.cpu.interleaved.layout import LANES, interleave, separate
from minicnn.kernels.geometry import Window
from test_simd import HASWELL, X86, compiled, innermost_loop, simd, spills
from test_winograd import ERRORS, matrix

NOTHING = (NONE, NONE, 1, 1)


@pytest.fixture(autouse=True)
def keep_choice(monkeypatch):
    monkeypatch.setattr(plain, "choice", plain.choice)


def arguments(B, C, H, W, O, padding):
    """x, weight, bias and dy of pictures beside each other (B * LANES, C, H, W)."""
    top, bottom, left, right = padding
    dy = numbers(B * LANES, O, H + top + bottom - 2, W + left + right - 2, seed=3)
    return numbers(B * LANES, C, H, W), numbers(O, C, 3, 3, seed=1), numbers(O, seed=2), dy


def directions(x, weight, bias, dy, padding):
    """The results of all three directions for pictures (N, C, H, W), and what kernel_cases says of them."""
    plain.choice, window = "f4", Window((3, 3), padding=padding)
    x5, dy5 = interleave(x), interleave(dy)
    y, same, index = winograd.forward(x5, weight, bias, window, NOTHING)
    assert same is y and index is None
    dx, dweight = winograd.gradients(dy5, x5, weight, x5.shape, window)
    yield separate(y), kernel_cases.conv2d(x, weight, bias, window, 1)
    yield separate(dx), kernel_cases.conv2d_input_gradient(dy, weight, x.shape, window, 1)
    yield dweight, kernel_cases.conv2d_weight_gradient(dy, x, window, 1)
    assert np.array_equal(winograd.gradients(dy5, None, weight, x5.shape, window)[0], dx)
    assert np.array_equal(winograd.gradients(dy5, x5, None, x5.shape, window)[1], dweight)


@pytest.mark.parametrize(
    ("shape", "O", "padding"),
    [
        ((1, 3, 1, 1), 2, (1, 1, 1, 1)),
        ((1, 1, 5, 3), 1, (0, 0, 0, 0)),
        ((2, 5, 7, 9), 17, (2, 1, 0, 2)),
        ((1, 33, 13, 11), 9, (0, 0, 0, 0)),
        ((2, 2, 3, 18), 35, (2, 2, 2, 2)),
        ((3, 18, 10, 4), 3, (0, 2, 1, 0)),
    ],
)
def test_all_directions(shape, O, padding):
    for got, expected in directions(*arguments(*shape, O, padding), padding):
        assert got.shape == expected.shape and got.dtype == np.float32
        assert_near(got, expected)


@settings(max_examples=10)
@given(st.data())
def test_any_shape(data):
    padding = tuple(data.draw(st.integers(0, 2)) for _ in range(4))
    H, W = (data.draw(st.integers(max(1, 3 - sum(sides)), 19)) for sides in (padding[:2], padding[2:]))
    B, C, O = (data.draw(st.integers(1, most)) for most in (2, 37, 37))
    results = directions(*arguments(B, C, H, W, O, padding), padding)
    sums = 9 * C, 9 * O, B * LANES * (H + sum(padding[:2]) - 2) * (W + sum(padding[2:]) - 2)
    for (got, expected), terms in zip(results, sums, strict=True):
        scale = max(abs(expected).max(), np.sqrt(terms))  # few results may all be small by chance
        np.testing.assert_allclose(got, expected, rtol=0, atol=4e-6 * scale)


@pytest.mark.parametrize("many", [64, 256])
def test_errors_are_as_documented(many):
    """Both ways of one layer wide: long sums round most."""
    for got, expected in directions(*arguments(1, many, 9, 9, many, (1, 1, 1, 1)), (1, 1, 1, 1)):
        assert np.abs(got - expected).max() <= ERRORS[4] * np.sqrt(np.mean(expected.astype(np.float64) ** 2))


@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (2, 1, 1, 0)])
def test_a_large_picture_is_cut_into_blocks(padding, monkeypatch):
    """Blocks of more than one row of tiles, the last one smaller; several blocks of channels, and chunks."""
    for cache in (1 << 12, 1 << 18, 1 << 30):
        monkeypatch.setattr(winograd, "CACHE", cache)
        for got, expected in directions(*arguments(2, 20, 23, 9, 40, padding), padding):
            assert_near(got, expected)


FINISHED = {
    (RELU, MAX, 2, 2): lambda y: torch.max_pool2d(torch.relu(y), 2),
    (TANH, MEAN, 2, 2): lambda y: torch.nn.functional.avg_pool2d(torch.tanh(y), 2),
    (RELU, MEAN, 3, 2): lambda y: torch.nn.functional.avg_pool2d(torch.relu(y), (3, 2)),
    (NONE, MAX, 5, 7): lambda y: torch.max_pool2d(y, (5, 7)),
    (RELU, NONE, 1, 1): torch.relu,
}


@pytest.mark.parametrize("how", FINISHED)
def test_what_follows(how):
    x, weight, bias, _ = arguments(2, 17, 13, 12, 19, (0, 0, 0, 0))
    weight /= 36  # small numbers, where tanh hides no error
    y = torch.conv2d(*(torch.tensor(a) for a in (x, weight, bias)))
    out, kept, index = winograd.forward(interleave(x), weight, bias, Window((3, 3)), how)
    assert_near(separate(out), FINISHED[how](y).numpy())
    assert (index is None) == (how[1] != MAX)
    assert (kept is None) == (how[1] == MAX)
    if kept is not None:
        assert_near(separate(kept), (torch.tanh if how[0] == TANH else torch.relu)(y).numpy())


@pytest.mark.parametrize("how", FINISHED)
def test_its_gradients(how):
    """Also where rows and columns that no window holds have none, and pixels that only those look at."""
    x, weight, bias, _ = arguments(2, 17, 13, 12, 19, (0, 0, 0, 0))
    weight /= 36
    given = [torch.tensor(a, requires_grad=True) for a in (x, weight, bias)]
    result = FINISHED[how](torch.conv2d(*given))
    dout, inside, window = numbers(*result.shape), interleave(x), Window((3, 3))
    result.backward(torch.tensor(dout))
    kept = conv.conv2d(inside, weight, bias, window, how, True)
    got = conv.conv2d_gradients(interleave(dout), kept, how, inside, weight, inside.shape, window)
    for gradient, of in zip((separate(got[0]), *got[1:]), given, strict=True):
        assert_near(gradient, of.grad.numpy())


@pytest.mark.parametrize("what", ["x", "weight"])
@pytest.mark.parametrize("choice", ["f4", False])
def test_not_finite_where_no_window_looks(what, choice):
    """The result is finite, but a gradient is 0 times NaN: as PyTorch's."""
    plain.choice, window, how = choice, Window((3, 3)), (RELU, MAX, 2, 2)
    x, weight, bias, _ = arguments(1, 16, 13, 13, 16, (0, 0, 0, 0))
    if what == "x":
        x[3, 5, 12, 4] = np.nan
    inside = interleave(x)
    kept = conv.conv2d(inside, weight, bias, window, how, True)
    assert np.isfinite(kept[0]).all()
    given = [torch.tensor(a, requires_grad=True) for a in (x, weight, bias)]
    result = FINISHED[how](torch.conv2d(*given))
    dout = numbers(*result.shape)
    if what == "weight":  # spoilt between the two passes, or there would be nothing but NaN
        weight[2, 7, 1, 1] = np.nan
        given[1].data[2, 7, 1, 1] = np.nan
    result.backward(torch.tensor(dout))
    got = conv.conv2d_gradients(interleave(dout), kept, how, inside, weight, inside.shape, window)
    for gradient, of in zip((separate(got[0]), *got[1:]), given, strict=True):
        assert_near(gradient, of.grad.numpy())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite(value):
    """In x or dy or weight: None, as a tile would spread them."""
    window, (x, weight, bias, dy) = Window((3, 3)), arguments(1, 16, 7, 6, 16, (0, 0, 0, 0))
    spoilt = [a.copy() for a in (x, weight, dy)]
    for a in spoilt:
        a.flat[a.size // 2] = value
    x5, dy5, bad_x, bad_dy = (interleave(a) for a in (x, dy, spoilt[0], spoilt[2]))
    assert winograd.forward(bad_x, weight, bias, window, NOTHING) is None
    assert winograd.forward(x5, spoilt[1], bias, window, NOTHING) is None
    assert winograd.forward(x5, weight, np.full_like(bias, value), window, NOTHING) is None
    for arrays in ((bad_dy, x5, weight), (dy5, bad_x, weight), (dy5, x5, spoilt[1])):
        assert winograd.gradients(*arrays, x5.shape, window) is None
    assert winograd.gradients(bad_dy, None, weight, x5.shape, window) is None
    assert winograd.gradients(bad_dy, x5, None, x5.shape, window) is None
    assert winograd.forward(x5, weight, None, window, NOTHING) is not None


def test_choice():
    window, suits = Window((3, 3)), winograd.suits
    assert suits(32, 64, 11, 11, window)
    assert suits(16, 16, 6, 6, window)
    assert not suits(1, 64, 11, 11, window)
    assert not suits(32, 64, 5, 5, window)  # four tiles, less than half full
    assert not suits(64, 64, 4, 4, window)  # one tile, which half of a product's registers would be for
    for other in (Window((3, 3), stride=(2, 2)), Window((3, 1)), Window((3, 3), padding=(3, 0, 0, 0))):
        assert not suits(32, 64, 11, 11, other)
    plain.choice = "f4"
    assert suits(1, 64, 1, 2, window)
    assert not suits(1, 64, 0, 2, window)
    x, weight, bias, dy = arguments(1, 32, 7, 7, 32, (0, 0, 0, 0))
    x, dy = interleave(x), interleave(dy)
    for plain.choice in ("f2", False):
        assert winograd.forward(x, weight, bias, window, NOTHING) is None
        assert winograd.gradients(dy, x, weight, x.shape, window) is None


def of_tiles(name, columns):
    """The matrix (6, columns) that a formula of winograd_tiles.py multiplies by."""
    formula = getattr(winograd_tiles, name)
    formula, result = getattr(formula, "py_func", formula), np.zeros((6, columns))
    for i, unit in enumerate(np.eye(columns)):
        formula(unit[None], result[:, i:], 0)
    return result


def test_patches_are_made_by_the_transposed_matrix():
    np.testing.assert_allclose(of_tiles("spread_4", 6), matrix("input", 4, 6, 6).T, atol=0)
    without = np.delete(of_tiles("spread_pair", 6), [2, 3], 0)
    np.testing.assert_allclose(without, of_tiles("input_pair", 4).T, atol=0)
    np.testing.assert_allclose(of_tiles("gradient_pair", 2), of_tiles("output_pair", 6)[:2].T, atol=0)


def test_a_pair_takes_the_filters_of_four():
    """A' [(G g) * (B' d)] is the sum of g[k] d[i+k] without two of the points, too."""
    G, B, A = matrix("filter", 4, 6, 3), of_tiles("input_pair", 4), of_tiles("output_pair", 6)[:2]
    for i, k, j in np.ndindex(2, 3, 4):
        assert np.sum(A[i] * G[:, k] * B[:, j]) == pytest.approx(float(i + k == j), abs=1e-6)


THREADS = """
import hashlib
import numpy as np
from minicnn.kernels import threads
from minicnn.kernels.cpu.interleaved import interleave, winograd
from minicnn.kernels.geometry import Window
from test_interleaved_winograd import arguments

padding = 1, 0, 1, 2
x, weight, bias, dy = arguments(3, 33, 15, 9, 40, padding)
x, dy, window = interleave(x), interleave(dy), Window((3, 3), padding=padding)

def digests():
    out, _, index = winograd.forward(x, weight, bias, window, (1, 1, 2, 2))
    arrays = out, index, *winograd.gradients(dy, x, weight, x.shape, window)
    return [hashlib.sha256(a.tobytes()).hexdigest() for a in arrays]

threads.count = 1
expected = digests()
for threads.count in (2, 3, 4):
    print(digests() == expected)
"""


def test_the_number_of_threads_changes_no_bit():
    done = run(THREADS, NUMBA_NUM_THREADS="4")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True\n" * 3


@X86
@pytest.mark.parametrize("width", [2, 3, None])
def test_tiles_stay_in_registers(width):
    E, U = (np.ones((2, *shape, LANES), np.float32) for shape in ((3, 33), (1, 33)))
    block = (1, width or 3, 0, 0)
    if width is None:
        function, given = winograd_products.outer_products, (E, E, E, 2 * LANES, 16, block, False)
    else:
        function, given = winograd_products.product, (width, U, E, E, 33, 16, 0, block)
    function = compiled(function.py_func)
    function(*given)
    loop = innermost_loop("\n".join(function.inspect_asm().values()))
    assert sum("vfm" in line for line in loop) >= winograd_products.MR * (width or winograd_products.NV)
    assert spills(loop) == []


OTHER_CPU = """
import test_interleaved_winograd as t
arguments = t.arguments(2, 37, 11, 9, 19, (1, 0, 2, 1))
for got, expected in t.directions(*arguments, (1, 0, 2, 1)):
    t.assert_near(got, expected)
print(t.LANES)
"""


@pytest.mark.slow
@pytest.mark.skipif("+avx2" not in simd.FEATURES or "+fma" not in simd.FEATURES, reason="needs AVX2")
@pytest.mark.parametrize(("name", "features", "lanes"), [("haswell", HASWELL, 8), ("generic", None, 4)])
def test_narrower_vectors(name, features, lanes, tmp_path):
    done = run(OTHER_CPU, NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES=features, NUMBA_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{lanes}\n"
