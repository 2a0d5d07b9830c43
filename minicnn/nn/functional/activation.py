"""Activations."""

from typing import Any

from minicnn import ops
from minicnn.autograd import Function
from minicnn.device import is_array, like
from minicnn.nn.arguments import check_floats, check_number, check_tensors
from minicnn.random import generator
from minicnn.tensor import Tensor, apply

SELU_ALPHA = 1.6732632423543772  # Klambauer et al. 2017: where mean 0 and variance 1 stay
SELU_SCALE = 1.0507009873554805


def elementwise(
    name: str, function: type[Function], input: Tensor, inplace: bool = False, **settings: Any
) -> Tensor:
    """Apply a function to each element; the result is a new Tensor, or the input with new values."""
    check_floats(name, input=input)
    for role, value in settings.items():
        if not is_array(value):
            check_number(name, role, value)
    out = apply(function, input, **settings)
    return input.assign(name, out) if inplace else out


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """The larger of each element and 0."""
    check_tensors("relu", input=input)
    return input.assign("relu", input.relu()) if inplace else input.relu()


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Each element limited to [0, 6]."""
    check_tensors("relu6", input=input)
    return limited("relu6", input, 0.0, 6.0, inplace)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Each element limited to [min_val, max_val]."""
    check_tensors("hardtanh", input=input)
    check_number("hardtanh", "min_val", min_val)
    check_number("hardtanh", "max_val", max_val)
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val must not be above max_val, got {min_val} and {max_val}")
    return limited("hardtanh", input, min_val, max_val, inplace)


def limited(name: str, input: Tensor, low: float, high: float, inplace: bool) -> Tensor:
    """Elements limited to [low, high], also integers."""
    if input.dtype == bool:
        raise RuntimeError(f"{name}: expected numbers, got truth values")
    out = apply(ops.HardTanh, input, low=low, high=high)
    return input.assign(name, out) if inplace else out


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Each element, times negative_slope where it is negative."""
    return elementwise("leaky_relu", ops.LeakyReLU, input, inplace, slope=negative_slope)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Each element, times a weight where it is negative: one weight for all, or one for each channel.

    Parameters
    ----------
    input : Tensor (N, C, ...)
    weight : Tensor (1) or (C)

    Source: He et al., Delving deep into rectifiers, 2015.
    """
    check_floats("prelu", input=input, weight=weight)
    if weight.ndim > 1:
        raise RuntimeError(f"prelu: expected a weight of shape (C) or (1), got {weight.shape}")
    if input.dtype != weight.dtype:
        raise RuntimeError(f"prelu: input is {input.dtype} but weight is {weight.dtype}")
    if weight.numel() != 1:
        channels = input.shape[1] if input.ndim > 1 else 1
        if weight.numel() != channels:
            raise RuntimeError(
                f"prelu: input has {channels} channels {input.shape} but there are {weight.numel()} weights"
            )
        weight = weight.reshape(1, channels, *[1] * (input.ndim - 2))
    else:
        weight = weight.reshape(())
    return apply(ops.PReLU, input, weight)


def rrelu(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Each element, where negative times a slope drawn from [lower, upper), or their mean if not training.

    Source: Xu et al., Empirical evaluation of rectified activations in convolutional network, 2015.
    """
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    check_floats("rrelu", input=input)
    slopes = like(generator().uniform(lower, upper, input.shape).astype(input.dtype), input.array)
    return elementwise("rrelu", ops.LeakyReLU, input, inplace, slope=slopes)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Each element, but alpha * (exp(x) - 1) where it is negative (Clevert et al. 2016)."""
    return elementwise("elu", ops.ELU, input, inplace, alpha=alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """A scaled ELU that keeps mean 0 and variance 1 (Klambauer et al., Self-normalizing networks, 2017)."""
    return elementwise("selu", ops.ELU, input, inplace, alpha=SELU_ALPHA, scale=SELU_SCALE)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Each element, but alpha * (exp(x / alpha) - 1) where it is negative (Barron 2017)."""
    if alpha == 0:
        raise RuntimeError("celu: alpha must not be 0")
    return elementwise("celu", ops.ELU, input, inplace, alpha=alpha, rate=1 / alpha)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x), also called swish."""
    return elementwise("silu", ops.SiLU, input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x)) (Misra 2019)."""
    return elementwise("mish", ops.Mish, input, inplace)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x times the probability that a normal number is smaller; or its approximation "tanh".

    Source: Hendrycks and Gimpel, Gaussian error linear units, 2016.
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f'gelu: expected approximate "none" or "tanh", got {approximate!r}')
    return elementwise("gelu", ops.TanhGELU if approximate == "tanh" else ops.GELU, input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * relu6(x + 3) / 6 (Howard et al., MobileNetV3, 2019)."""
    return elementwise("hardswish", ops.HardSwish, input, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """relu6(x + 3) / 6."""
    return elementwise("hardsigmoid", ops.HardSigmoid, input, inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta; x itself where beta * x is above the threshold."""
    return elementwise("softplus", ops.Softplus, input, beta=beta, threshold=threshold)


def logsigmoid(input: Tensor) -> Tensor:
    """The logarithm of sigmoid(x), without its loss of digits."""
    return elementwise("logsigmoid", ops.LogSigmoid, input)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    check_floats("softsign", input=input)
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    check_floats("tanhshrink", input=input)
    return input - input.tanh()


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Each element that is above the threshold, and a value for the others."""
    return elementwise("threshold", ops.Threshold, input, inplace, threshold=threshold, value=value)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Each element, but 0 where it is within lambd of 0."""
    return elementwise("hardshrink", ops.Shrink, input, width=lambd, shift=0)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Each element moved by lambd towards 0, and 0 where it is within lambd of it."""
    if lambd < 0:
        raise RuntimeError(f"softshrink: lambd must be at least 0, got {lambd}")
    return elementwise("softshrink", ops.Shrink, input, width=lambd, shift=lambd)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along a dimension times the sigmoid of the second (Dauphin et al. 2017)."""
    check_floats("glu", input=input)
    if input.ndim == 0:
        raise RuntimeError("glu: expected at least one dimension")
    if input.size(dim) % 2:
        raise RuntimeError(f"glu: expected an even size along dim {dim}, got {input.shape}")
    index = [slice(None)] * input.ndim
    half = input.size(dim) // 2
    parts = []
    for part in (slice(half), slice(half, None)):
        index[dim] = part
        parts.append(input[tuple(index)])
    return parts[0] * parts[1].sigmoid()


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent of each element."""
    check_tensors("tanh", input=input)
    return input.tanh()


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x)) of each element."""
    check_tensors("sigmoid", input=input)
    return input.sigmoid()


def softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """exp(x) / sum(exp(x)) along a dimension; in another dtype if given.

    Without `dim`, as in PyTorch, along dimension 0 of one or three, and along 1 otherwise.
    """
    input, dim = of_classes("softmax", input, dim, dtype)
    return input.softmax(dim)


def log_softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """The logarithm of softmax, without its loss of digits; arguments are those of `softmax`."""
    input, dim = of_classes("log_softmax", input, dim, dtype)
    return input.log_softmax(dim)


def softmin(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """The softmax of -x; arguments are those of `softmax`."""
    input, dim = of_classes("softmin", input, dim, dtype)
    return (-input).softmax(dim)


def of_classes(name: str, input: Tensor, dim: int | None, dtype: Any) -> tuple[Tensor, int]:
    """The input in its dtype, and the dimension of the classes."""
    check_tensors(name, input=input)
    if dim is None:
        dim = 0 if input.ndim in (0, 1, 3) else 1
    return input if dtype is None else input.to(dtype), dim
