"""Normalising layers."""

from collections.abc import Sequence
from typing import Any, ClassVar

from minicnn.device import check_device
from minicnn.nn import functional as F
from minicnn.nn import init
from minicnn.nn.arguments import integer
from minicnn.nn.functional.norm import counted_batch_norm, sizes
from minicnn.nn.module import Module
from minicnn.nn.parameter import Parameter, blank
from minicnn.tensor import Tensor, ones, tensor, zeros


class Affine(Module):
    """Base of the layers that may have a weight, at first 1, and a bias, at first 0."""

    weight: Parameter | None
    bias: Parameter | None

    def _make_parameters(
        self, shape: tuple[int, ...], weight: bool, bias: bool, device: Any, dtype: Any
    ) -> None:
        name, kind = type(self).__name__, {"device": device, "dtype": dtype}
        self.weight = blank(name, *shape, **kind) if weight else None
        self.bias = blank(name, *shape, **kind) if weight and bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start again with weight 1 and bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class RunningNorm(Affine):
    """Base of the layers that may keep running statistics in training, to use them in evaluation.

    Parameters
    ----------
    num_features : int
        C.
    eps : float
        Added to the variance.
    momentum : float or None
        What a batch counts in the running statistics; with None, all batches count the same.
    affine : bool
        Whether to multiply by a weight and add a bias (with `bias`).
    track_running_stats : bool
        Whether there are running statistics; without, the batch's are used in evaluation too.
    device, dtype : optional
        Of parameters and statistics; the CPU and float32 unless given.

    Attributes
    ----------
    weight, bias : Parameter (C) or None
    running_mean, running_var : Tensor (C) or None
    num_batches_tracked : Tensor () of int64, or None
    """

    dims: ClassVar[tuple[int, ...]]  # how many dimensions the input may have
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = integer(type(self).__name__, "num_features", num_features, 1, ValueError)
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        kept = track_running_stats
        check_device(type(self).__name__, device)
        self.register_buffer(
            "running_mean", zeros(num_features, dtype=dtype, device=device) if kept else None
        )
        self.register_buffer("running_var", ones(num_features, dtype=dtype, device=device) if kept else None)
        self.register_buffer("num_batches_tracked", tensor(0, device=device) if kept else None)
        self._make_parameters((num_features,), affine, bias, device, dtype)

    def reset_parameters(self) -> None:
        """Forget what was seen, and start again with weight 1 and bias 0."""
        self.reset_running_stats()
        super().reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget what was seen."""
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.zero_()

    def check_dims(self, input: Tensor) -> None:
        """Raise ValueError unless the input has a number of dimensions that this layer takes."""
        if isinstance(input, Tensor) and input.ndim not in self.dims:
            wanted = " or ".join(str(n) for n in self.dims)
            raise ValueError(f"{type(self).__name__}: expected {wanted} dimensions, got {input.shape}")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm(RunningNorm):
    """Base of the two below: each channel with mean 0 and variance 1 over the batch."""

    def forward(self, input: Tensor) -> Tensor:
        self.check_dims(input)
        own = self.training or self.running_mean is None
        used = not self.training or self.track_running_stats
        running = (self.running_mean, self.running_var) if used else (None, None)
        batches = self.num_batches_tracked if used and self.training else None
        share = 0.0 if self.momentum is None and batches is None else self.momentum
        return counted_batch_norm(input, *running, batches, self.weight, self.bias, own, share, self.eps)


class BatchNorm1d(BatchNorm):
    """`functional.batch_norm` of (N, C) or (N, C, L); the parameters are those of `RunningNorm`."""

    dims = (2, 3)


class BatchNorm2d(BatchNorm):
    """`functional.batch_norm` of (N, C, H, W); the parameters are those of `RunningNorm`."""

    dims = (4,)


class InstanceNorm(RunningNorm):
    """Base of the two below: each channel of each sample with mean 0 and variance 1."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self.check_dims(input)
        own = self.training or not self.track_running_stats
        single = input.ndim == min(self.dims)
        samples = input.unsqueeze(0) if single else input
        if samples.shape[1] != self.num_features and self.affine:
            raise ValueError(
                f"{type(self).__name__}: expected {self.num_features} channels, got {input.shape}"
            )
        out = F.instance_norm(
            *(samples, self.running_mean, self.running_var, self.weight, self.bias),
            *(own, self.momentum or 0.0, self.eps),
        )
        return out.squeeze(0) if single else out


class InstanceNorm1d(InstanceNorm):
    """`functional.instance_norm` of (N, C, L) or (C, L).

    The parameters are those of `RunningNorm`; without weight, bias and statistics unless asked for.
    """

    dims = (2, 3)


class InstanceNorm2d(InstanceNorm):
    """`functional.instance_norm` of (N, C, H, W) or (C, H, W); as InstanceNorm1d."""

    dims = (3, 4)


class GroupNorm(Affine):
    """Each group of channels of each sample of (N, C, ...) with mean 0 and variance 1.

    Parameters
    ----------
    num_groups, num_channels : int
        G, and C, which it divides.
    eps : float
        Added to the variance.
    affine : bool
        Whether to multiply by a weight (C) and add a bias (C) (with `bias`).
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_groups = integer("GroupNorm", "num_groups", num_groups, 1, ValueError)
        self.num_channels = integer("GroupNorm", "num_channels", num_channels, 1, ValueError)
        if num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: {num_channels} num_channels do not divide into {num_groups} num_groups"
            )
        self.eps = eps
        self.affine = affine
        self._make_parameters((num_channels,), affine, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LayerNorm(Affine):
    """The last dimensions together with mean 0 and variance 1; see `functional.layer_norm`.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The sizes of those dimensions, and the shape of weight and bias.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        many = isinstance(normalized_shape, tuple | list)
        self.normalized_shape = sizes("LayerNorm", normalized_shape if many else (normalized_shape,))
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._make_parameters(self.normalized_shape, elementwise_affine, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """Divides by a power of the neighbouring channels' squares; see `functional.local_response_norm`."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class LocalContrastNorm(Module):
    """Each cell against the mean and spread of its neighbourhood; see `functional.local_contrast_norm`."""

    def __init__(self, size: int = 9, sigma: float | None = None, eps: float = 1e-4) -> None:
        super().__init__()
        self.size = size
        self.sigma = sigma
        self.eps = eps

    def forward(self, input: Tensor) -> Tensor:
        return F.local_contrast_norm(input, self.size, self.sigma, self.eps)

    def extra_repr(self) -> str:
        return f"{self.size}, sigma={self.sigma}, eps={self.eps}"
