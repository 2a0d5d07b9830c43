"""Layers that learn the number of their inputs from the first batch they see; then they are plain ones."""

from typing import Any, ClassVar

from minicnn.nn.arguments import Size
from minicnn.nn.conv import (
    Conv1d,
    Conv2d,
    Convolution,
    ConvTranspose1d,
    ConvTranspose2d,
    PlainConv,
    TransposedConv,
)
from minicnn.nn.linear import Linear
from minicnn.nn.module import Module
from minicnn.nn.norm import BatchNorm, BatchNorm1d, BatchNorm2d
from minicnn.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter, is_lazy
from minicnn.tensor import Tensor


class LazyModuleMixin(Module):
    """What makes a layer lazy: its parameters have no shape until `initialize_parameters` sees an input.

    Attributes
    ----------
    cls_to_become : type or None
        The class that the layer has from its first forward pass on.
    """

    cls_to_become: ClassVar[type[Module] | None] = None

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give the parameters the shapes that fit an input; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define initialize_parameters")

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer has no shape yet."""
        return any(is_lazy(tensor) for tensor in vars(self).values())

    def reset_parameters(self) -> None:
        """Draw new starting values, if there are any."""
        if not self.has_uninitialized_params():
            super().reset_parameters()  # type: ignore[misc]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.has_uninitialized_params() or self.cls_to_become is not None:
            self.initialize_parameters(*args, **kwargs)
        if self.has_uninitialized_params():
            raise RuntimeError(f"{type(self).__name__}: initialize_parameters has left some without a shape")
        if self.cls_to_become is not None:
            self.__class__ = self.cls_to_become  # type: ignore[assignment]
        return Module.__call__(self, *args, **kwargs)

    def _forget(self) -> None:
        """Take the shapes away from a layer that was made for any number of inputs."""
        for name, tensor in (*self._own(Parameter), *self._own_buffers()):
            if tensor.ndim:  # not num_batches_tracked
                kind = UninitializedParameter if isinstance(tensor, Parameter) else UninitializedBuffer
                setattr(self, name, kind(dtype=tensor.dtype))

    def _learn(self, **shapes: tuple[int, ...]) -> None:
        """Give those without a shape theirs, and all of them starting values."""
        if self.has_uninitialized_params():
            for name, shape in shapes.items():
                if is_lazy(getattr(self, name)):
                    getattr(self, name).materialize(shape)
            self.reset_parameters()


class LazyLinear(LazyModuleMixin, Linear):
    """A Linear with the in_features of its first input; until then they are 0."""

    cls_to_become = Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(1, out_features, bias, device, dtype)
        self._forget()
        self.in_features = 0

    def initialize_parameters(self, input: Tensor) -> None:
        self._learn(weight=(self.out_features, input.shape[-1]), bias=(self.out_features,))
        self.in_features = self.weight.shape[1]


class LazyConvolution(LazyModuleMixin, Convolution):
    """Base of the convolutions below, which have 0 in_channels until their first input."""

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        if input.ndim not in (self.dims + 1, self.dims + 2):
            raise RuntimeError(
                f"{name}: expected {self.dims + 1} or {self.dims + 2} dimensions, got {input.shape}"
            )
        channels, outputs = input.shape[-self.dims - 1], self.out_channels
        if channels % self.groups:
            raise ValueError(
                f"{name}: in_channels must be divisible by groups, got {channels} and {self.groups} groups"
            )
        if isinstance(self, TransposedConv):
            channels_first = (channels, outputs // self.groups)
        else:
            channels_first = (outputs, channels // self.groups)
        self._learn(weight=(*channels_first, *self.kernel_size), bias=(outputs,))
        self.in_channels = channels


class LazyConv(LazyConvolution, PlainConv):
    """Base of LazyConv1d and LazyConv2d."""

    def __init__(
        self,
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
        sides = kernel_size, stride, padding, dilation
        super().__init__(groups, out_channels, *sides, groups, bias, padding_mode, device, dtype)
        self._forget()
        self.in_channels = 0


class LazyConv1d(LazyConv, Conv1d):
    """A Conv1d with the in_channels of its first input."""

    cls_to_become = Conv1d


class LazyConv2d(LazyConv, Conv2d):
    """A Conv2d with the in_channels of its first input."""

    cls_to_become = Conv2d


class LazyTransposedConv(LazyConvolution, TransposedConv):
    """Base of LazyConvTranspose1d and LazyConvTranspose2d."""

    def __init__(
        self,
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
        sides = kernel_size, stride, padding, output_padding
        super().__init__(groups, out_channels, *sides, groups, bias, dilation, padding_mode, device, dtype)
        self._forget()
        self.in_channels = 0


class LazyConvTranspose1d(LazyTransposedConv, ConvTranspose1d):
    """A ConvTranspose1d with the in_channels of its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(LazyTransposedConv, ConvTranspose2d):
    """A ConvTranspose2d with the in_channels of its first input."""

    cls_to_become = ConvTranspose2d


class LazyBatchNorm(LazyModuleMixin, BatchNorm):
    """Base of LazyBatchNorm1d and LazyBatchNorm2d."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(1, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self._forget()
        self.num_features = 0

    def initialize_parameters(self, input: Tensor) -> None:
        self.check_dims(input)
        size = (input.shape[1],)
        self._learn(weight=size, bias=size, running_mean=size, running_var=size)
        self.num_features = input.shape[1]


class LazyBatchNorm1d(LazyBatchNorm, BatchNorm1d):
    """A BatchNorm1d with the num_features of its first input."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(LazyBatchNorm, BatchNorm2d):
    """A BatchNorm2d with the num_features of its first input."""

    cls_to_become = BatchNorm2d
