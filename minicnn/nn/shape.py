"""Layers that give pictures another size or arrangement."""

from collections.abc import Sequence
from typing import Any, ClassVar

from minicnn.nn import functional as F
from minicnn.nn.arguments import check_tensors, integer
from minicnn.nn.module import Module
from minicnn.tensor import Tensor


class Pad2d(Module):
    """Cells around pictures (N, C, H, W) or (C, H, W); see `functional.pad`.

    Parameters
    ----------
    padding : int or (int, int, int, int)
        How many on each side, or at the left, right, top and bottom.
    """

    mode: ClassVar[str]
    value: float | None = None

    def __init__(self, padding: int | tuple[int, int, int, int]) -> None:
        super().__init__()
        sides = tuple(padding) if isinstance(padding, tuple | list) else (padding,) * 4
        name = type(self).__name__
        if len(sides) != 4:
            raise ValueError(f"{name}: expected padding as one number or four, got {padding!r}")
        self.padding = tuple(integer(name, "padding", n, -(2**62)) for n in sides)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ConstantPad2d(Pad2d):
    """`functional.pad` with a value; the padding as of ReflectionPad2d."""

    mode = "constant"

    def __init__(self, padding: int | tuple[int, int, int, int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ZeroPad2d(Pad2d):
    """`functional.pad` with zeros: one number for all sides, or (left, right, top, bottom)."""

    mode = "constant"


class ReflectionPad2d(Pad2d):
    """`functional.pad` with a mirror image: one number for all sides, or (left, right, top, bottom)."""

    mode = "reflect"


class ReplicationPad2d(Pad2d):
    """`functional.pad` with the edges' values: one number for all sides, or (left, right, top, bottom)."""

    mode = "replicate"


class CircularPad2d(Pad2d):
    """`functional.pad` with the other side's cells: one number, or (left, right, top, bottom)."""

    mode = "circular"


class Upsample(Module):
    """`functional.interpolate`: pictures in another size, or so many times as large."""

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        self.scale_factor: Any = scale_factor
        if scale_factor is not None:
            many = isinstance(scale_factor, tuple | list)
            self.scale_factor = tuple(float(f) for f in scale_factor) if many else float(scale_factor)
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(
            *(input, self.size, self.scale_factor, self.mode),
            *(self.align_corners, self.recompute_scale_factor),
        )

    def extra_repr(self) -> str:
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor!r}, mode={self.mode!r}"
        return f"size={self.size!r}, mode={self.mode!r}"


class Unfold(Module):
    """`functional.unfold`: the cells under each window as columns."""

    def __init__(
        self, kernel_size: F.Size, dilation: F.Size = 1, padding: F.Size = 0, stride: F.Size = 1
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(Unfold):
    """`functional.fold`: the picture of size output_size to which columns add up."""

    def __init__(
        self,
        output_size: F.Size,
        kernel_size: F.Size,
        dilation: F.Size = 1,
        padding: F.Size = 0,
        stride: F.Size = 1,
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        settings = self.dilation, self.padding, self.stride
        return F.fold(input, self.output_size, self.kernel_size, *settings)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, {super().extra_repr()}"


class PixelShuffle(Module):
    """`functional.pixel_shuffle`: channels become pixels."""

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """`functional.pixel_unshuffle`: pixels become channels."""

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class Unflatten(Module):
    """One dimension as several: dim of size prod(unflattened_size); one of the sizes may be -1."""

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        if isinstance(dim, bool) or not isinstance(dim, int):
            raise TypeError(f"Unflatten: expected dim as an int, got {dim!r}")
        if not isinstance(unflattened_size, tuple | list):
            raise TypeError(
                f"Unflatten: expected unflattened_size as a sequence of ints, got {unflattened_size!r}"
            )
        self.dim = dim
        self.unflattened_size = tuple(
            integer("Unflatten", "unflattened_size", n, -1) for n in unflattened_size
        )

    def forward(self, input: Tensor) -> Tensor:
        check_tensors("Unflatten", input=input)
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
