"""Pooling layers."""

from typing import Any

from minicnn.nn import functional as F
from minicnn.nn.module import Module
from minicnn.tensor import Tensor


class MaxPool2d(Module):
    """The largest value in each window of (N, C, H, W) or (C, H, W); see `functional.max_pool2d`."""

    def __init__(
        self,
        kernel_size: F.Size,
        stride: F.Size | None = None,
        padding: F.Size = 0,
        dilation: F.Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        F.pool_window("MaxPool2d", kernel_size, stride, padding, dilation, ceil_mode, ValueError)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        window = self.kernel_size, self.stride, self.padding, self.dilation
        return F.max_pool2d(input, *window, self.ceil_mode, self.return_indices)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class AvgPool2d(Module):
    """The mean of each window of (N, C, H, W) or (C, H, W); see `functional.avg_pool2d`."""

    def __init__(
        self,
        kernel_size: F.Size,
        stride: F.Size | None = None,
        padding: F.Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        F.pool_window("AvgPool2d", kernel_size, stride, padding, 1, ceil_mode, ValueError)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """The mean of each of OH x OW windows that share (N, C, H, W) or (C, H, W) evenly.

    Parameters
    ----------
    output_size : int or (int or None, int or None)
        OH and OW; None keeps the input's.
    """

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool2d(Module):
    """The largest value in each of OH x OW windows that share pictures evenly; as AdaptiveAvgPool2d."""

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"
