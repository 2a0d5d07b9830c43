"""Starting values for parameters, written in place; random ones come from `minicnn.random.generator()`."""

import math
from typing import Any

import numpy as np

from minicnn.autograd import no_grad
from minicnn.random import generator
from minicnn.tensor import Tensor

GAINS = {"sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4, "linear": 1.0}
GAINS |= {f"conv{kind}{n}d": 1.0 for kind in ("", "_transpose") for n in (1, 2, 3)}


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Uniform in [a, b)."""
    return fill(tensor, scaled(generator().random(tensor.shape, kind(tensor)), b - a, a))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Normal, with a mean and a standard deviation."""
    if std < 0:
        raise RuntimeError(f"normal_: expected std of at least 0, got {std}")
    return fill(tensor, scaled(generator().standard_normal(tensor.shape, kind(tensor)), std, mean))


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> Tensor:
    """Normal, but drawn anew outside [a, b], which are numbers, not multiples of std."""
    from scipy.special import ndtr, ndtri

    low, high = (ndtr((bound - mean) / std) for bound in (a, b))
    # drawn in float64: float32 has a 0, which becomes the bound itself, among some 16 million numbers
    shares = generator().random(tensor.shape) * (high - low) + low
    return fill(tensor, np.clip(ndtri(shares) * std + mean, a, b).astype(kind(tensor)))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """All `val`."""
    return fill(tensor, np.full(tensor.shape, val, tensor.dtype))


def zeros_(tensor: Tensor) -> Tensor:
    """All zero."""
    return constant_(tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """All one."""
    return constant_(tensor, 1)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix: ones where row and column are equal."""
    if tensor.ndim != 2:
        raise ValueError(f"eye_: expected a matrix, got {tensor.shape}")
    return fill(tensor, np.eye(*tensor.shape, dtype=tensor.dtype))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution (O, C, ...) that gives back its input, as far as it has channels, in each group."""
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"dirac_: expected a weight of 3, 4 or 5 dimensions, got {tensor.shape}")
    O, C, *window = tensor.shape
    if O % groups:
        raise ValueError(f"dirac_: dim 0 must be divisible by groups, got {tensor.shape} and {groups} groups")
    values = np.zeros(tensor.shape, tensor.dtype)
    centre = tuple(n // 2 for n in window)
    for group in range(groups):
        for channel in range(min(O // groups, C)):
            values[(group * (O // groups) + channel, channel, *centre)] = 1
    return fill(tensor, values)


def orthogonal_(tensor: Tensor, gain: float = 1) -> Tensor:
    """A matrix (O, all others) with orthonormal rows or columns, times gain.

    Source: Saxe et al., Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks, 2014.
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: expected a weight of 2 dimensions or more, got {tensor.shape}")
    if not tensor.numel():
        return tensor
    rows, columns = tensor.shape[0], tensor.numel() // tensor.shape[0]
    drawn = generator().standard_normal((rows, columns), kind(tensor))
    q, r = np.linalg.qr(drawn.T if rows < columns else drawn)
    q = q * np.sign(np.diagonal(r))  # otherwise not all such matrices were equally likely
    return fill(tensor, gain * (q.T if rows < columns else q).reshape(tensor.shape))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Uniform with variance 2 gain^2 / (fan_in + fan_out).

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural
    networks, 2010.
    """
    bound = math.sqrt(3) * xavier_std(tensor, gain)
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Normal with variance 2 gain^2 / (fan_in + fan_out); the source is that of `xavier_uniform_`."""
    return normal_(tensor, 0.0, xavier_std(tensor, gain))


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Uniform with variance gain^2 / fan, which keeps the size of what passes through such layers.

    Parameters
    ----------
    tensor : Tensor (O, C, ...)
        A weight.
    a : float
        The slope of a leaky ReLU below zero. Layers use sqrt(5), which makes the bound 1 / sqrt(fan_in).
    mode : "fan_in" or "fan_out"
        Keep the size forward, or that of gradients backward.
    nonlinearity : str
        See `calculate_gain`.

    Source: He et al., Delving deep into rectifiers, 2015.
    """
    bound = math.sqrt(3) * kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Normal with variance gain^2 / fan; arguments and source are those of `kaiming_uniform_`."""
    return normal_(tensor, 0.0, kaiming_std(tensor, a, mode, nonlinearity))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much to scale weights before a nonlinearity; `param` is the slope of "leaky_relu" (0.01)."""
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        raise ValueError(f"calculate_gain: expected one of {[*GAINS, 'leaky_relu']}, got {nonlinearity!r}")
    return GAINS[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """fan_in and fan_out of a weight (O, C, ...): how many inputs an output has, and outputs an input."""
    if tensor.ndim < 2:
        raise ValueError(f"init: expected a weight of 2 dimensions or more, got {tensor.shape}")
    outputs, inputs, *window = tensor.shape
    return inputs * math.prod(window), outputs * math.prod(window)


def xavier_std(tensor: Tensor, gain: float) -> float:
    """The standard deviation of `xavier_uniform_` and `xavier_normal_`."""
    return gain * math.sqrt(2 / sum(fans(tensor)))


def kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """The standard deviation of `kaiming_uniform_` and `kaiming_normal_`."""
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f'kaiming: expected mode "fan_in" or "fan_out", got {mode!r}')
    return calculate_gain(nonlinearity, a) / math.sqrt(fans(tensor)[mode == "fan_out"])


def kind(tensor: Tensor) -> Any:
    """The dtype to draw random numbers in."""
    if tensor.dtype.kind != "f":
        raise RuntimeError(f"init: expected a Tensor of floating point numbers, got {tensor.dtype}")
    return tensor.dtype


def scaled(values: np.ndarray, factor: float, shift: float) -> np.ndarray:
    """factor * values + shift, in their memory: large weights are drawn in not much more than their own."""
    values *= factor
    values += shift
    return values


def fill(tensor: Tensor, values: np.ndarray) -> Tensor:
    """Write values in place, without a gradient."""
    with no_grad():
        return tensor.copy_(Tensor(values))
