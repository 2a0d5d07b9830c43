"""Convolution layers."""

import math
from typing import Any, ClassVar

from minicnn.nn import functional as F
from minicnn.nn import init
from minicnn.nn.arguments import Size, integer, row
from minicnn.nn.functional.conv import conv_sides
from minicnn.nn.module import Module
from minicnn.nn.parameter import Parameter, blank
from minicnn.tensor import Tensor

# of layers -> of functional.pad
PADDING_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


class Convolution(Module):
    """What the layers below share: their settings, a weight and perhaps a bias, and how they print.

    Attributes
    ----------
    bias : Parameter (O) or None
        At first, as the weight, uniform in +-1 / sqrt(fan_in).
    """

    dims: ClassVar[int]  # of the window
    weight: Parameter
    bias: Parameter | None
    padding: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: int,
        padding_mode: str,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.in_channels = integer(name, "in_channels", in_channels, 1, ValueError)
        self.out_channels = integer(name, "out_channels", out_channels, 1, ValueError)
        self.groups = integer(name, "groups", groups, 1, ValueError)
        for role, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(
                    f"{name}: {role} must be divisible by groups, got {channels} and {groups} groups"
                )
        self.kernel_size = self._row("kernel_size", kernel_size, 1)
        self.stride = self._row("stride", stride, 1)
        self.dilation = self._row("dilation", dilation, 1)
        self.padding = padding if isinstance(padding, str) else self._row("padding", padding, 0)
        self.padding_mode = padding_mode

    def _row(self, role: str, value: Any, least: int) -> tuple[int, ...]:
        return row(type(self).__name__, role, value, self.dims, least, ValueError)

    def _make_parameters(self, inputs: int, outputs: int, bias: bool, device: Any, dtype: Any) -> None:
        name, kind = type(self).__name__, {"device": device, "dtype": dtype}
        self.weight = blank(name, inputs, outputs, *self.kernel_size, **kind)
        self.bias = blank(name, self.out_channels, **kind) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new starting values."""
        default_(self.weight, self.bias)

    def extra_repr(self) -> str:
        settings = vars(self)
        text = f"{self.in_channels}, {self.out_channels}"
        for name in ("kernel_size", "stride"):
            text += f", {name}={settings[name]}"
        for name, usual in {"padding": 0, "dilation": 1, "output_padding": 0}.items():
            if settings.get(name, usual) not in (usual, (usual,) * self.dims):
                text += f", {name}={settings[name]}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        return text if self.padding_mode == "zeros" else f"{text}, padding_mode={self.padding_mode}"


class PlainConv(Convolution):
    """Base of Conv1d and Conv2d."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        name = type(self).__name__
        if padding_mode not in PADDING_MODES:
            raise ValueError(
                f"{name}: expected padding_mode as one of {[*PADDING_MODES]}, got {padding_mode!r}"
            )
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode
        )
        conv_sides(name, self.padding, self.kernel_size, self.stride, self.dilation, ValueError)
        self._make_parameters(out_channels, in_channels // groups, bias, device, dtype)

    def _padded(self, input: Tensor) -> tuple[Tensor, Any]:
        """The input, padded unless the convolution does it with zeros; and the padding left for it."""
        if self.padding_mode == "zeros":
            return input, self.padding
        name, settings = type(self).__name__, (self.kernel_size, self.stride, self.dilation)
        sides = conv_sides(name, self.padding, *settings)
        widths = [n for pair in reversed(sides) for n in pair]
        return F.pad(input, widths, PADDING_MODES[self.padding_mode]), 0


class Conv1d(PlainConv):
    """Convolution of lines (N, C, L) or one (C, L): as Conv2d, with one number for each size.

    Attributes
    ----------
    weight : Parameter (O, C / groups, K)
    """

    dims = 1

    def forward(self, input: Tensor) -> Tensor:
        input, padding = self._padded(input)
        return F.conv1d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(PlainConv):
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
    device, dtype : optional
        Of the parameters; the CPU and float32 unless given.

    Attributes
    ----------
    weight : Parameter (O, C / groups, KH, KW)
        At first uniform in +-1 / sqrt(fan_in), as is the bias.
    bias : Parameter (O) or None
    """

    dims = 2

    def forward(self, input: Tensor) -> Tensor:
        input, padding = self._padded(input)
        return F.conv2d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class TransposedConv(Convolution):
    """Base of ConvTranspose1d and ConvTranspose2d."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        name = type(self).__name__
        if padding_mode != "zeros":
            raise ValueError(f'{name}: expected padding_mode "zeros", got {padding_mode!r}')
        padding = self._row("padding", padding, 0)  # numbers only
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode
        )
        self.output_padding = self._row("output_padding", output_padding, 0)
        self._make_parameters(in_channels, out_channels // groups, bias, device, dtype)

    def _settings(self, input: Tensor, output_size: Any) -> tuple[Any, ...]:
        """What forward passes on behind the weight and the bias."""
        extra = self.output_padding
        if output_size is not None:
            extra = self._extra(input, tuple(output_size)[-self.dims :])
        return self.stride, self.padding, extra, self.groups, self.dilation

    def _extra(self, input: Tensor, size: tuple[int, ...]) -> tuple[int, ...]:
        """The output_padding that leads to a size."""
        old = input.shape[-self.dims :]
        sides = zip(old, self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in sides]
        extra = tuple(wanted - low for wanted, low in zip(size, least, strict=True))
        if any(not 0 <= more < step for more, step in zip(extra, self.stride, strict=True)):
            raise ValueError(
                f"{type(self).__name__}: output_size {size} is not between {tuple(least)} and less than "
                f"{self.stride} more"
            )
        return extra


class ConvTranspose1d(TransposedConv):
    """The transpose of Conv1d: as ConvTranspose2d, for lines (N, C, L) or one (C, L).

    Attributes
    ----------
    weight : Parameter (C, O / groups, K)
    """

    dims = 1

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """Transpose; `output_size` (OL) chooses the output_padding."""
        return F.conv_transpose1d(input, self.weight, self.bias, *self._settings(input, output_size))


class ConvTranspose2d(TransposedConv):
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
    device, dtype : optional
        Of the parameters; the CPU and float32 unless given.

    Attributes
    ----------
    weight : Parameter (C, O / groups, KH, KW)
        At first uniform in +-1 / sqrt(O / groups * KH * KW), as is the bias.
    bias : Parameter (O) or None
    """

    dims = 2

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """Transpose; `output_size` (OH, OW) chooses the output_padding."""
        return F.conv_transpose2d(input, self.weight, self.bias, *self._settings(input, output_size))


def default_(weight: Parameter, bias: Parameter | None) -> None:
    """PyTorch's starting values: both uniform in +-1 / sqrt(fan_in)."""
    init.kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        bound = 1 / math.sqrt(init.fans(weight)[0])
        init.uniform_(bias, -bound, bound)
