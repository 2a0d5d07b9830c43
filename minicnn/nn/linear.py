"""The fully connected layer, and the one that does nothing."""

from typing import Any

from minicnn.nn import functional as F
from minicnn.nn.arguments import integer
from minicnn.nn.conv import default_
from minicnn.nn.module import Module
from minicnn.nn.parameter import Parameter, blank
from minicnn.tensor import Tensor


class Linear(Module):
    """x @ weight.T + bias, for x (..., in_features).

    Parameters
    ----------
    in_features, out_features : int
        Size of the last dimension before and after.
    bias : bool
        Whether to add a number to each output.
    device, dtype : optional
        Of the parameters; the CPU and float32 unless given.

    Attributes
    ----------
    weight : Parameter (out_features, in_features)
        At first uniform in +-1 / sqrt(in_features), as is the bias.
    bias : Parameter (out_features) or None
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_features = integer("Linear", "in_features", in_features, 1, ValueError)
        self.out_features = integer("Linear", "out_features", out_features, 1, ValueError)
        self.weight = blank("Linear", out_features, in_features, device=device, dtype=dtype)
        self.bias = blank("Linear", out_features, device=device, dtype=dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new starting values."""
        default_(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )


class Identity(Module):
    """Gives back what it gets; takes any arguments, so that it can stand in for any layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input
