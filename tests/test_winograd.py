"""Winograd's convolutions against sums in float64, and the matrices of their transforms."""

import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import kernel_cases
import minicnn as mc
from kernel_cases import assert_near, in_parts, numbers, run
from minicnn.kernels.cpu import winograd, winograd_products
from minicnn.kernels.cpu import winograd_transforms as transforms
from minicnn.kernels.geometry import Window
from test_kernel_safety import FENCES
from test_simd import HASWELL, X86, compiled, innermost_loop, simd, spills

SIZE = pytest.mark.parametrize("m", [2, 4])
ERRORS = {2: 3e-6, 4: 2e-5}  # as winograd.py tells them


def matrix(name, m, rows, columns):
    """The matrix that a formula multiplies by."""
    formula = getattr(transforms, f"{name}_{m}")
    formula = getattr(formula, "py_func", formula)
    result = np.zeros((rows, columns))
    for i, unit in enumerate(np.eye(columns)):
        formula(unit[None], result[:, i:], 0)
    return result


@SIZE
def test_transforms_make_a_filter_slide(m):
    """A' [(G g) * (B' d)] is the sum of g[k] d[i+k], whatever g and d are."""
    a = m + 2
    inputs, filters, outputs = matrix("input", m, a, a), matrix("filter", m, a, 3), matrix("output", m, m, a)
    taps = np.einsum("ie,ek,ej->ikj", outputs, filters, inputs)
    i, k, j = np.indices(taps.shape)
    np.testing.assert_allclose(taps, i + k == j, atol=1e-14)
    np.testing.assert_allclose(matrix("gradient", m, a, m), outputs.T, atol=0)
    np.testing.assert_allclose(matrix("filter_gradient", m, 3, a), filters.T, atol=1e-16)


@SIZE
def test_matrices_in_the_docstring(m):
    """They stand side by side: a row of B', one of G, and one of A' as long as there are any."""
    a = m + 2
    text = transforms.__doc__.split("    B' = ")[m // 2].splitlines()[:a]
    rows = [[float(Fraction(n)) for n in re.findall(r"-?\d+(?:/\d+)?", line)] for line in text]
    np.testing.assert_allclose([row[:a] for row in rows], matrix("input", m, a, a), atol=1e-16)
    np.testing.assert_allclose([row[a : a + 3] for row in rows], matrix("filter", m, a, 3), atol=1e-15)
    np.testing.assert_allclose([row[a + 3 :] for row in rows[:m]], matrix("output", m, m, a), atol=1e-16)


def directions(x, weight, bias, dy, padding, m):
    """The results of all three directions, and what kernel_cases says of them."""
    window = Window((3, 3), padding=padding)
    yield winograd.forward(x, weight, bias, padding, m), kernel_cases.conv2d(x, weight, bias, window, 1)
    yield (
        winograd.input_gradient(dy, weight, x.shape, padding, m),
        kernel_cases.conv2d_input_gradient(dy, weight, x.shape, window, 1),
    )
    yield winograd.weight_gradient(dy, x, padding, m), kernel_cases.conv2d_weight_gradient(dy, x, window, 1)


def arguments(N, C, H, W, O, padding):
    top, bottom, left, right = padding
    dy = numbers(N, O, H + top + bottom - 2, W + left + right - 2, seed=3)
    return numbers(N, C, H, W), numbers(O, C, 3, 3, seed=1), numbers(O, seed=2), dy


@SIZE
@settings(max_examples=30)
@given(st.data())
def test_any_shape(m, data):
    padding = tuple(data.draw(st.integers(0, 2)) for _ in range(4))
    H, W = (data.draw(st.integers(max(1, 3 - sum(sides)), 23)) for sides in (padding[:2], padding[2:]))
    N, C, O = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 37)), data.draw(st.integers(1, 37))
    results = directions(*arguments(N, C, H, W, O, padding), padding, m)
    sums = 9 * C, 9 * O, N * (H + sum(padding[:2]) - 2) * (W + sum(padding[2:]) - 2)
    for (got, expected), terms in zip(results, sums, strict=True):
        scale = max(abs(expected).max(), np.sqrt(terms))  # few results may all be small by chance
        np.testing.assert_allclose(got, expected, rtol=0, atol=4e-6 * scale)


@SIZE
@pytest.mark.parametrize(
    "shape", [(2, 70, 6, 5, 33), (3, 5, 41, 38, 35), (40, 67, 5, 7, 3), (1, 130, 9, 33, 66)]
)
def test_several_blocks_slices_and_panels(m, shape):
    padding = (1, 1, 1, 1)
    for got, expected in directions(*arguments(*shape, padding), padding, m):
        assert_near(got, expected)


@SIZE
def test_no_bias_and_any_layout_in_memory(m):
    padding = (1, 0, 2, 1)
    x, weight, _, dy = arguments(3, 4, 6, 7, 5, padding)
    x, weight, dy = (np.asfortranarray(a)[::-1] for a in (x, weight, dy))
    for got, expected in directions(x, weight, None, dy, padding, m):
        assert_near(got, expected)


@SIZE
@pytest.mark.parametrize("shape", [(7, 3, 19, 23, 40), (2, 40, 7, 7, 70), (3, 5, 61, 58, 9)])
def test_same_bits_however_the_jobs_are_shared(m, shape, monkeypatch):
    x, weight, bias, dy = arguments(*shape, (1, 1, 1, 1))

    def results(parts):
        monkeypatch.setattr(winograd, "run", in_parts(parts))
        yield winograd.forward(x, weight, bias, (1, 1, 1, 1), m)
        yield winograd.input_gradient(dy, weight, x.shape, (1, 1, 1, 1), m)
        yield winograd.weight_gradient(dy, x, (1, 1, 1, 1), m)

    alone = list(results(1))
    for parts in (2, 3, 5):
        for ours, theirs in zip(results(parts), alone, strict=True):
            assert np.array_equal(ours, theirs)


@SIZE
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_what_is_not_finite_is_left_to_others(m, bad):
    sound = arguments(2, 3, 9, 8, 5, (1, 1, 1, 1))
    for i in range(4):
        spoilt = [a.copy() for a in sound]
        spoilt[i].flat[-1] = bad
        x, weight, bias, dy = spoilt
        used = (0, 1, 2), (1, 3), (0, 3)
        with np.errstate(all="ignore"):
            done = [got for got, _ in directions(x, weight, bias, dy, (1, 1, 1, 1), m)]
        for result, inputs in zip(done, used, strict=True):
            if i not in inputs:
                assert np.isfinite(result).all()
            elif i != 2 or not np.isfinite(bad):  # a large bias is no harm
                assert result is None


@SIZE
def test_relu_on_the_way(m):
    x, weight, bias, _ = arguments(2, 18, 9, 7, 35, (1, 1, 1, 1))
    y = winograd.forward(x, weight, bias, (1, 1, 1, 1), m)
    assert np.array_equal(winograd.forward(x, weight, bias, (1, 1, 1, 1), m, relu=True), np.maximum(y, 0))
    x[1, 2, 3, 4] = np.nan  # which no comparison may lose
    assert winograd.forward(x, weight, bias, (1, 1, 1, 1), m, relu=True) is None


def errors(got, exact):
    """The largest error, by the root mean square and by the largest of the exact numbers."""
    error = abs(got - exact).max()
    return error / np.sqrt(np.square(exact).mean()), error / abs(exact).max()


@SIZE
@pytest.mark.parametrize(("C", "side", "N"), [(64, 28, 2), (128, 14, 3), (256, 7, 4), (512, 7, 2)])
def test_documented_errors(m, C, side, N):
    """Also within the tolerance of all convolutions, so that "auto" may take it."""
    padding = (1, 1, 1, 1)
    x, weight, _, dy = arguments(N, C, side, side, C, padding)
    leaves = [torch.tensor(a.astype(float), requires_grad=True) for a in (x, weight)]
    y = torch.nn.functional.conv2d(*leaves, padding=1)
    y.backward(torch.tensor(dy.astype(float)))
    exact = y.detach(), leaves[0].grad, leaves[1].grad
    got = (
        winograd.forward(x, weight, None, padding, m),
        winograd.input_gradient(dy, weight, x.shape, padding, m),
        winograd.weight_gradient(dy, x, padding, m),
    )
    for ours, right in zip(got, exact, strict=True):
        by_mean, by_largest = errors(ours, right.numpy())
        assert ERRORS[m] / 10 < by_mean < ERRORS[m]
        assert by_largest < 4e-6  # assert_near's


def test_setting(monkeypatch):
    monkeypatch.setattr(winograd, "choice", "auto")
    layer = 8, 64, 64, 14, 14, Window((3, 3), padding=(1, 1, 1, 1))
    assert mc.backends.cpu.winograd == "auto"
    assert winograd.tile_size(*layer) == 4
    for choice, m in (("f2", 2), ("f4", 4), (False, 0)):
        mc.backends.cpu.winograd = choice
        assert mc.backends.cpu.winograd == choice
        assert winograd.tile_size(*layer) == m
    for wrong in ("f3", True, None, 4):
        with pytest.raises(RuntimeError, match=rf"cpu\.winograd: expected one of \('auto',.* got {wrong!r}"):
            mc.backends.cpu.winograd = wrong
    assert mc.backends.cpu.winograd is False


@pytest.mark.parametrize("choice", ["auto", "f2", "f4"])
def test_layers_it_is_not_for(choice, monkeypatch):
    monkeypatch.setattr(winograd, "choice", choice)
    for window in (
        Window((3, 2)),
        Window((3, 3), (1, 2)),
        Window((3, 3), dilation=(2, 1)),
        Window((3, 3), padding=(0, 0, 3, 0)),
        Window((3, 3), padding=(0, 0, -1, 0)),
    ):
        assert winograd.tile_size(8, 64, 64, 14, 14, window) == 0
    assert winograd.tile_size(0, 64, 64, 14, 14, Window((3, 3))) == 0


def test_automatic_choice(monkeypatch):
    monkeypatch.setattr(winograd, "choice", "auto")
    assert [
        winograd.tile_size(N, C, O, side, side, Window((3, 3)))
        for N, C, O, side in (
            (8, 64, 64, 14),
            (8, 64, 64, 6),  # nine tiles of 16 products or four of 36: as many
            (32, 64, 64, 2),  # one of 16, or one of 36
            (1, 64, 64, 7),  # four tiles do not pay
            (64, 3, 64, 56),  # nor do three channels
            (64, 64, 3, 56),
            (8, 16, 32, 14),
            (8, 24, 24, 14),
            (8, 16, 16, 14),  # nor two times sixteen
            (8, 8, 64, 14),
        )
    ] == [4, 2, 2, 0, 0, 0, 4, 4, 0, 0]


@X86
def test_tiles_stay_in_registers():
    L, NV = transforms.L, winograd_products.NV
    rows = max(winograd_products.MR, 2 * winograd_products.DEPTH)
    V, M, U = (np.ones((count, 3, rows * L), np.float32) for count in (2, NV, NV))
    for kernel, tile, arguments in (
        (winograd_products.product, winograd_products.MR * NV, (V, U, M, winograd_products.MR, 0, 1, 0)),
        (winograd_products.outer_product, winograd_products.UR * NV, (V, M, U, rows, 0, 1, False)),
    ):
        function = compiled(kernel.py_func)
        function(*arguments)
        loop = innermost_loop("\n".join(function.inspect_asm().values()))
        assert sum("vfm" in line for line in loop) >= tile
        assert spills(loop) == []


GUARDED = """
import sys
import minicnn as mc

mc.backends.cpu.winograd = sys.argv.pop()
import guarded
"""


@FENCES
@SIZE
@pytest.mark.parametrize("at", ["start", "end"])
def test_nothing_outside_the_arrays_is_touched(m, at):
    done = run(GUARDED, "cpu", at, f"f{m}")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 100


OTHER_CPU = """
import test_winograd
for m in (2, 4):
    for got, expected in test_winograd.directions(
        *test_winograd.arguments(2, 37, 11, 9, 19, (1, 0, 2, 1)), (1, 0, 2, 1), m
    ):
        test_winograd.assert_near(got, expected)
print(test_winograd.winograd.L)
"""


@pytest.mark.slow
@pytest.mark.skipif("+avx2" not in simd.FEATURES or "+fma" not in simd.FEATURES, reason="needs AVX2")
@pytest.mark.parametrize(("name", "features", "lanes"), [("haswell", HASWELL, 8), ("generic", None, 4)])
def test_narrower_vectors(name, features, lanes):
    done = run(OTHER_CPU, NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES=features)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{lanes}\n"
