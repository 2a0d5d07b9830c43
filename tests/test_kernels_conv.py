"""The convolution kernels: the reference against NumPy and PyTorch, the fast ones against the reference."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import kernel_cases
from emulator import kernels as emulated
from kernel_cases import DTYPES, assert_near, layouts, numbers, windows
from minicnn.kernels import cpu, reference
from minicnn.kernels.geometry import Window

KERNELS = pytest.mark.parametrize("kernels", [reference, cpu, emulated], ids=["reference", "cpu", "cuda"])
FAST = pytest.mark.parametrize("kernels", [cpu, emulated], ids=["cpu", "cuda"])
SQUARE = Window((3, 3))
SAME = Window((3, 3), padding=(1, 1, 1, 1))


def assert_same(ours, theirs, x_shape, weight_shape, window, groups, dtype=np.float32):
    """The same convolution and gradients from two modules."""
    O = weight_shape[0]
    x, weight = numbers(*x_shape, dtype=dtype), numbers(*weight_shape, dtype=dtype, seed=1)
    bias = numbers(O, dtype=dtype, seed=2)
    dy = numbers(x_shape[0], O, *window.output_size(*x_shape[2:]), dtype=dtype, seed=3)
    for name, arguments in (
        ("conv2d", (x, weight, bias, window, groups)),
        ("conv2d", (x, weight, None, window, groups)),
        ("conv2d_input_gradient", (dy, weight, x_shape, window, groups)),
        ("conv2d_weight_gradient", (dy, x, window, groups)),
        ("conv2d_bias_gradient", (dy,)),
    ):
        assert_near(getattr(ours, name)(*arguments), getattr(theirs, name)(*arguments), name)


@st.composite
def small_cases(draw):
    (window, H, W), groups, CG, OG = draw(windows()), *(draw(st.integers(1, 3)) for _ in range(3))
    N, O = draw(st.integers(1, 3)), groups * OG
    OH, OW = window.output_size(H, W)
    assume(N * O * OH * OW * CG * window.kernel[0] * window.kernel[1] < 3000)
    return (N, groups * CG, H, W), (O, CG, *window.kernel), window, groups


@settings(max_examples=30)
@given(small_cases())
def test_reference_against_numpy(case):
    assert_same(reference, kernel_cases, *case, np.float64)


@FAST
@settings(max_examples=40)
@given(case=small_cases(), dtype=st.sampled_from(DTYPES))
def test_against_reference(kernels, case, dtype):
    assert_same(kernels, reference, *case, dtype)


@KERNELS
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [
        ((1, 1), (0, 0), (1, 1), 1),
        ((2, 3), (1, 2), (1, 2), 1),
        ((1, 2), (2, 0), (2, 1), 2),
        ((2, 1), (1, 1), (1, 1), 4),
    ],
)
def test_against_torch(kernels, dtype, stride, padding, dilation, groups):
    window = Window((3, 2), stride, (padding[0], padding[0], padding[1], padding[1]), dilation)
    x, weight = numbers(2, 4, 7, 6, dtype=dtype), numbers(8, 4 // groups, 3, 2, dtype=dtype)
    bias = numbers(8, dtype=dtype)
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, weight, bias)]
    y = torch.nn.functional.conv2d(*leaves, stride, padding, dilation, groups)
    dy = numbers(*y.shape, dtype=dtype)
    y.backward(torch.tensor(dy))
    assert_near(kernels.conv2d(x, weight, bias, window, groups), y.detach().numpy())
    assert_near(kernels.conv2d_input_gradient(dy, weight, x.shape, window, groups), leaves[0].grad.numpy())
    assert_near(kernels.conv2d_weight_gradient(dy, x, window, groups), leaves[1].grad.numpy())
    assert_near(kernels.conv2d_bias_gradient(dy), leaves[2].grad.numpy())


AWKWARD = {  # x, weight, window, groups
    "one pixel": ((1, 1, 1, 1), (1, 1, 1, 1), Window((1, 1)), 1),
    "1x1 filters": ((3, 5, 7, 9), (11, 5, 1, 1), Window((1, 1)), 1),
    "1x1 filters, stride": ((2, 3, 8, 7), (4, 3, 1, 1), Window((1, 1), (3, 2)), 1),
    "a row": ((2, 3, 1, 40), (9, 3, 1, 5), Window((1, 5), (1, 1), (0, 0, 2, 2)), 1),
    "a column": ((2, 3, 40, 1), (9, 3, 5, 1), Window((5, 1), (1, 1), (2, 2, 0, 0)), 1),
    "filter of the picture's size": ((3, 2, 6, 5), (17, 2, 6, 5), Window((6, 5)), 1),
    "filter larger than the picture": ((2, 2, 2, 3), (3, 2, 5, 4), Window((5, 4), (1, 1), (3, 1, 0, 2)), 1),
    "larger in one direction": ((1, 2, 2, 30), (3, 2, 4, 3), Window((4, 3), (1, 2), (1, 1, 0, 0)), 1),
    "only padding above": ((2, 2, 4, 5), (3, 2, 2, 3), Window((2, 3), (1, 1), (5, 0, 0, 0)), 1),
    "only padding below and right": ((2, 2, 4, 5), (3, 2, 2, 3), Window((2, 3), (2, 1), (0, 5, 0, 7)), 1),
    "remainder below and right": ((2, 3, 11, 12), (5, 3, 3, 3), Window((3, 3), (4, 5)), 1),
    "stride beyond the kernel": ((2, 3, 20, 19), (5, 3, 2, 2), Window((2, 2), (7, 5)), 1),
    "stride beyond the picture": ((2, 3, 5, 4), (5, 3, 2, 2), Window((2, 2), (9, 9)), 1),
    "wide dilation": ((2, 3, 21, 23), (5, 3, 3, 3), Window((3, 3), (1, 1), (2, 0, 1, 3), (7, 9)), 1),
    "taps all in the padding": ((1, 1, 1, 1), (1, 1, 2, 2), Window((2, 2), (1, 1), (1, 1, 1, 1), (2, 2)), 1),
    "depthwise": ((2, 19, 9, 10), (19, 1, 3, 3), SAME, 19),
    "depthwise, two filters each": ((2, 5, 9, 10), (10, 1, 3, 3), Window((3, 3), (2, 2), (1, 0, 0, 1)), 5),
    "groups": ((3, 6, 9, 17), (9, 2, 3, 2), Window((3, 2)), 3),
    "more filters than a tile": ((2, 3, 5, 7), (41, 3, 3, 3), SQUARE, 1),
    "a row one vector wide": ((1, 2, 5, 18), (8, 2, 3, 3), SQUARE, 1),
    "a row one more than a vector": ((1, 2, 5, 19), (8, 2, 3, 3), SQUARE, 1),
    "a row one more than a tile": ((1, 2, 4, 51), (9, 2, 3, 3), SQUARE, 1),
    "first layer": ((5, 1, 28, 28), (32, 1, 3, 3), SQUARE, 1),
    "many channels": ((2, 70, 6, 5), (33, 70, 3, 3), SAME, 1),
}


@FAST
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_shapes(kernels, name, dtype):
    assert_same(kernels, kernel_cases, *AWKWARD[name], dtype)


# x, weight, window, groups; a band holds 1 << 17 numbers, a chunk of the weight gradient at least 1024 pixels
LARGE = {
    "several bands": ((2, 16, 60, 61), (8, 16, 3, 3), SAME, 1),
    "several bands, stride": ((2, 16, 121, 125), (8, 16, 3, 3), Window((3, 3), (2, 2), (1, 0, 2, 1)), 1),
    "several bands, groups": ((1, 64, 40, 45), (6, 32, 3, 3), SAME, 2),
    "a row beyond a band": ((2, 33, 4, 500), (3, 33, 3, 3), SAME, 1),
    "rows of bands in the ragged last": (
        (3, 24, 37, 41),
        (5, 24, 5, 3),
        Window((5, 3), (1, 1), (2, 2, 1, 1)),
        1,
    ),
    "a deep dot product": ((2, 2, 40, 40), (3, 2, 3, 3), SAME, 1),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_shapes(name):
    x_shape, weight_shape, window, groups = LARGE[name]
    assert_same(cpu, kernel_cases, x_shape, weight_shape, window, groups)


@FAST
@pytest.mark.parametrize("N", [1, 2, 7, 8, 9, 23])
@pytest.mark.parametrize("size", [(3, 5), (17, 19), (37, 31)])
def test_number_of_pictures(kernels, N, size):
    """The weight gradient sums pictures in chunks, small ones several at once."""
    assert_same(kernels, kernel_cases, (N, 2, *size), (5, 2, 3, 3), SAME, 1)


@FAST
@pytest.mark.parametrize("name", [name for name, _ in layouts((1, 1, 1, 1))])
def test_any_layout_in_memory(kernels, name):
    x, weight = dict(layouts((3, 4, 6, 7)))[name], dict(layouts((6, 2, 3, 2)))[name]
    window = Window((3, 2), (1, 2), (1, 0, 0, 1))
    dy = dict(layouts((3, 6, *window.output_size(6, 7))))[name]
    bias = np.broadcast_to(np.float32(0.5), 6)
    before = [a.copy() for a in (x, weight, dy)]
    assert_near(kernels.conv2d(x, weight, bias, window, 2), kernel_cases.conv2d(x, weight, bias, window, 2))
    dx, dweight = (dy, weight, x.shape, window, 2), (dy, x, window, 2)
    assert_near(kernels.conv2d_input_gradient(*dx), kernel_cases.conv2d_input_gradient(*dx))
    assert_near(kernels.conv2d_weight_gradient(*dweight), kernel_cases.conv2d_weight_gradient(*dweight))
    assert all(np.array_equal(a, b) for a, b in zip((x, weight, dy), before, strict=True))  # arguments stay


def test_read_only_and_unaligned_pictures():
    x, weight = numbers(2, 2, 5, 6), numbers(3, 2, 3, 3)
    expected = kernel_cases.conv2d(x, weight, None, SQUARE, 1)
    read_only = x.copy()
    read_only.setflags(write=False)
    unaligned = np.frombuffer(bytearray(b"." + x.tobytes()), np.float32, offset=1).reshape(x.shape)
    assert not unaligned.flags.aligned
    assert_near(cpu.conv2d(read_only, weight, None, SQUARE, 1), expected)
    assert_near(cpu.conv2d(unaligned, weight, None, SQUARE, 1), expected)


@KERNELS
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [3, 1])
def test_no_pictures(kernels, dtype, size):
    window, groups = (SQUARE, 2) if size == 3 else (Window((1, 1)), 1)
    x, weight = np.ones((0, 4, 5, 6), dtype), np.ones((6, 4 // groups, size, size), dtype)
    dy = np.ones((0, 6, *window.output_size(5, 6)), dtype)
    y = kernels.conv2d(x, weight, np.ones(6, dtype), window, groups)
    dx = kernels.conv2d_input_gradient(dy, weight, x.shape, window, groups)
    dweight = kernels.conv2d_weight_gradient(dy, x, window, groups)
    assert (y.shape, dx.shape, dweight.shape) == (dy.shape, x.shape, weight.shape)
    assert y.dtype == dx.dtype == dweight.dtype == dtype
    assert not dweight.any()


@FAST
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("at", [(0, 0, 0, 0), (0, 1, 2, 6), (1, 0, 4, 3), (1, 1, 4, 6)])
def test_bad_number_stays_in_its_windows(kernels, bad, at):
    """Vectors read past the end of a row; what they find there must not reach a result."""
    window = Window((2, 3), (2, 1), (1, 0, 0, 1))
    x, weight = np.ones((2, 2, 5, 7), np.float32), np.ones((3, 2, 2, 3), np.float32)
    x[at] = bad
    y = kernels.conv2d(x, weight, None, window, 1)
    hit = (kernel_cases.taps(x, window) == bad) | np.isnan(kernel_cases.taps(x, window))
    expected = np.repeat(hit.any(axis=(1, 4, 5))[:, None], 3, axis=1)
    assert expected.any()
    assert np.array_equal(~np.isfinite(y), expected)


@FAST
def test_bad_gradient_stays_in_its_cells(kernels):
    window, dy = Window((2, 3), (1, 1), (1, 0, 0, 2)), np.ones((1, 2, 5, 7), np.float32)
    dy[0, 1, 2, 6] = np.nan
    dx = kernels.conv2d_input_gradient(dy, np.ones((2, 3, 2, 3), np.float32), (1, 3, 5, 7), window, 1)
    places = np.argwhere(np.isnan(dx[0]))
    assert {tuple(p) for p in places} == {(c, h, 6) for c in range(3) for h in (1, 2)}
