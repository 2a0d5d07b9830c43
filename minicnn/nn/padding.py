"""Layers that put cells around lines and pictures; see `functional.pad`."""

from typing import Any, ClassVar

from minicnn.nn import functional as F
from minicnn.nn.arguments import integer
from minicnn.nn.module import Module
from minicnn.tensor import Tensor


class Pad(Module):
    """Base of the layers below.

    Parameters
    ----------
    padding : int or tuple of int
        How many cells on each side, or (left, right) of lines and (left, right, top, bottom) of pictures.
    """

    mode: ClassVar[str]
    sides: ClassVar[int]
    value: float | None = None

    def __init__(self, padding: Any) -> None:
        super().__init__()
        many = tuple(padding) if isinstance(padding, tuple | list) else (padding,) * self.sides
        name = type(self).__name__
        if len(many) != self.sides:
            raise ValueError(f"{name}: expected padding as one number or {self.sides}, got {padding!r}")
        self.padding = tuple(integer(name, "padding", n, -(2**62)) for n in many)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ConstantPad(Pad):
    """Base of the two below."""

    mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(ConstantPad):
    """`value` around lines (N, C, L) or (C, L)."""

    sides = 2


class ConstantPad2d(ConstantPad):
    """`value` around pictures (N, C, H, W) or (C, H, W)."""

    sides = 4


class ZeroPad1d(Pad):
    """Zeros around lines (N, C, L) or (C, L)."""

    mode, sides = "constant", 2


class ZeroPad2d(Pad):
    """Zeros around pictures (N, C, H, W) or (C, H, W)."""

    mode, sides = "constant", 4


class ReflectionPad1d(Pad):
    """A mirror image around lines (N, C, L) or (C, L)."""

    mode, sides = "reflect", 2


class ReflectionPad2d(Pad):
    """A mirror image around pictures (N, C, H, W) or (C, H, W)."""

    mode, sides = "reflect", 4


class ReplicationPad1d(Pad):
    """The edges' values around lines (N, C, L) or (C, L)."""

    mode, sides = "replicate", 2


class ReplicationPad2d(Pad):
    """The edges' values around pictures (N, C, H, W) or (C, H, W)."""

    mode, sides = "replicate", 4


class CircularPad1d(Pad):
    """The other side's cells around lines (N, C, L) or (C, L)."""

    mode, sides = "circular", 2


class CircularPad2d(Pad):
    """The other side's cells around pictures (N, C, H, W) or (C, H, W)."""

    mode, sides = "circular", 4
