"""Pooling layers; the functions of the same names in `functional` describe their arguments."""

from typing import Any

from minicnn.nn import functional as F
from minicnn.nn.arguments import Size, remembered, row
from minicnn.nn.functional.pool import pool_window
from minicnn.nn.module import Module
from minicnn.tensor import Tensor


class MaxPool(Module):
    """Base of MaxPool1d and MaxPool2d."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        remembered(pool_window, name, kernel_size, stride, padding, dilation, ceil_mode, ValueError)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(MaxPool):
    """The largest value in each window of (N, C, L) or (C, L)."""

    def forward(self, input: Tensor) -> Any:
        window = self.kernel_size, self.stride, self.padding, self.dilation
        return F.max_pool1d(input, *window, self.ceil_mode, self.return_indices)


class MaxPool2d(MaxPool):
    """The largest value in each window of (N, C, H, W) or (C, H, W)."""

    def forward(self, input: Tensor) -> Any:
        window = self.kernel_size, self.stride, self.padding, self.dilation
        return F.max_pool2d(input, *window, self.ceil_mode, self.return_indices)


class AvgPool1d(Module):
    """The mean of each window of (N, C, L) or (C, L)."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        steps = kernel_size if stride is None else stride
        self.kernel_size = row("AvgPool1d", "kernel_size", kernel_size, 1, 1, ValueError)
        self.stride = row("AvgPool1d", "stride", steps, 1, 1, ValueError)
        self.padding = row("AvgPool1d", "padding", padding, 1, 0, ValueError)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        window = self.kernel_size, self.stride, self.padding
        return F.avg_pool1d(input, *window, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(Module):
    """The mean of each window of (N, C, H, W) or (C, H, W)."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        remembered(pool_window, "AvgPool2d", kernel_size, stride, padding, 1, ceil_mode, ValueError)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        window = self.kernel_size, self.stride, self.padding
        return F.avg_pool2d(input, *window, self.ceil_mode, self.count_include_pad, self.divisor_override)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class Adaptive(Module):
    """Base of the layers below, whose windows share what they get evenly.

    Parameters
    ----------
    output_size : int or (int or None, int or None)
        How many windows, down and across; None keeps the input's size.
    """

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMax(Adaptive):
    """Base of the two that may also tell where in its plane each value was."""

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices


class AdaptiveAvgPool1d(Adaptive):
    """The mean of each of output_size windows of (N, C, L) or (C, L)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(Adaptive):
    """The mean of each of OH x OW windows of (N, C, H, W) or (C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveMaxPool1d(AdaptiveMax):
    """The largest value in each of output_size windows of (N, C, L) or (C, L)."""

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(AdaptiveMax):
    """The largest value in each of OH x OW windows of (N, C, H, W) or (C, H, W)."""

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)
