"""Activations as their definition: a function of one number, and its derivative, of x or of y = f(x).

Sources: ELU, Clevert et al. 2016; GELU, Hendrycks and Gimpel 2016; hard swish, Howard et al. 2019; Mish,
Misra 2019; PReLU, He et al. 2015.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = [
    "activate", "activation_gradient", "prelu", "prelu_gradient", "relu", "relu_gradient",
]  # fmt: skip

SIXTH = float(np.float32(1 / 6))  # in float64, too, as PyTorch has it


class Activation(NamedTuple):
    """f, and its derivative by x; `of_result` says whether that is a function of y rather than of x.

    Both take the function's settings after it.
    """

    function: Callable[..., float]
    derivative: Callable[..., float]
    of_result: bool = False


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def normal(x):
    """How much of the normal distribution is below x."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


def gelu_tanh(x):
    return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def gelu_tanh_derivative(x):
    t = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    return (1 + t) / 2 + x * (1 - t * t) / 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)


def mish_derivative(x):
    t = np.tanh(np.log1p(np.exp(x)))
    return t + x * (1 - t * t) * sigmoid(x)


def hardswish_derivative(x):
    return 0 if x <= -3 else x / 3 + 0.5 if x < 3 else 1


ACTIVATIONS = {
    "elu": Activation(
        lambda x, alpha, scale, rate: scale * (x if x > 0 else alpha * np.expm1(rate * x)),
        lambda x, alpha, scale, rate: scale * (1 if x > 0 else alpha * rate * np.exp(rate * x)),
    ),
    "erf": Activation(math.erf, lambda x: 2 / math.sqrt(math.pi) * np.exp(-x * x)),
    "exp": Activation(np.exp, lambda y: y, of_result=True),
    "gelu": Activation(
        lambda x: x * normal(x),
        lambda x: normal(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    ),
    "gelu_tanh": Activation(gelu_tanh, gelu_tanh_derivative),
    "hardsigmoid": Activation(
        lambda x: np.clip(x + 3, 0, 6) / 6,
        lambda x: SIXTH if -3 < x < 3 else 0,
    ),
    "hardswish": Activation(lambda x: x * np.clip(x + 3, 0, 6) / 6, hardswish_derivative),
    "hardtanh": Activation(
        lambda x, low, high: np.clip(x, low, high),
        lambda y, low, high: 1 if low < y < high else 0,
        of_result=True,
    ),
    "leaky_relu": Activation(
        lambda x, slope: x if x > 0 else slope * x,
        lambda x, slope: 1 if x > 0 else slope,
    ),
    "log_sigmoid": Activation(lambda x: -np.logaddexp(0, -x), lambda x: sigmoid(-x)),
    "mish": Activation(lambda x: x * np.tanh(np.logaddexp(0, x)), mish_derivative),
    "sigmoid": Activation(sigmoid, lambda y: y * (1 - y), of_result=True),
    "silu": Activation(
        lambda x: x * sigmoid(x),
        lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    ),
    "softplus": Activation(
        lambda x, beta, threshold: x if beta * x > threshold else np.logaddexp(0, beta * x) / beta,
        lambda x, beta, threshold: 1 if beta * x > threshold else sigmoid(beta * x),
    ),
    "tanh": Activation(np.tanh, lambda y: 1 - y * y, of_result=True),
}


def activate(name: str, x: np.ndarray, numbers: tuple[float, ...] = ()) -> np.ndarray:
    """y = f(x) for the function of that name above, with its settings."""
    y = np.empty_like(x)
    with np.errstate(all="ignore"):  # infinities are results here
        for i in np.ndindex(x.shape):
            y[i] = ACTIVATIONS[name].function(np.float64(x[i]), *numbers)
    return y


def activation_gradient(
    name: str, dy: np.ndarray, kept: np.ndarray, numbers: tuple[float, ...] = ()
) -> np.ndarray:
    """dx = dy f'(x); `kept` is y where the derivative is `of_result`, else x."""
    dx = np.empty_like(dy)
    with np.errstate(all="ignore"):
        for i in np.ndindex(kept.shape):
            dx[i] = dy[i] * ACTIVATIONS[name].derivative(np.float64(kept[i]), *numbers)
    return dx


def prelu(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """y (N, C, P): x where it is positive, else weight (C) x."""
    y = x.copy()
    for n, c, p in np.ndindex(x.shape):
        if not x[n, c, p] > 0:
            y[n, c, p] *= weight[c]
    return y


def prelu_gradient(dy: np.ndarray, x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dx (N, C, P) and dweight (C)."""
    dx, dweight = dy.copy(), np.zeros_like(weight)
    for n, c, p in np.ndindex(x.shape):
        if not x[n, c, p] > 0:
            dx[n, c, p] *= weight[c]
            dweight[c] += dy[n, c, p] * x[n, c, p]
    return dx, dweight


def relu(x: np.ndarray) -> np.ndarray:
    """y = max(x, 0); NaN stays NaN."""
    y = x.copy()
    for i in np.ndindex(x.shape):
        if x[i] < 0:
            y[i] = 0
    return y


def relu_gradient(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dx = 0 where y <= 0, else dy."""
    dx = dy.copy()
    for i in np.ndindex(y.shape):
        if y[i] <= 0:
            dx[i] = 0
    return dx


def activated(y: np.ndarray, name: str) -> np.ndarray:
    """What a layer makes of its result: "relu", "tanh" or "sigmoid" of it, or nothing for ""."""
    return y if not name else relu(y) if name == "relu" else activate(name, y)
