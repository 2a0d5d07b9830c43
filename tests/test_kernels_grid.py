"""The sampling kernels against SciPy and differences, and `grid_sample` where the table does not reach."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

import minicnn as mc
from emulator import kernels as emulated
from kernel_cases import DTYPES, assert_near, numbers
from minicnn.kernels import cpu, reference
from parity import assert_same

KERNELS = pytest.mark.parametrize("kernels", [reference, cpu, emulated])


def places(N, C, H, W, OH, OW, dtype=float):
    """Rows and columns in and around pictures; some are whole numbers."""
    rows, columns = numbers(N, OH, OW, seed=1) * H, numbers(N, OH, OW, seed=2) * W
    rows[..., 0], columns[..., -1] = np.round(rows[..., 0]), np.round(columns[..., -1])
    return rows.astype(dtype), columns.astype(dtype)


@given(st.tuples(*[st.integers(1, 3)] * 2, *[st.integers(1, 6)] * 4), st.sampled_from(DTYPES))
def test_sample(sizes, dtype):
    N, C, H, W, OH, OW = sizes
    rows, columns = places(*sizes, dtype=dtype)
    x, dy = numbers(N, C, H, W, dtype=dtype), numbers(N, C, OH, OW, dtype=dtype)
    expected = [[map_coordinates(plane, at, order=1, mode="grid-constant") for plane in picture]
                for picture, *at in zip(x.astype(float), rows, columns, strict=True)]  # fmt: skip
    for kernels in (reference, cpu, emulated):
        assert_near(kernels.sample(x, rows, columns), np.array(expected).astype(dtype))
        dx = kernels.sample_gradient(dy, rows, columns, (H, W))
        assert dx.shape == x.shape and dx.dtype == dtype
        assert np.vdot(dx, x) == pytest.approx(np.vdot(dy, expected), rel=1e-4, abs=1e-4)  # the transpose
    for ours, theirs in zip(
        (cpu.sample_gradient(dy, rows, columns, (H, W)), *cpu.sample_place_gradient(dy, x, rows, columns)),
        (reference.sample_gradient(dy, rows, columns, (H, W)),
         *reference.sample_place_gradient(dy, x, rows, columns)), strict=True,
    ):  # fmt: skip
        assert_near(ours, theirs)


@KERNELS
def test_place_gradient_against_differences(kernels):
    sizes, step = (2, 3, 4, 5, 3, 6), 1e-6
    (rows, columns), x, dy = (
        places(*sizes),
        numbers(2, 3, 4, 5, dtype=float),
        numbers(2, 3, 3, 6, dtype=float),
    )
    found = kernels.sample_place_gradient(dy, x, rows, columns)
    for gradient, (down, across) in zip(found, ((step, 0), (0, step)), strict=True):
        more = kernels.sample(
            x, rows + down, columns + across
        )  # to the right, where a whole number has a kink
        slope = (dy * (more - kernels.sample(x, rows, columns)) / step).sum(1)
        np.testing.assert_allclose(gradient, slope, atol=1e-5)


@KERNELS
def test_whole_places_take_one_cell(kernels):
    x = np.float32([[[[1, np.nan], [np.inf, 2]]]])
    rows, columns = np.float32([[[0, 1, -1, 7]]]), np.float32([[[0, 1, 0, -9]]])
    assert kernels.sample(x, rows, columns).tolist() == [[[[1, 2, 0, 0]]]]


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("corners", [True, False])
@given(st.integers(1, 5), st.lists(st.floats(-7, 7, width=32), min_size=1, max_size=6), st.booleans())
def test_any_place(padding, corners, size, at, nearest):
    """Away from kinks: there a rounding more or less decides."""
    slope = (size - 1) / 2 if corners else size / 2
    ats = (np.float64(at) + 1) * slope - (0 if corners else 0.5)
    at = np.float64(at)[np.abs(ats * 2 - np.round(ats * 2)) > 1e-3] if slope else np.zeros(0)
    grid = np.stack([at, at * 0.3], -1)[None, :, None]
    settings = {
        "mode": "nearest" if nearest else "bilinear",
        "padding_mode": padding,
        "align_corners": corners,
    }
    assert_same(
        lambda x, g: mc.nn.functional.grid_sample(x, g, **settings),
        lambda x, g: torch.nn.functional.grid_sample(x, g, **settings),
        numbers(1, 2, 1, size, dtype=float), grid,
    )  # fmt: skip


@KERNELS
def test_no_place_is_not_hidden(kernels):
    x, nan = np.float32([[[[1, 2], [3, 4]]]]), np.nan
    rows, columns = np.float32([[[nan, 0, nan, 5, 1e9]]]), np.float32([[[0, nan, nan, nan, 0]]])
    assert np.isnan(kernels.sample(x, rows, columns)).tolist() == [[[[True] * 4 + [False]]]]
    dy = np.ones((1, 1, 1, 5), np.float32)
    assert not kernels.sample_gradient(dy, rows, columns, (2, 2)).any()
    by_row, by_column = kernels.sample_place_gradient(dy, x, rows, columns)
    assert (np.isnan(by_row) == np.isnan(columns)).all()
    assert (np.isnan(by_column) == np.isnan(rows)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("corners", [True, False])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_no_place_at_all(padding, corners, mode, dtype):
    ats = [0.3, 3e9, 1e30, -1e30, np.nan, np.inf, -np.inf]
    grid = np.array([[[[a, b] for a in ats] for b in ats]], dtype)
    settings = {"mode": mode, "padding_mode": padding, "align_corners": corners}
    x = numbers(1, 2, 4, 5, dtype=dtype)
    deadly = slice(4 if padding != "zeros" and mode == "bilinear" else None)  # backward kills PyTorch
    found = []
    for m in (mc, torch):
        found.append([m.nn.functional.grid_sample(m.tensor(x), m.tensor(grid), **settings)])
        leaves = [m.tensor(a).requires_grad_() for a in (x, grid[:, deadly, deadly])]
        m.nn.functional.grid_sample(*leaves, **settings).sum().backward()
        found[-1] += [leaf.grad for leaf in leaves]
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("corners", [True, False])
@pytest.mark.parametrize("size", [2, 5, 11, 12, 28, 49])
def test_the_identity(size, corners, dtype):
    """It points at whole cells, up to a rounding that decides on the gradient: it must be PyTorch's."""
    theta = np.array([[[1, 0, 0], [0, 1, 0]]], dtype)

    def see(F):
        return lambda x, theta: F.grid_sample(
            x, F.affine_grid(theta, x.shape, corners), align_corners=corners
        )

    assert_same(
        *(see(m.nn.functional) for m in (mc, torch)), numbers(1, 2, size, size + 2, dtype=dtype), theta
    )


def test_only_wanted_gradients():
    x, grid = mc.rand(1, 2, 3, 4, requires_grad=True), mc.rand(1, 2, 2, 2)
    mc.nn.functional.grid_sample(x, grid).sum().backward()
    assert x.grad.shape == x.shape and grid.grad is None
    assert mc.nn.functional.grid_sample(x, grid).node.x is None  # the picture is for the grid's gradient only


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        ("grid_sample(m.ones(1, 1, 3, 4), m.zeros(1, 2, 2, 3))", RuntimeError, r"grid \(N, OH, OW, 2\)"),
        ("grid_sample(m.ones(1, 1, 3, 4), m.zeros(2, 2, 2, 2))", RuntimeError, r"\(2, 2, 2, 2\)"),
        ("grid_sample(m.ones(1, 3, 4), m.zeros(1, 2, 2, 2))", RuntimeError, r"\(1, 3, 4\)"),
        ("grid_sample(m.ones(1, 1, 3, 4), m.zeros(1, 2, 2, 2).double())", RuntimeError, "one dtype"),
        ("grid_sample(m.ones(1, 1, 0, 4), m.zeros(1, 2, 2, 2))", RuntimeError, "with cells"),
        ("grid_sample(m.ones(1, 1, 3, 4), m.zeros(1, 2, 2, 2), mode='cubic')", ValueError, "mode as one of"),
        ("grid_sample(m.ones(1, 1, 3, 4), m.zeros(1, 2, 2, 2), padding_mode='same')", ValueError, "'same'"),
        ("grid_sample([1], m.zeros(1, 2, 2, 2))", TypeError, "input to be a Tensor"),
        ("affine_grid(m.zeros(1, 3, 3), (1, 1, 2, 3))", ValueError, r"theta \(1, 2, 3\)"),
        ("affine_grid(m.zeros(2, 2, 3), (1, 1, 2, 3))", RuntimeError, r"theta \(1, 2, 3\) .* \(2, 2, 3\)"),
        ("affine_grid(m.zeros(1, 2, 3), (1, 1, 0, 3))", ValueError, "at least 1"),
        ("affine_grid(m.zeros(1, 2, 3), (1, 1, 3))", NotImplementedError, r"\(N, C, OH, OW\)"),
        ("affine_grid(m.zeros(1, 2, 3), (1, 1, 3, 3.0))", TypeError, "size as an int"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        eval(f"F.{call}", {"m": mc, "F": mc.nn.functional})
    with warnings.catch_warnings(action="ignore"), pytest.raises(error):  # of the default align_corners
        eval(f"F.{call}", {"m": torch, "F": torch.nn.functional})


def test_what_is_not_there():
    with pytest.raises(NotImplementedError, match=r"modes 'bilinear' and 'nearest', got 'bicubic'$"):
        mc.nn.functional.grid_sample(mc.ones(1, 1, 3, 4), mc.zeros(1, 2, 2, 2), "bicubic")
    with pytest.raises(NotImplementedError, match=r"input \(N, C, H, W\), got input \(1, 1, 2, 3, 4\)$"):
        mc.nn.functional.grid_sample(mc.ones(1, 1, 2, 3, 4), mc.zeros(1, 2, 2, 2, 3))
