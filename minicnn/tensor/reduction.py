"""Sums, means and extremes, as methods of a Tensor."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minicnn import ops
from minicnn.tensor.apply import Variable, apply
from minicnn.tensor.arithmetic import cast, category

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor

Dims = int | tuple[int, ...] | list[int] | None


def axis_of(name: str, dim: Any, ndim: int) -> int:
    """A dimension counted from the front; IndexError if there is none. A scalar counts as one dimension."""
    if not isinstance(dim, int | np.integer):
        raise TypeError(f"{name}: expected dim as an int, got {dim!r}")
    count = max(ndim, 1)
    if not -count <= dim < count:
        raise IndexError(
            f"{name}: dim {dim} is out of range for {ndim} dimensions (expected {-count} to {count - 1})"
        )
    return int(dim) % count


def axes_of(name: str, dim: Dims, ndim: int) -> tuple[int, ...] | None:
    """Dimensions counted from the front; None for all of them."""
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        return None
    axes = tuple(axis_of(name, d, ndim) for d in (dim if isinstance(dim, tuple | list) else (dim,)))
    if len(set(axes)) < len(axes):
        raise RuntimeError(f"{name}: a dimension appears twice in dim={dim}")
    return axes if ndim else None


class Picked(NamedTuple):
    """The extreme values along a dimension, and where they were (int64)."""

    values: "Tensor"
    indices: "Tensor"


class Reduction(Variable):
    """Methods that make many elements one. `dim`: one dimension, several, or all (None)."""

    __slots__ = ()

    def sum(self, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> "Tensor":
        """The sum; of integers and truth values in int64."""
        if dtype is None and category(self) < 2:
            dtype = np.int64
        x = self if dtype is None else cast(self, np.dtype(dtype))
        return apply(ops.Sum, x, axis=axes_of("sum", dim, self.array.ndim), keepdim=keepdim)

    def mean(self, dim: Dims = None, keepdim: bool = False) -> "Tensor":
        """The mean of floating point numbers."""
        self._check_float("mean")
        return apply(ops.Mean, self, axis=axes_of("mean", dim, self.array.ndim), keepdim=keepdim)

    def var(self, dim: Dims = None, *, correction: int = 1, keepdim: bool = False) -> "Tensor":
        """The variance, divided by the count less `correction`."""
        self._check_float("var")
        return apply(
            ops.Var, self, axis=axes_of("var", dim, self.array.ndim), correction=correction, keepdim=keepdim
        )

    def std(self, dim: Dims = None, *, correction: int = 1, keepdim: bool = False) -> "Tensor":
        """The standard deviation: the square root of `var`."""
        self._check_float("std")
        return apply(
            ops.Std, self, axis=axes_of("std", dim, self.array.ndim), correction=correction, keepdim=keepdim
        )

    def amax(self, dim: Dims = None, keepdim: bool = False) -> "Tensor":
        """The largest value; equal ones share the gradient."""
        return self._extreme("amax", dim, keepdim, largest=True)

    def amin(self, dim: Dims = None, keepdim: bool = False) -> "Tensor":
        """The smallest value; equal ones share the gradient."""
        return self._extreme("amin", dim, keepdim, largest=False)

    def max(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """The largest value of all; with `dim`, the pair (values, indices) along it."""
        return self._extreme("max", None, False, True) if dim is None else self._pick("max", dim, keepdim)

    def min(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """The smallest value of all; with `dim`, the pair (values, indices) along it."""
        return self._extreme("min", None, False, False) if dim is None else self._pick("min", dim, keepdim)

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> "Tensor":
        """Where the (first) largest value is, int64; in the flattened Tensor if dim is None."""
        return self._where("argmax", dim, keepdim)

    def argmin(self, dim: int | None = None, keepdim: bool = False) -> "Tensor":
        """Where the (first) smallest value is, int64; in the flattened Tensor if dim is None."""
        return self._where("argmin", dim, keepdim)

    def softmax(self, dim: int) -> "Tensor":
        """exp(x) / sum(exp(x)) along a dimension."""
        self._check_float("softmax")
        return apply(ops.Softmax, self, axis=axis_of("softmax", dim, self.array.ndim))

    def log_softmax(self, dim: int) -> "Tensor":
        """The logarithm of softmax, without its loss of digits."""
        self._check_float("log_softmax")
        return apply(ops.LogSoftmax, self, axis=axis_of("log_softmax", dim, self.array.ndim))

    def all(self) -> "Tensor":
        """Whether every element is true (not zero)."""
        return Variable.wrap(self.array.all())

    def any(self) -> "Tensor":
        """Whether some element is true (not zero)."""
        return Variable.wrap(self.array.any())

    def _extreme(self, name: str, dim: Dims, keepdim: bool, largest: bool) -> "Tensor":
        self._check_some(name, dim)
        axis = axes_of(name, dim, self.array.ndim)
        return apply(ops.Extreme, self, axis=axis, keepdim=keepdim, largest=largest)

    def _pick(self, name: str, dim: int, keepdim: bool) -> Picked:
        indices = self._where("arg" + name, dim, keepdim=True).array
        axis = axis_of(name, dim, self.array.ndim)
        grid = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
        grid[axis : axis + 1] = [indices] if self.array.ndim else []
        values = apply(ops.Gather, self, index=tuple(grid))
        if not keepdim and self.array.ndim:
            shape = self.array.shape[:axis] + self.array.shape[axis + 1 :]
            values, indices = apply(ops.Reshape, values, shape=shape), indices.reshape(shape)
        return Picked(values, Variable.wrap(indices))

    def _where(self, name: str, dim: int | None, keepdim: bool) -> "Tensor":
        self._check_some(name, dim)
        axis = None if dim is None or not self.array.ndim else axis_of(name, dim, self.array.ndim)
        find = np.argmax if name == "argmax" else np.argmin
        return Variable.wrap(find(self.array, axis=axis, keepdims=keepdim and self.array.ndim > 0))

    def _check_float(self, name: str) -> None:
        if category(self) < 2:
            raise RuntimeError(f"{name}: expected floating point numbers, got {self.array.dtype}")

    def _check_some(self, name: str, dim: Dims) -> None:
        axes = axes_of(name, dim, self.array.ndim)
        if 0 in (self.array.shape if axes is None else [self.array.shape[i] for i in axes]):
            kind = IndexError if axes or name.startswith("arg") else RuntimeError
            raise kind(
                f"{name}: expected at least one element to reduce, got shape {self.array.shape}, dim={dim}"
            )
