"""Operators between Tensors and numbers: arithmetic and comparisons."""

from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn import ops
from minicnn.autograd import Function
from minicnn.device import array_module, host, is_array, number
from minicnn.tensor.apply import Variable, apply, apply_to_one, apply_to_two, together

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor

DEFAULT = np.dtype(np.float32)
RANK = {"b": 0, "u": 1, "i": 1, "f": 2}
NUMBERS = (int, float)


def category(x: Any) -> int:
    """0 for truth values, 1 for integers, 2 for floating point numbers."""
    if isinstance(x, Variable):
        return RANK[x.array.dtype.kind]
    return 0 if isinstance(x, bool | np.bool_) else 1 if isinstance(x, int | np.integer) else 2


def result_dtype(*operands: Any) -> np.dtype:
    """The dtype of a result, by PyTorch's rule.

    The highest category decides (bool, integer, floating point); among Tensors of that category those with
    dimensions go before those without, and both before plain numbers.
    """
    top = max(category(x) for x in operands)
    for group in (
        [x.array.dtype for x in operands if isinstance(x, Variable) and x.array.ndim and category(x) == top],
        [x.array.dtype for x in operands if isinstance(x, Variable) and category(x) == top],
    ):
        if group:
            return np.result_type(*group)
    return (np.dtype(bool), np.dtype(np.int64), DEFAULT)[top]


def operand(name: str, x: Any) -> Any:
    """A Tensor or a plain number, from what the user wrote."""
    if isinstance(x, np.generic):
        return x.item()  # np.float64 is a float, but one that would make float32 float64
    if isinstance(x, (Variable, *NUMBERS)):
        return x
    if is_array(x):
        return Variable.wrap(x)
    raise TypeError(f"{name}: expected a Tensor or a number, got {type(x).__name__}")


def cast(x: Any, dtype: np.dtype) -> Any:
    """A Tensor in another dtype, if it has not got it already; numbers stay as they are."""
    return x if not isinstance(x, Variable) or x.array.dtype == dtype else apply(ops.Cast, x, dtype=dtype)


def agree(x: Any, y: Any) -> bool:
    """Whether two operands need no conversion: Tensors of one dtype, or a Tensor and a number it can hold."""
    if isinstance(x, Variable) and isinstance(y, Variable):
        return x.array.dtype is y.array.dtype
    if isinstance(x, Variable):
        return type(y) in NUMBERS and (x.array.dtype.kind == "f" or category(y) <= category(x))
    return isinstance(y, Variable) and type(x) in NUMBERS and category(x) <= category(y)


def promoted(name: str, x: Any, y: Any) -> tuple[Any, Any]:
    """Both operands, Tensors converted to the result's dtype."""
    x, y = operand(name, x), operand(name, y)
    if name == "sub" and 0 in (category(x), category(y)):
        raise RuntimeError("sub: expected numbers, got truth values; use ^ or logical_not() for those")
    dtype = result_dtype(x, y)
    return cast(x, dtype), cast(y, dtype)


def check_broadcast(name: str, x: Any, y: Any) -> None:
    """Raise RuntimeError if two Tensors' shapes do not broadcast."""
    if isinstance(x, Variable) and isinstance(y, Variable):
        try:
            np.broadcast_shapes(x.array.shape, y.array.shape)
        except ValueError:
            message = f"{name}: the shapes {x.array.shape} and {y.array.shape} do not broadcast"
            raise RuntimeError(message) from None


def binary(function: type[Function], x: Any, y: Any) -> "Tensor":
    """Apply an operation of two operands after promotion."""
    run: Any = apply
    if isinstance(x, Variable):
        if isinstance(y, Variable):
            if x.array.dtype is y.array.dtype:
                run = apply_to_two
        elif type(y) in NUMBERS and (x.array.dtype.kind == "f" or category(y) <= category(x)):
            run = apply_to_one
    if run is apply and not agree(x, y):
        x, y = promoted(function.__name__.lower(), x, y)
    try:
        return run(function, x, y)
    except OverflowError as error:  # a number that does not fit an integer dtype wraps round, as in PyTorch
        if function is ops.Pow:
            raise RuntimeError(f"pow: {error}") from None
        dtype, beside = result_dtype(x, y), x.array if isinstance(x, Variable) else y.array
        x, y = (v if isinstance(v, Variable) else number(v, dtype, beside) for v in (x, y))
        return apply(function, x, y)
    except (ValueError, TypeError) as error:
        check_broadcast(function.__name__.lower(), x, y)
        raise RuntimeError(f"{function.__name__.lower()}: {error}") from None


def divide(x: Any, y: Any) -> "Tensor":
    """x / y, in floating point also for integers."""
    if not agree(x, y):
        x, y = promoted("div", x, y)
    if category(x) < 2 and category(y) < 2:
        x, y = cast(x, DEFAULT), cast(y, DEFAULT)
    return binary(ops.Div, x, y)


def remainder(name: str, x: Any, y: Any) -> "Tensor":
    """What is left of x after division by y: "remainder" has the sign of y, "fmod" that of x."""
    x, y = whole_division(name, x, y)
    return apply(ops.Remainder, x, y, how=name)


def floor_divide(x: Any, y: Any) -> "Tensor":
    """floor(x / y), without a gradient."""
    x, y = whole_division("floor_divide", x, y)
    return apply(ops.WholeDivide, x, y, smooth=False)


def whole_division(name: str, x: Any, y: Any) -> tuple[Any, Any]:
    """Both operands in the result's dtype; integers are not divided by 0."""
    x, y = promoted(name, x, y)
    check_broadcast(name, x, y)
    top = max(category(x), category(y))
    if not top:
        raise RuntimeError(f"{name}: expected numbers, got truth values")
    if top == 1 and not (host(y.array).all() if isinstance(y, Variable) else y):
        raise RuntimeError(f"{name}: an integer is divided by 0")
    return x, y


def compare(ufunc: np.ufunc, x: "Variable", y: Any) -> "Tensor":
    """A comparison: a Tensor of truth values, without a gradient."""
    if not agree(x, y):
        try:
            x, y = promoted(ufunc.__name__, x, y)
        except TypeError:
            return NotImplemented  # so == gives False for anything but numbers, and < is a TypeError
    if isinstance(y, Variable) and type(x.array) is not type(y.array):
        x, y = together(ufunc, (x, y))
    run: Any = ufunc if type(x.array) is np.ndarray else getattr(array_module(x.array), ufunc.__name__)
    try:
        return Variable.wrap(run(x.array, y.array if isinstance(y, Variable) else y))
    except ValueError:
        check_broadcast(ufunc.__name__, x, y)
        raise


def bitwise(ufunc: np.ufunc, x: Variable, *y: Any) -> "Tensor":
    """An operation on the bits of integers, or on truth values."""
    if any(category(operand) == 2 for operand in (x, *y)):
        kind = RuntimeError if y else TypeError  # as in PyTorch
        raise kind(f"{ufunc.__name__}: expected integers or truth values, got floating point numbers")
    return compare(ufunc, x, *y) if y else Variable.wrap(~x.array)


class Arithmetic(Variable):
    """The operators of a Tensor."""

    __slots__ = ()
    __hash__ = object.__hash__  # a Tensor is itself alone, although == compares elements

    def __add__(self, other: Any) -> "Tensor":
        return binary(ops.Add, self, other)

    def __sub__(self, other: Any) -> "Tensor":
        return binary(ops.Sub, self, other)

    def __mul__(self, other: Any) -> "Tensor":
        return binary(ops.Mul, self, other)

    def __truediv__(self, other: Any) -> "Tensor":
        return binary(ops.Div, self, other) if self.array.dtype.kind == "f" else divide(self, other)

    def __floordiv__(self, other: Any) -> "Tensor":
        return floor_divide(self, other)

    def __mod__(self, other: Any) -> "Tensor":
        return remainder("remainder", self, other)

    def __pow__(self, other: Any) -> "Tensor":
        return binary(ops.Pow, self, other)

    def __radd__(self, other: Any) -> "Tensor":
        return binary(ops.Add, self, other)

    def __rsub__(self, other: Any) -> "Tensor":
        return binary(ops.Sub, other, self)

    def __rmul__(self, other: Any) -> "Tensor":
        return binary(ops.Mul, self, other)

    def __rtruediv__(self, other: Any) -> "Tensor":
        return divide(other, self)

    def __rfloordiv__(self, other: Any) -> "Tensor":
        return floor_divide(other, self)

    def __rmod__(self, other: Any) -> "Tensor":
        return remainder("remainder", other, self)

    def __rpow__(self, other: Any) -> "Tensor":
        return binary(ops.Pow, other, self)

    def __matmul__(self, other: Any) -> "Tensor":
        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> "Tensor":
        return matmul(other, self)

    def __neg__(self) -> "Tensor":
        if self.array.dtype == bool:
            raise RuntimeError("neg: expected numbers, got truth values; use ~ or logical_not()")
        return apply_to_one(ops.Neg, self)

    def __abs__(self) -> "Tensor":
        return apply_to_one(ops.Abs, self)

    def __eq__(self, other: Any) -> "Tensor":  # type: ignore[override]
        return compare(np.equal, self, other)

    def __ne__(self, other: Any) -> "Tensor":  # type: ignore[override]
        return compare(np.not_equal, self, other)

    def __lt__(self, other: Any) -> "Tensor":
        return compare(np.less, self, other)

    def __le__(self, other: Any) -> "Tensor":
        return compare(np.less_equal, self, other)

    def __gt__(self, other: Any) -> "Tensor":
        return compare(np.greater, self, other)

    def __ge__(self, other: Any) -> "Tensor":
        return compare(np.greater_equal, self, other)

    def __pos__(self) -> "Tensor":
        return self  # type: ignore[return-value]

    def __invert__(self) -> "Tensor":
        return bitwise(np.bitwise_not, self)

    def __and__(self, other: Any) -> "Tensor":
        return bitwise(np.bitwise_and, self, other)

    def __or__(self, other: Any) -> "Tensor":
        return bitwise(np.bitwise_or, self, other)

    def __xor__(self, other: Any) -> "Tensor":
        return bitwise(np.bitwise_xor, self, other)

    def __lshift__(self, other: Any) -> "Tensor":
        return bitwise(np.left_shift, self, other)

    def __rshift__(self, other: Any) -> "Tensor":
        return bitwise(np.right_shift, self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def add(self, other: Any, *, alpha: float = 1) -> "Tensor":
        """Plus alpha times `other`."""
        return self + (other if alpha == 1 else other * alpha)

    def sub(self, other: Any, *, alpha: float = 1) -> "Tensor":
        """Minus alpha times `other`."""
        return self - (other if alpha == 1 else other * alpha)

    def mul(self, other: Any) -> "Tensor":
        """Times `other`."""
        return binary(ops.Mul, self, other)

    def div(self, other: Any, *, rounding_mode: str | None = None) -> "Tensor":
        """Divided by `other`; with `rounding_mode` "floor" or "trunc" the whole part of it."""
        if rounding_mode is None:
            return divide(self, other)
        if rounding_mode not in ("floor", "trunc"):
            raise RuntimeError(f'div: expected rounding_mode None, "floor" or "trunc", got {rounding_mode!r}')
        x, y = whole_division("div", self, other)
        return apply(ops.WholeDivide, x, y, how=rounding_mode)

    def floor_divide(self, other: Any) -> "Tensor":
        """The largest whole number not above self / other, as //."""
        return floor_divide(self, other)

    def remainder(self, other: Any) -> "Tensor":
        """What division leaves, with the sign of `other`, as %."""
        return remainder("remainder", self, other)

    def fmod(self, other: Any) -> "Tensor":
        """What division leaves, with the sign of the elements."""
        return remainder("fmod", self, other)

    def matmul(self, other: Any) -> "Tensor":
        """The matrix product, as @."""
        return matmul(self, other)

    # PyTorch's names for the operators
    subtract, multiply, divide, true_divide = sub, mul, div, div
    neg = negative = __neg__
    eq, ne, lt, le, gt, ge = __eq__, __ne__, __lt__, __le__, __gt__, __ge__
    bitwise_and, bitwise_or, bitwise_xor, bitwise_not = __and__, __or__, __xor__, __invert__

    def logical_and(self, other: "Tensor") -> "Tensor":
        """Whether both are true (not zero)."""
        return truth(self) & truth(other)

    def logical_or(self, other: "Tensor") -> "Tensor":
        """Whether one of them is true (not zero)."""
        return truth(self) | truth(other)

    def logical_xor(self, other: "Tensor") -> "Tensor":
        """Whether just one of them is true (not zero)."""
        return truth(self) ^ truth(other)

    def logical_not(self) -> "Tensor":
        """Whether each element is false (zero)."""
        return Variable.wrap(self.array == 0)


def truth(x: Any) -> "Tensor":
    """Which elements are not zero."""
    if not isinstance(x, Variable):
        raise TypeError(f"logical: expected a Tensor, got {type(x).__name__}")
    return Variable.wrap(x.array != 0)


def matmul(input: Any, other: Any) -> "Tensor":
    """The matrix product of two Tensors: vectors, matrices or stacks of them, (..., N, K) @ (..., K, M)."""
    x, y = input, other
    if not (isinstance(x, Variable) and isinstance(y, Variable)):
        x, y = operand("matmul", x), operand("matmul", y)
        if not (isinstance(x, Variable) and isinstance(y, Variable)):
            raise TypeError("matmul: expected two Tensors; multiply by a number with *")
    if x.array.dtype != y.array.dtype:
        raise RuntimeError(f"matmul: expected one dtype, got {x.array.dtype} and {y.array.dtype}")
    return apply_to_two(ops.MatMul, x, y)
