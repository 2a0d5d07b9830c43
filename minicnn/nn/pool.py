"""Pooling layers."""

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
        *,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        F.pool_window("MaxPool2d", kernel_size, stride, padding, dilation, ceil_mode, ValueError)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return F.max_pool2d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

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
