"""Functions of each element, as methods of a Tensor."""

from typing import TYPE_CHECKING, Any

from minicnn import ops
from minicnn.autograd import Function
from minicnn.tensor.apply import Variable, apply
from minicnn.tensor.arithmetic import DEFAULT, binary, cast, category, operand, result_dtype

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor


def unary(function: type[Function], x: Variable) -> "Tensor":
    """Apply a function whose results are floating point numbers, also for integers."""
    return apply(function, x if category(x) == 2 else cast(x, DEFAULT))


class Elementwise(Variable):
    """Methods that treat each element on its own."""

    __slots__ = ()

    def exp(self) -> "Tensor":
        """e to the power of each element."""
        return unary(ops.Exp, self)

    def log(self) -> "Tensor":
        """The natural logarithm."""
        return unary(ops.Log, self)

    def sqrt(self) -> "Tensor":
        """The square root."""
        return unary(ops.Sqrt, self)

    def tanh(self) -> "Tensor":
        """The hyperbolic tangent."""
        return unary(ops.Tanh, self)

    def sigmoid(self) -> "Tensor":
        """1 / (1 + exp(-x))."""
        return unary(ops.Sigmoid, self)

    def relu(self) -> "Tensor":
        """The larger of each element and 0."""
        return apply(ops.ReLU, self)

    def abs(self) -> "Tensor":
        """The absolute value."""
        return apply(ops.Abs, self)

    def pow(self, exponent: Any) -> "Tensor":
        """Each element to the power of a number or of another Tensor's elements."""
        return binary(ops.Pow, self, exponent)

    def clamp(self, min: float | None = None, max: float | None = None) -> "Tensor":
        """Each element limited to [min, max]."""
        if min is None and max is None:
            raise RuntimeError("clamp: expected min, max or both")
        low, high = (None if bound is None else operand("clamp", bound) for bound in (min, max))
        if isinstance(low, Variable) or isinstance(high, Variable):
            raise TypeError("clamp: expected min and max as numbers; use maximum() and minimum() for Tensors")
        dtype = result_dtype(self, *(bound for bound in (low, high) if bound is not None))
        return apply(ops.Clamp, cast(self, dtype), low=low, high=high)


def maximum(x: "Tensor", y: "Tensor") -> "Tensor":
    """The larger of two Tensors' elements, broadcast."""
    return binary(ops.Maximum, x, y)


def minimum(x: "Tensor", y: "Tensor") -> "Tensor":
    """The smaller of two Tensors' elements, broadcast."""
    return binary(ops.Minimum, x, y)
