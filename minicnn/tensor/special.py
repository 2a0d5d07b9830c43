"""More functions of each element, as methods of a Tensor: roots, logarithms, trigonometry, rounding."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn import ops
from minicnn.device import array_module
from minicnn.tensor.apply import Variable, apply
from minicnn.tensor.arithmetic import DEFAULT, binary, cast, category, promoted
from minicnn.tensor.elementwise import Elementwise, unary

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor


class Special(Elementwise):
    """Methods that treat each element on its own."""

    __slots__ = ()

    def rsqrt(self) -> "Tensor":
        """One over the square root."""
        return unary(ops.Rsqrt, self)

    def reciprocal(self) -> "Tensor":
        """One over each element."""
        return unary(ops.Reciprocal, self)

    def square(self) -> "Tensor":
        """Each element times itself."""
        return self.pow(2)

    def erf(self) -> "Tensor":
        """The error function."""
        return unary(ops.Erf, self)

    def exp2(self) -> "Tensor":
        """2 to the power of each element."""
        return unary(ops.Exp2, self)

    def expm1(self) -> "Tensor":
        """exp(x) - 1."""
        return unary(ops.Expm1, self)

    def log1p(self) -> "Tensor":
        """log(1 + x)."""
        return unary(ops.Log1p, self)

    def log2(self) -> "Tensor":
        """The logarithm to base 2."""
        return unary(ops.Log2, self)

    def log10(self) -> "Tensor":
        """The logarithm to base 10."""
        return unary(ops.Log10, self)

    def sin(self) -> "Tensor":
        """The sine."""
        return unary(ops.Sin, self)

    def cos(self) -> "Tensor":
        """The cosine."""
        return unary(ops.Cos, self)

    def tan(self) -> "Tensor":
        """The tangent."""
        return unary(ops.Tan, self)

    def asin(self) -> "Tensor":
        """The angle with this sine."""
        return unary(ops.Asin, self)

    def acos(self) -> "Tensor":
        """The angle with this cosine."""
        return unary(ops.Acos, self)

    def atan(self) -> "Tensor":
        """The angle with this tangent."""
        return unary(ops.Atan, self)

    def atan2(self, other: Any) -> "Tensor":
        """The angle of the point (other, self)."""
        y, x = promoted("atan2", self, other)
        if category(y) < 2 and category(x) < 2:
            y, x = cast(y, DEFAULT), cast(x, DEFAULT)
        return binary(ops.Atan2, y, x)

    def sinh(self) -> "Tensor":
        """The hyperbolic sine."""
        return unary(ops.Sinh, self)

    def cosh(self) -> "Tensor":
        """The hyperbolic cosine."""
        return unary(ops.Cosh, self)

    def floor(self) -> "Tensor":
        """The largest whole number that is not larger; the gradient is 0."""
        return self._round("floor")

    def ceil(self) -> "Tensor":
        """The smallest whole number that is not smaller; the gradient is 0."""
        return self._round("ceil")

    def trunc(self) -> "Tensor":
        """Without the digits after the point; the gradient is 0."""
        return self._round("trunc")

    def frac(self) -> "Tensor":
        """The digits after the point."""
        return self - self._round("trunc")

    def round(self, *, decimals: int = 0) -> "Tensor":
        """The nearest whole number, halves to the even one; the gradient is 0."""
        if decimals:
            scale: Any = 10.0**decimals
            return (self * scale).round() / scale
        return self._round("rint")

    def sign(self) -> "Tensor":
        """1, 0 or -1; the gradient is 0."""
        if self.array.dtype == bool:
            return apply(ops.Copy, self)
        return apply(ops.Sign, self)

    def deg2rad(self) -> "Tensor":
        """Degrees as radians."""
        return self.mul(math.pi / 180)

    def rad2deg(self) -> "Tensor":
        """Radians as degrees."""
        return self.mul(180 / math.pi)

    def isnan(self) -> "Tensor":
        """Which elements are not a number."""
        return Variable.wrap(array_module(self.array).isnan(self.array))

    def isinf(self) -> "Tensor":
        """Which elements are infinite."""
        return Variable.wrap(array_module(self.array).isinf(self.array))

    def isfinite(self) -> "Tensor":
        """Which elements are neither infinite nor not a number."""
        return Variable.wrap(array_module(self.array).isfinite(self.array))

    def nan_to_num(
        self, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
    ) -> "Tensor":
        """nan and the infinities replaced: by default by 0 and the largest numbers of the dtype."""
        if self.array.dtype.kind != "f":
            return apply(ops.Copy, self)
        limits, out = np.finfo(self.array.dtype), self
        for where, value in (
            (array_module(self.array).isnan(self.array), nan),
            (self.array == math.inf, limits.max if posinf is None else posinf),
            (self.array == -math.inf, limits.min if neginf is None else neginf),
        ):
            out = out.masked_fill(Variable.wrap(where), float(value))
        return out  # type: ignore[return-value]

    def _round(self, how: str) -> "Tensor":
        if self.array.dtype == bool:
            raise RuntimeError(f"{how}: expected numbers, got truth values")
        return apply(ops.Round, self, how=how)

    # PyTorch's second names
    arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
