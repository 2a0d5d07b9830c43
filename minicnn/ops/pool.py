"""Pooling: the checks, and the gradients."""

from functools import lru_cache

from minicnn.autograd import Function
from minicnn.device import kernels_for
from minicnn.kernels.geometry import Window
from minicnn.ops.conv import FLOATS


class MaxPool2d(Function):
    """The largest value in each window of x (N, C, H, W); `index` keeps where it was in its plane (int32).

    A list `places` gets the index too.
    """

    silent = True

    def forward(self, x, window: Window, places: list | None = None):
        check_pool2d("max_pool2d", x, window)
        self.shape, self.window = x.shape, window
        out, self.index = kernels_for(x).max_pool2d(x, window)
        if places is not None:
            places.append(self.index)
        return out

    def backward(self, grad):
        return kernels_for(grad).max_pool2d_gradient(grad, self.index, self.shape)


class AvgPool2d(Function):
    """The mean of each window of x (N, C, H, W). `how`: window, count_include_pad, divisor (0: the count)."""

    silent = True

    def forward(self, x, how: tuple[Window, bool, int]):
        check_pool2d("avg_pool2d", x, how[0])
        self.shape, self.how = x.shape, how
        return kernels_for(x).avg_pool2d(x, *how)

    def backward(self, grad):
        return kernels_for(grad).avg_pool2d_gradient(grad, self.shape, *self.how)


class AdaptiveMaxPool2d(Function):
    """The largest value in each of OH x OW windows that share x (N, C, H, W) evenly; `places` as above."""

    def forward(self, x, size: tuple[int, int], places: list | None = None):
        check_adaptive("adaptive_max_pool2d", x)
        self.shape = x.shape
        out, self.index = kernels_for(x).adaptive_max_pool2d(x, size)
        if places is not None:
            places.append(self.index)
        return out

    def backward(self, grad):
        return kernels_for(grad).max_pool2d_gradient(grad, self.index, self.shape)


class AdaptiveAvgPool2d(Function):
    """The mean of each of OH x OW windows that share x (N, C, H, W) evenly."""

    def forward(self, x, size: tuple[int, int]):
        check_adaptive("adaptive_avg_pool2d", x)
        self.shape = x.shape
        return kernels_for(x).adaptive_avg_pool2d(x, size)

    def backward(self, grad):
        return kernels_for(grad).adaptive_avg_pool2d_gradient(grad, self.shape)


def check_adaptive(name, x):
    """Raise RuntimeError unless x can be shared among windows."""
    if x.ndim != 4 or not all(x.shape[1:]):
        raise RuntimeError(f"{name}: expected x (N, C, H, W) or (C, H, W) with cells in it, got {x.shape}")
    if x.dtype not in FLOATS:
        raise RuntimeError(f"{name}: expected float32 or float64, got {x.dtype}")


def check_pool2d(name, x, window):
    """Raise RuntimeError unless the windows fit."""
    if x.ndim != 4:
        raise RuntimeError(f"{name}: expected x (N, C, H, W) or (C, H, W), got {x.shape}")
    if x.dtype not in FLOATS:
        raise RuntimeError(f"{name}: expected float32 or float64, got {x.dtype}")
    height, width = x.shape[2:]
    if fits(height, width, window):
        return
    top, bottom, left, right = window.padding
    if 2 * max(top, bottom) > window.kernel[0] or 2 * max(left, right) > window.kernel[1]:
        raise RuntimeError(f"{name}: padding {(top, left)} is more than half of the kernel {window.kernel}")
    if min(window.output_size(height, width)) < 1:
        raise RuntimeError(
            f"{name}: the kernel spans {window.extent()} but the padded picture has only "
            f"{window.padded_size(height, width)} (x {x.shape})"
        )
    raise RuntimeError(
        f"{name}: expected a cell of the picture in every window, but with padding {(top, left)} and "
        f"dilation {window.dilation} a window of x {x.shape} has none"
    )


@lru_cache(64)
def fits(height, width, window):
    """Whether there are windows, of which each sees a cell of the picture, and no padding is too wide."""
    top, bottom, left, right = window.padding
    narrow = 2 * max(top, bottom) <= window.kernel[0] and 2 * max(left, right) <= window.kernel[1]
    return narrow and min(window.output_size(height, width)) >= 1 and window.always_meets(height, width)
