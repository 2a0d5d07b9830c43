"""Convolution layers."""

import math
from typing import Any

from minicnn.nn import functional as F
from minicnn.nn import init
from minicnn.nn.arguments import integer, pair
from minicnn.nn.module import Module
from minicnn.nn.parameter import Parameter
from minicnn.tensor import Tensor, empty


class Conv2d(Module):
    """Two-dimensional convolution of pictures (N, C, H, W) or one (C, H, W).

    Parameters
    ----------
    in_channels, out_channels : int
        C and O.
    kernel_size, stride, dilation : int or (int, int)
        Down and across.
    padding : int, (int, int), "same" or "valid"
        Zeros around the picture; see `functional.conv2d`.
    groups : int
        Divides the channels into groups that do not see each other.
    bias : bool
        Whether to add a number to each output channel.
    dtype : dtype, optional
        Of the parameters; float32 unless given.

    Attributes
    ----------
    weight : Parameter (O, C / groups, KH, KW)
        At first uniform in +-1 / sqrt(fan_in), as is the bias.
    bias : Parameter (O) or None
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: F.Size,
        stride: F.Size = 1,
        padding: F.Size | str = 0,
        dilation: F.Size = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_channels = integer("Conv2d", "in_channels", in_channels, 1, ValueError)
        self.out_channels = integer("Conv2d", "out_channels", out_channels, 1, ValueError)
        self.kernel_size = pair("Conv2d", "kernel_size", kernel_size, 1, ValueError)
        self.stride = pair("Conv2d", "stride", stride, 1, ValueError)
        self.dilation = pair("Conv2d", "dilation", dilation, 1, ValueError)
        self.groups = integer("Conv2d", "groups", groups, 1, ValueError)
        for role, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(
                    f"Conv2d: {role} must be divisible by groups, got {channels} and {groups} groups"
                )
        F.conv_padding("Conv2d", padding, self.kernel_size, self.stride, self.dilation, ValueError)
        self.padding = (
            padding if isinstance(padding, str) else pair("Conv2d", "padding", padding, 0, ValueError)
        )
        self.weight = Parameter(empty(out_channels, in_channels // groups, *self.kernel_size, dtype=dtype))
        self.bias = Parameter(empty(out_channels, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new starting values."""
        default_(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )
        if self.padding != (0, 0):
            text += f", padding={self.padding}"
        if self.dilation != (1, 1):
            text += f", dilation={self.dilation}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        return text if self.bias is not None else f"{text}, bias=False"


def default_(weight: Parameter, bias: Parameter | None) -> None:
    """PyTorch's starting values: both uniform in +-1 / sqrt(fan_in)."""
    init.kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        bound = 1 / math.sqrt(init.fans(weight)[0])
        init.uniform_(bias, -bound, bound)
