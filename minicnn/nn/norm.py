"""Normalising layers."""

from collections.abc import Sequence
from typing import Any, ClassVar

from minicnn.nn import functional as F
from minicnn.nn import init
from minicnn.nn.arguments import integer
from minicnn.nn.functional.norm import sizes
from minicnn.nn.module import Module
from minicnn.nn.parameter import Parameter
from minicnn.tensor import Tensor, empty, ones, tensor, zeros


class Affine(Module):
    """A layer with a weight, at first 1, and a bias, at first 0; or without them."""

    weight: Parameter | None
    bias: Parameter | None

    def __init__(self, shape: tuple[int, ...], weight: bool, bias: bool, dtype: Any) -> None:
        super().__init__()
        self.weight = Parameter(empty(*shape, dtype=dtype)) if weight else None
        self.bias = Parameter(empty(*shape, dtype=dtype)) if weight and bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start again with weight 1 and bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class Moving(Affine):
    """A layer that may keep running statistics of what it sees in training, to use them in evaluation.

    Attributes
    ----------
    running_mean, running_var : Tensor (num_features) or None
    num_batches_tracked : Tensor () of int64, or None
    """

    dims: ClassVar[tuple[int, ...]]  # how many dimensions the input may have
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        bias: bool,
        dtype: Any,
    ) -> None:
        self.num_features = integer(type(self).__name__, "num_features", num_features, 1, ValueError)
        super().__init__((num_features,), affine, bias, dtype)
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        kept = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, dtype=dtype) if kept else None)
        self.register_buffer("running_var", ones(num_features, dtype=dtype) if kept else None)
        self.register_buffer("num_batches_tracked", tensor(0) if kept else None)

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


class BatchNorm(Moving):
    """Each channel with mean 0 and variance 1 over the batch; see `functional.batch_norm`."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias, dtype)

    def forward(self, input: Tensor) -> Tensor:
        self.check_dims(input)
        share = 0.0 if self.momentum is None else self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # the plain mean over all batches so far
                share = 1 / self.num_batches_tracked.item()
        own = self.training or self.running_mean is None
        used = not self.training or self.track_running_stats
        running = (self.running_mean, self.running_var) if used else (None, None)
        return F.batch_norm(input, *running, self.weight, self.bias, own, share, self.eps)


class BatchNorm1d(BatchNorm):
    """`functional.batch_norm` of (N, C) or (N, C, L).

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
    """

    dims = (2, 3)


class BatchNorm2d(BatchNorm):
    """`functional.batch_norm` of (N, C, H, W); parameters as of BatchNorm1d."""

    dims = (4,)


class InstanceNorm2d(Moving):
    """Each channel of each picture of (N, C, H, W) or (C, H, W) with mean 0 and variance 1.

    Parameters as of BatchNorm1d, but without weight, bias and running statistics unless asked for.
    """

    dims = (3, 4)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias, dtype)

    def forward(self, input: Tensor) -> Tensor:
        self.check_dims(input)
        own = self.training or not self.track_running_stats
        pictures = input.unsqueeze(0) if input.ndim == 3 else input
        if pictures.shape[1] != self.num_features and self.affine:
            raise ValueError(f"InstanceNorm2d: expected {self.num_features} channels, got {input.shape}")
        out = F.instance_norm(
            *(pictures, self.running_mean, self.running_var, self.weight, self.bias),
            *(own, self.momentum or 0.0, self.eps),
        )
        return out.squeeze(0) if input.ndim == 3 else out


class GroupNorm(Affine):
    """Each group of channels of each sample of (N, C, ...) with mean 0 and variance 1."""

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        self.num_groups = integer("GroupNorm", "num_groups", num_groups, 1, ValueError)
        self.num_channels = integer("GroupNorm", "num_channels", num_channels, 1, ValueError)
        if num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: {num_channels} num_channels do not divide into {num_groups} num_groups"
            )
        super().__init__((num_channels,), affine, bias, dtype)
        self.eps = eps
        self.affine = affine

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
        *,
        dtype: Any = None,
    ) -> None:
        many = isinstance(normalized_shape, tuple | list)
        self.normalized_shape = sizes("LayerNorm", normalized_shape if many else (normalized_shape,))
        super().__init__(self.normalized_shape, elementwise_affine, bias, dtype)
        self.eps = eps
        self.elementwise_affine = elementwise_affine

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
