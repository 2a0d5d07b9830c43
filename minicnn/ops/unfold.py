"""im2col as an operation: the cells under each window as a column, and back."""

import math

from minicnn.autograd import Function
from minicnn.device import array_module
from minicnn.kernels.geometry import Window


class Unfold(Function):
    """The columns (N, C*KH*KW, OH*OW) under the windows of x (N, C, H, W)."""

    def forward(self, x, window: Window):
        check_fits("unfold", x.shape, window)
        self.shape, self.window = x.shape, window
        return columns_of(x, window)

    def backward(self, grad):
        return picture_of(grad, self.shape, self.window)


class Fold(Function):
    """The picture (N, C, H, W) to which the columns x (N, C*KH*KW, OH*OW) add up; size is (H, W)."""

    def forward(self, x, size: tuple[int, int], window: Window):
        taps = math.prod(window.kernel)
        if x.ndim != 3 or x.shape[1] % taps or not x.shape[1]:
            raise RuntimeError(f"fold: expected x (N, C * {taps}, L), got {x.shape}")
        shape = (len(x), x.shape[1] // taps, *size)
        check_fits("fold", shape, window)
        count = math.prod(window.output_size(*size))
        if x.shape[2] != count:
            raise RuntimeError(f"fold: expected a column for each of {count} windows, got {x.shape}")
        self.window = window
        return picture_of(x, shape, window)

    def backward(self, grad):
        return columns_of(grad, self.window)


def columns_of(x, window):
    """im2col: a row of all places for each tap."""
    N, C, H, W = x.shape
    top, bottom, left, right = window.padding
    xp, (OH, OW) = array_module(x), window.output_size(H, W)
    picture = xp.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    out = xp.empty((N, C, *window.kernel, OH, OW), x.dtype)
    for kh, kw, rows, columns in taps(window, OH, OW):
        out[:, :, kh, kw] = picture[:, :, rows, columns]
    return out.reshape(N, C * math.prod(window.kernel), OH * OW)


def picture_of(x, shape, window):
    """col2im: each number added to where im2col takes it from."""
    N, C, H, W = shape
    top, _, left, _ = window.padding
    OH, OW = window.output_size(H, W)
    x = x.reshape(N, C, *window.kernel, OH, OW)
    picture = array_module(x).zeros((N, C, *window.padded_size(H, W)), x.dtype)
    for kh, kw, rows, columns in taps(window, OH, OW):
        picture[:, :, rows, columns] += x[:, :, kh, kw]
    return picture[:, :, top : top + H, left : left + W]


def taps(window, OH, OW):
    """Each tap of the window, with the rows and columns of the padded picture that it meets."""
    KH, KW, SH, SW, _, _, DH, DW = window.numbers()
    for kh in range(KH):
        for kw in range(KW):
            rows = slice(kh * DH, kh * DH + (OH - 1) * SH + 1, SH)
            yield kh, kw, rows, slice(kw * DW, kw * DW + (OW - 1) * SW + 1, SW)


def check_fits(name, shape, window):
    """Raise RuntimeError unless at least one window fits into the picture."""
    if len(shape) != 4 or not shape[1]:
        raise RuntimeError(f"{name}: expected x (N, C, H, W) or (C, H, W), got {shape}")
    if min(window.output_size(*shape[2:])) < 1:
        raise RuntimeError(
            f"{name}: the kernel spans {window.extent()} but the padded picture has only "
            f"{window.padded_size(*shape[2:])} (picture {shape})"
        )
