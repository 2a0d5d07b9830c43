"""What several families are built of, with torchvision's names."""

from collections.abc import Callable

from minicnn import nn


class Conv2dNormActivation(nn.Sequential):
    """A convolution, which keeps the size at stride 1, a normalisation, and an activation if there is one.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, groups
        Of the convolution, which has no bias.
    norm_layer : callable
        Makes a normalisation of so many channels.
    activation_layer : type of Module or None
        Made with ``inplace=True``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        groups: int = 1,
        norm_layer: Callable[[int], nn.Module] = nn.BatchNorm2d,
        activation_layer: Callable[..., nn.Module] | None = nn.ReLU,
    ) -> None:
        padding = (kernel_size - 1) // 2
        super().__init__(
            nn.Conv2d(
                in_channels, out_channels, kernel_size, stride, padding=padding, groups=groups, bias=False
            ),
            norm_layer(out_channels),
        )
        if activation_layer is not None:
            self.append(activation_layer(inplace=True))
        self.out_channels = out_channels


def make_divisible(v: float, divisor: int = 8) -> int:
    """The multiple of `divisor` next to v, but not more than 10 % below it."""
    new_v = max(divisor, int(v + divisor / 2) // divisor * divisor)
    return new_v + divisor if new_v < 0.9 * v else new_v
