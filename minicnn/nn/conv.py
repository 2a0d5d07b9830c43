"""Convolution layers."""

import math
from typing import Any

from minicnn.nn import functional as F
from minicnn.nn import init
from minicnn.nn.arguments import integer, pair
from minicnn.nn.module import Module
from minicnn.nn.parameter import Parameter
from minicnn.tensor import Tensor, empty

# of layers -> of functional.pad
PADDING_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


class Convolution(Module):
    """What convolution layers share: a weight and perhaps a bias, at first uniform, and how they print."""

    weight: Parameter
    bias: Parameter | None
    in_channels: int
    out_channels: int
    groups: int
    padding_mode: str

    def set_parameters(self, shape: tuple[int, ...], bias: bool, dtype: Any) -> None:
        """Make them."""
        self.weight = Parameter(empty(*shape, dtype=dtype))
        self.bias = Parameter(empty(self.out_channels, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new starting values."""
        default_(self.weight, self.bias)

    def extra_repr(self) -> str:
        settings = vars(self)
        text = f"{self.in_channels}, {self.out_channels}"
        for name in ("kernel_size", "stride"):
            text += f", {name}={settings[name]}"
        plain = {"padding": 0, "dilation": 1, "output_padding": 0}
        for name, usual in plain.items():
            if settings.get(name, usual) not in (usual, (usual,), (usual, usual)):
                text += f", {name}={settings[name]}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        return text if self.padding_mode == "zeros" else f"{text}, padding_mode={self.padding_mode}"


class Conv2d(Convolution):
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
    padding_mode : "zeros", "reflect", "replicate" or "circular"
        What the padding holds: `functional.pad` has them, with zeros as "constant".
    dtype : dtype, optional
        Of the parameters; float32 unless given.

    Attributes
    ----------
    weight : Parameter (O, C / groups, KH, KW)
        At first uniform in +-1 / sqrt(fan_in), as is the bias.
    bias : Parameter (O) or None
    """

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
        padding_mode: str = "zeros",
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.groups = check_channels(
            "Conv2d", in_channels, out_channels, groups
        )
        self.kernel_size = pair("Conv2d", "kernel_size", kernel_size, 1, ValueError)
        self.stride = pair("Conv2d", "stride", stride, 1, ValueError)
        self.dilation = pair("Conv2d", "dilation", dilation, 1, ValueError)
        self.padding_mode = check_mode("Conv2d", padding_mode)
        sides = F.conv_padding("Conv2d", padding, self.kernel_size, self.stride, self.dilation, ValueError)
        self.sides = (*sides[2:], *sides[:2])  # in the order of functional.pad
        self.padding = (
            padding if isinstance(padding, str) else pair("Conv2d", "padding", padding, 0, ValueError)
        )
        self.set_parameters((out_channels, in_channels // groups, *self.kernel_size), bias, dtype)

    def forward(self, input: Tensor) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self.sides, PADDING_MODES[self.padding_mode]), 0
        return F.conv2d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class ConvTranspose2d(Convolution):
    """The transpose of Conv2d, which makes pictures (N, C, H, W) or (C, H, W) larger by the stride.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O.
    kernel_size, stride, padding, output_padding, dilation : int or (int, int)
        Down and across; see `functional.conv_transpose2d`.
    groups : int
        Divides the channels into groups that do not see each other.
    bias : bool
        Whether to add a number to each output channel.

    Attributes
    ----------
    weight : Parameter (C, O / groups, KH, KW)
        At first uniform in +-1 / sqrt(O / groups * KH * KW), as is the bias.
    bias : Parameter (O) or None
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: F.Size,
        stride: F.Size = 1,
        padding: F.Size = 0,
        output_padding: F.Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: F.Size = 1,
        padding_mode: str = "zeros",
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name = "ConvTranspose2d"
        if padding_mode != "zeros":
            raise ValueError(f'{name}: expected padding_mode "zeros", got {padding_mode!r}')
        self.padding_mode = padding_mode
        self.in_channels, self.out_channels, self.groups = check_channels(
            name, in_channels, out_channels, groups
        )
        self.kernel_size = pair(name, "kernel_size", kernel_size, 1, ValueError)
        self.stride = pair(name, "stride", stride, 1, ValueError)
        self.padding = pair(name, "padding", padding, 0, ValueError)
        self.output_padding = pair(name, "output_padding", output_padding, 0, ValueError)
        self.dilation = pair(name, "dilation", dilation, 1, ValueError)
        self.set_parameters((in_channels, out_channels // groups, *self.kernel_size), bias, dtype)

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """Transpose; `output_size` (OH, OW) chooses the output_padding."""
        extra = self.output_padding if output_size is None else self.extra(input, tuple(output_size)[-2:])
        return F.conv_transpose2d(
            *(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)
        )

    def extra(self, input: Tensor, size: tuple[int, ...]) -> tuple[int, int]:
        """The output_padding that leads to a size."""
        sides = zip(
            *(input.shape[-2:], self.stride, self.padding, self.dilation, self.kernel_size), strict=True
        )
        least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in sides]
        extra = tuple(wanted - low for wanted, low in zip(size, least, strict=True))
        if any(not 0 <= more < step for more, step in zip(extra, self.stride, strict=True)):
            raise ValueError(
                f"ConvTranspose2d: output_size {size} is not between {tuple(least)} and less than "
                f"{self.stride} more"
            )
        return extra[0], extra[1]


class Conv1d(Convolution):
    """Convolution of lines (N, C, L) or (C, L): as Conv2d, with one number for each size."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] = 1,
        padding: int | tuple[int] | str = 0,
        dilation: int | tuple[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.groups = check_channels(
            "Conv1d", in_channels, out_channels, groups
        )
        self.kernel_size = (F.one("Conv1d", "kernel_size", kernel_size, 1, ValueError),)
        self.stride = (F.one("Conv1d", "stride", stride, 1, ValueError),)
        self.dilation = (F.one("Conv1d", "dilation", dilation, 1, ValueError),)
        self.padding_mode = check_mode("Conv1d", padding_mode)
        flat: Any = padding
        if not isinstance(padding, str):
            flat = 0, F.one("Conv1d", "padding", padding, 0, ValueError)
        kernel, step, apart = ((1, size[0]) for size in (self.kernel_size, self.stride, self.dilation))
        self.sides = F.conv_padding("Conv1d", flat, kernel, step, apart, ValueError)[2:]
        self.padding = flat if isinstance(flat, str) else flat[1:]
        self.set_parameters((out_channels, in_channels // groups, *self.kernel_size), bias, dtype)

    def forward(self, input: Tensor) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self.sides, PADDING_MODES[self.padding_mode]), 0
        return F.conv1d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


def check_channels(name: str, inputs: int, outputs: int, groups: int) -> tuple[int, int, int]:
    """Raise unless the channels divide into groups."""
    numbers = [
        integer(name, role, value, 1, ValueError)
        for role, value in (("in_channels", inputs), ("out_channels", outputs), ("groups", groups))
    ]
    for role, channels in zip(("in_channels", "out_channels"), numbers[:2], strict=True):
        if channels % numbers[2]:
            raise ValueError(
                f"{name}: {role} must be divisible by groups, got {channels} and {groups} groups"
            )
    return numbers[0], numbers[1], numbers[2]


def check_mode(name: str, padding_mode: str) -> str:
    """Raise ValueError unless it is the name of a padding mode."""
    if padding_mode not in PADDING_MODES:
        raise ValueError(f"{name}: expected padding_mode as one of {[*PADDING_MODES]}, got {padding_mode!r}")
    return padding_mode


def default_(weight: Parameter, bias: Parameter | None) -> None:
    """PyTorch's starting values: both uniform in +-1 / sqrt(fan_in)."""
    init.kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        bound = 1 / math.sqrt(init.fans(weight)[0])
        init.uniform_(bias, -bound, bound)
