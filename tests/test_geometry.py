"""The window that slides over a plane, against counting by hand and PyTorch's result shapes."""

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from kernel_cases import windows
from minicnn.kernels.geometry import Window


def count(size, before, after, k, stride, dilation):
    """Try every place: those where all taps lie on the padded line."""
    length = size + before + after
    return sum(start + (k - 1) * dilation < length for start in range(0, length, stride))


@given(windows())
def test_counts_the_places_where_all_taps_fit(case):
    window, H, W = case
    top, bottom, left, right = window.padding
    (KH, KW), (SH, SW), (DH, DW) = window.kernel, window.stride, window.dilation
    expected = count(H, top, bottom, KH, SH, DH), count(W, left, right, KW, SW, DW)
    assert window.output_size(H, W) == expected
    assert min(expected) >= 1


@given(
    *(
        st.tuples(st.integers(low, high), st.integers(low, high))
        for low, high in ((1, 5), (1, 4), (1, 3), (1, 9))
    ),
    st.integers(0, 2),
    st.booleans(),
)
def test_pooling_has_pytorchs_shapes(kernel, stride, dilation, size, padding, ceil_mode):
    assume(2 * padding <= min(kernel))
    window = Window(kernel, stride, (padding,) * 4, dilation, ceil_mode)
    x = torch.zeros(1, 1, *size)
    try:
        y = torch.nn.functional.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)
    except RuntimeError:  # the plane is too small
        assert min(window.output_size(*size)) < 1
    else:
        assert window.output_size(*size) == y.shape[2:]


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "floor", "ceil"),
    [
        (5, 2, 2, 0, 2, 3),  # the last window sticks out by one
        (4, 2, 2, 0, 2, 2),  # nothing is left over
        (5, 2, 3, 0, 2, 2),
        (4, 3, 2, 1, 2, 3),
        (3, 2, 2, 1, 2, 2),  # a third window would begin in the padding below
        (2, 3, 2, 0, 0, 1),  # it sticks out, but begins inside
    ],
)
def test_ceil_mode_by_hand(size, kernel, stride, padding, floor, ceil):
    def outputs(ceil_mode):
        return Window((kernel, 1), (stride, 1), (padding, padding, 0, 0), (1, 1), ceil_mode).output_size(
            size, 1
        )

    assert outputs(False) == (floor, 1)
    assert outputs(True) == (ceil, 1)


@pytest.mark.parametrize("size", [(4, 9), (9, 6), (1, 1)])
def test_too_small_a_plane_has_no_windows(size):
    assert min(Window((5, 3), dilation=(1, 3)).output_size(*size)) < 1


def test_each_side_has_its_own_padding():
    window = Window((2, 2), padding=(1, 2, 3, 4))
    assert window.output_size(5, 5) == (5 + 1 + 2 - 1, 5 + 3 + 4 - 1)
    assert window.numbers() == (2, 2, 1, 1, 1, 3, 1, 1)  # what is read from the top and left corner


def test_extent():
    assert Window((1, 4), dilation=(5, 3)).extent() == (1, 10)


def test_windows_are_values():
    assert Window((3, 3)) == Window((3, 3), (1, 1), (0, 0, 0, 0), (1, 1))
    assert len({Window((3, 3)), Window((3, 3)), Window((3, 3), (2, 1))}) == 2
    with pytest.raises(AttributeError, match="can't set attribute"):
        Window((3, 3)).stride = (2, 2)


@given(windows(pooling=True))
def test_always_meets_asks_for_a_tap_inside(case):
    window, H, W = case
    inside = [
        any(0 <= i * step - before + k * apart < size for k in range(taps))
        for size, count, taps, step, before, apart in (
            (
                H,
                window.output_size(H, W)[0],
                window.kernel[0],
                window.stride[0],
                window.padding[0],
                window.dilation[0],
            ),
            (
                W,
                window.output_size(H, W)[1],
                window.kernel[1],
                window.stride[1],
                window.padding[2],
                window.dilation[1],
            ),
        )
        for i in range(count)
    ]
    assert window.always_meets(H, W) == all(inside)


def test_always_meets():
    assert not Window((2, 2), (1, 1), (1, 1, 1, 1), (2, 2)).always_meets(
        1, 40
    )  # rows -1 and 1 of a plane of one
    assert Window((2, 2), (1, 1), (1, 1, 1, 1), (2, 2)).always_meets(2, 40)
