"""Pooling of pictures that a plan has laid out in groups (see interleaving.py)."""

from typing import Any

from minicnn.autograd import Function
from minicnn.device import telling
from minicnn.kernels.geometry import Window


class InterleavedMaxPool2d(Function):
    """The largest value in each window of x (B, C, H, W, L)."""

    def forward(self, x: Any, window: Window) -> Any:
        self.shape, self.window = x.shape, window
        out, self.index = telling("cpu").interleaved.max_pool2d(x, window)
        return out

    def backward(self, grad: Any) -> Any:
        kernels = telling("cpu").interleaved
        return kernels.max_pool2d_gradient(grad, self.index, self.shape, self.window)


class InterleavedAvgPool2d(Function):
    """The mean of each window of x (B, C, H, W, L). `how`: window, count_include_pad, divisor or 0."""

    def forward(self, x: Any, how: tuple[Window, bool, int]) -> Any:
        self.shape, self.how = x.shape, how
        return telling("cpu").interleaved.avg_pool2d(x, *how)

    def backward(self, grad: Any) -> Any:
        return telling("cpu").interleaved.avg_pool2d_gradient(grad, self.shape, *self.how)


class InterleavedAdaptiveAvgPool2d(Function):
    """The mean of each of OH x OW windows that share x (B, C, H, W, L) evenly."""

    def forward(self, x: Any, size: tuple[int, int]) -> Any:
        self.shape = x.shape
        return telling("cpu").interleaved.adaptive_avg_pool2d(x, size)

    def backward(self, grad: Any) -> Any:
        return telling("cpu").interleaved.adaptive_avg_pool2d_gradient(grad, self.shape)
