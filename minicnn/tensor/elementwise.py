"""Functions of each element, as methods of a Tensor."""

from typing import TYPE_CHECKING, Any

from minicnn import ops
from minicnn.autograd import Function
from minicnn.device import array_module, check_same, number
from minicnn.tensor.apply import Variable, apply, apply_to_one
from minicnn.tensor.arithmetic import (
    DEFAULT,
    Arithmetic,
    agree,
    binary,
    cast,
    check_broadcast,
    operand,
    promoted,
    result_dtype,
)

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor


def unary(function: type[Function], x: Variable) -> "Tensor":
    """Apply a function whose results are floating point numbers, also for integers."""
    return apply_to_one(function, x if x.array.dtype.kind == "f" else cast(x, DEFAULT))


class Elementwise(Arithmetic):
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
        return apply_to_one(ops.ReLU, self)

    def abs(self) -> "Tensor":
        """The absolute value."""
        return apply_to_one(ops.Abs, self)

    def pow(self, exponent: Any) -> "Tensor":
        """Each element to the power of a number or of another Tensor's elements."""
        return binary(ops.Pow, self, exponent)

    def clamp(self, min: Any = None, max: Any = None) -> "Tensor":
        """Each element limited to [min, max]: numbers, or Tensors that broadcast."""
        if min is None and max is None:
            raise RuntimeError("clamp: expected min, max or both")
        x: Variable = self
        if not all([bound is None or agree(x, bound) for bound in (min, max)]):
            min, max = (None if bound is None else operand("clamp", bound) for bound in (min, max))
            dtype = result_dtype(*(value for value in (x, min, max) if value is not None))
            x, min, max = cast(x, dtype), cast(min, dtype), cast(max, dtype)
        if x.array.dtype == bool:
            raise RuntimeError("clamp: expected numbers, got truth values")
        try:
            return apply(ops.Clamp, x, min, max)
        except (ValueError, OverflowError) as error:
            raise RuntimeError(f"clamp: {error}") from None

    def clamp_min(self, min: Any) -> "Tensor":
        """Each element, but at least min."""
        return self.clamp(min)

    def clamp_max(self, max: Any) -> "Tensor":
        """Each element, but at most max."""
        return self.clamp(None, max)

    def maximum(self, other: "Tensor") -> "Tensor":
        """The larger of two Tensors' elements, broadcast."""
        return maximum(self, other)

    def minimum(self, other: "Tensor") -> "Tensor":
        """The smaller of two Tensors' elements, broadcast."""
        return minimum(self, other)

    def masked_fill(self, mask: "Tensor", value: Any) -> "Tensor":
        """`value` where the mask is true, the elements elsewhere."""
        if not isinstance(mask, Variable):
            raise TypeError(f"masked_fill: expected a Tensor as the mask, got {type(mask).__name__}")
        if mask.array.dtype != bool:
            raise RuntimeError(f"masked_fill: expected a mask of truth values, got {mask.array.dtype}")
        value = operand("masked_fill", value)
        if isinstance(value, Variable) and value.array.ndim:
            raise RuntimeError(f"masked_fill: expected one value, got shape {value.array.shape}")
        check_broadcast("masked_fill", self, mask)
        if isinstance(value, Variable):
            value = cast(value, self.array.dtype)
        else:
            value = Variable.wrap(number(value, self.array.dtype, self.array))
        return apply(ops.Where, mask, value, self)

    def where(self, condition: "Tensor", other: Any) -> "Tensor":
        """The elements where the condition holds, else those of `other`."""
        return select(condition, self, other)

    def lerp(self, end: "Tensor", weight: Any) -> "Tensor":
        """self + weight (end - self)."""
        return self + weight * (end - self)

    def addcmul(self, tensor1: "Tensor", tensor2: "Tensor", *, value: float = 1) -> "Tensor":
        """self + value tensor1 tensor2."""
        return self + value * tensor1 * tensor2

    def addcdiv(self, tensor1: "Tensor", tensor2: "Tensor", *, value: float = 1) -> "Tensor":
        """self + value tensor1 / tensor2."""
        return self + value * tensor1 / tensor2

    def isclose(
        self, other: "Tensor", rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
    ) -> "Tensor":
        """Which elements differ by at most atol + rtol |other|."""
        if not isinstance(other, Variable):
            raise TypeError(f"isclose: expected a Tensor, got {type(other).__name__}")
        if self.array.dtype != other.array.dtype:
            raise RuntimeError(f"isclose: expected one dtype, got {self.array.dtype} and {other.array.dtype}")
        check_broadcast("isclose", self, other)
        check_same("isclose", ("input", "other"), (self.array, other.array))
        return Variable.wrap(array_module(self.array).isclose(self.array, other.array, rtol, atol, equal_nan))

    def allclose(
        self, other: "Tensor", rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
    ) -> bool:
        """Whether all elements differ by at most atol + rtol |other|."""
        return bool(self.isclose(other, rtol, atol, equal_nan).all())

    def equal(self, other: "Tensor") -> bool:
        """Whether shapes and elements are the same."""
        if not isinstance(other, Variable):
            raise TypeError(f"equal: expected a Tensor, got {type(other).__name__}")
        return self.array.shape == other.array.shape and bool((self == other).all())

    # PyTorch's second names
    absolute, clip = abs, clamp


def select(condition: "Tensor", x: Any, y: Any) -> "Tensor":
    """x where the condition holds, else y; all broadcast."""
    if not isinstance(condition, Variable) or condition.array.dtype != bool:
        raise RuntimeError(
            f"where: expected a Tensor of truth values as the condition, got {condition!r:.80}"
        )
    if not (isinstance(x, Variable) and isinstance(y, Variable) and x.array.dtype is y.array.dtype):
        x, y = promoted("where", x, y)
        dtype = result_dtype(x, y)
        beside = condition.array
        x, y = (t if isinstance(t, Variable) else Variable.wrap(number(t, dtype, beside)) for t in (x, y))
    try:
        return apply(ops.Where, condition, x, y)
    except ValueError:
        shapes = [t.array.shape for t in (condition, x, y)]
        raise RuntimeError(f"where: the shapes {shapes} do not broadcast") from None


def where(condition: "Tensor", input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, else `other`; alone, where the condition holds, as indices."""
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    return select(condition, input, other)


def maximum(input: Any, other: Any) -> "Tensor":
    """The larger of two Tensors' elements, broadcast."""
    return binary(ops.Maximum, *two("maximum", input, other))


def minimum(input: Any, other: Any) -> "Tensor":
    """The smaller of two Tensors' elements, broadcast."""
    return binary(ops.Minimum, *two("minimum", input, other))


def two(name: str, x: Any, y: Any) -> tuple[Variable, Variable]:
    """Two Tensors; TypeError for anything else."""
    if not (isinstance(x, Variable) and isinstance(y, Variable)):
        raise TypeError(f"{name}: expected two Tensors, got {type(x).__name__} and {type(y).__name__}")
    return x, y
