"""Linear maps."""

from minicnn import ops
from minicnn.nn.arguments import check_tensors
from minicnn.tensor import Tensor, apply, apply_to_two


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias: (..., in) and weight (out, in), bias (out) give (..., out)."""
    if not (type(input) is type(weight) is Tensor):
        check_tensors("linear", input=input, weight=weight)
    if bias is None:
        return apply_to_two(ops.Linear, input, weight)
    check_tensors("linear", bias=bias)
    return apply(ops.Linear, input, weight, bias)
