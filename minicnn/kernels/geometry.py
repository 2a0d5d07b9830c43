"""The geometry of a window that slides over a plane, shared by convolution and pooling."""

from typing import NamedTuple


class Window(NamedTuple):
    """A window of KH x KW taps that slides over a padded plane.

    Attributes
    ----------
    kernel : (int, int)
        Taps down and across: KH, KW.
    stride : (int, int)
        Steps between neighbouring windows.
    padding : (int, int, int, int)
        Cells added at the top, bottom, left and right; less than 0: cells there that no window sees.
    dilation : (int, int)
        Distance between neighbouring taps.
    ceil_mode : bool
        Also count a last window that sticks out below or to the right, if it starts inside the plane or its
        top or left padding.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    ceil_mode: bool = False

    def extent(self) -> tuple[int, int]:
        """Rows and columns from the first tap to the last."""
        return (self.kernel[0] - 1) * self.dilation[0] + 1, (self.kernel[1] - 1) * self.dilation[1] + 1

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of a plane with its padding."""
        top, bottom, left, right = self.padding
        return height + top + bottom, width + left + right

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """OH, OW: how many windows fit into a plane; zero or less if it is too small."""
        (top, bottom, left, right), (down, across) = self.padding, self.stride
        tall, wide = self.extent()
        below, beside = height + top + bottom - tall, width + left + right - wide
        if self.ceil_mode:
            return with_last(below, down, height + top), with_last(beside, across, width + left)
        return below // down + 1, beside // across + 1

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """The smallest plane on which this many windows fit, down and across; for transposed convolution."""
        top, bottom, left, right = self.padding
        tall, wide = self.extent()
        return (
            (height - 1) * self.stride[0] + tall - top - bottom,
            (width - 1) * self.stride[1] + wide - left - right,
        )

    def always_meets(self, height: int, width: int) -> bool:
        """Whether at least one tap of every window lies inside the plane rather than in its padding."""
        if self.dilation == (1, 1) or not any(self.padding):
            return True
        axes = zip(
            (height, width),
            self.output_size(height, width),
            *(self.kernel, self.stride, self.padding[::2], self.dilation),
            strict=True,
        )
        return all(
            any(0 <= i * stride - before + k * dilation < size for k in range(kernel))
            for size, count, kernel, stride, before, dilation in axes
            for i in range(count)
        )

    def numbers(self) -> tuple[int, int, int, int, int, int, int, int]:
        """KH, KW, then down and across the strides, the padding before, the dilations; for kernels."""
        return (*self.kernel, *self.stride, self.padding[0], self.padding[2], *self.dilation)


def with_last(room: int, stride: int, end: int) -> int:
    """How many windows there are if a last one may stick out of the room, but must start before `end`."""
    count = room // stride + 1
    return count + 1 if room % stride and count * stride < end else count


def shares(size: int, count: int) -> list[tuple[int, int]]:
    """Where each of `count` windows begins and ends that cover `size` cells evenly, as adaptive pooling does.

    Neighbours overlap by a cell where the size does not divide.
    """
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
