"""Sums, means and extremes, as methods of a Tensor."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minicnn import ops
from minicnn.ops.reduce import ALL
from minicnn.tensor.apply import Variable, apply, apply_to_one, apply_view
from minicnn.tensor.arithmetic import DEFAULT, cast, category
from minicnn.tensor.names import numpy_names, over_dims
from minicnn.tensor.special import Special

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor

Dims = int | tuple[int, ...] | list[int] | None


def axis_of(name: str, dim: Any, ndim: int) -> int:
    """A dimension counted from the front; IndexError if there is none. A scalar counts as one dimension."""
    if type(dim) is int and -ndim <= dim < ndim:
        return dim % ndim
    if not isinstance(dim, int | np.integer):
        raise TypeError(f"{name}: expected dim as an int, got {dim!r}")
    count = max(ndim, 1)
    if not -count <= dim < count:
        raise IndexError(
            f"{name}: dim {dim} is out of range for {ndim} dimensions (expected {-count} to {count - 1})"
        )
    return int(dim) % count


def axes_of(name: str, dim: Dims, ndim: int, keepdim: bool = False) -> tuple[int, ...] | None:
    """Dimensions counted from the front; None for all. Checks `keepdim`, too: x.sum(0, 1) is a slip."""
    if type(keepdim) is not bool:
        raise TypeError(f"{name}: expected keepdim as a bool, got {keepdim!r} (several dims go in a tuple)")
    if dim is None:
        return None
    if type(dim) is int and -ndim <= dim < ndim:
        return (dim % ndim,)
    if isinstance(dim, tuple | list) and not dim:
        return None
    axes = tuple(axis_of(name, d, ndim) for d in (dim if isinstance(dim, tuple | list) else (dim,)))
    if len(set(axes)) < len(axes):
        raise RuntimeError(f"{name}: a dimension appears twice in dim={dim}")
    return axes if ndim else None


class Picked(NamedTuple):
    """The extreme values along a dimension, and where they were (int64)."""

    values: "Tensor"
    indices: "Tensor"


def along(x: Any, indices: Any, axis: int, keepdim: bool) -> Picked:
    """The pair of one element along an axis and its index, from indices that kept the axis."""
    values = apply(ops.Along, x, indices, axis=axis, distinct=True)
    if not keepdim and indices.ndim:
        shape = indices.shape[:axis] + indices.shape[axis + 1 :]
        values, indices = apply_view(ops.Reshape, values, shape), indices.reshape(shape)
    return Picked(values, Variable.wrap(indices))


class Reduction(Special):
    """Methods that make many elements one. `dim`: one dimension, several, or all (None)."""

    __slots__ = ()

    @over_dims
    def sum(self, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> "Tensor":
        """The sum; of integers and truth values in int64."""
        x = self if dtype is None and self.array.dtype.kind == "f" else self._total(dtype)
        if dim is None and keepdim is False:
            return apply_to_one(ops.Sum, x, ALL)
        return apply_to_one(ops.Sum, x, (axes_of("sum", dim, self.array.ndim, keepdim), keepdim))

    @over_dims
    def mean(self, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> "Tensor":
        """The mean of floating point numbers."""
        x = self if dtype is None else cast(self, np.dtype(dtype))
        x._check_float("mean")
        return apply_to_one(ops.Mean, x, (axes_of("mean", dim, self.array.ndim, keepdim), keepdim))

    @numpy_names
    def var(
        self,
        dim: Dims | bool = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> "Tensor":
        """The variance, divided by the count less `correction` (1; 0 if not `unbiased`)."""
        return self._spread("var", ops.Var, dim, unbiased, keepdim, correction)

    @numpy_names
    def std(
        self,
        dim: Dims | bool = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> "Tensor":
        """The standard deviation: the square root of `var`."""
        return self._spread("std", ops.Std, dim, unbiased, keepdim, correction)

    def var_mean(self, *args: Any, **kwargs: Any) -> tuple["Tensor", "Tensor"]:
        """The pair of `var` and `mean`."""
        return self.var(*args, **kwargs), self._mean_beside(*args, **kwargs)

    def std_mean(self, *args: Any, **kwargs: Any) -> tuple["Tensor", "Tensor"]:
        """The pair of `std` and `mean`."""
        return self.std(*args, **kwargs), self._mean_beside(*args, **kwargs)

    @numpy_names
    def _mean_beside(
        self, dim: Any = None, unbiased: Any = None, keepdim: bool = False, correction: Any = None
    ) -> "Tensor":
        return self.mean(None if isinstance(dim, bool) else dim, keepdim)

    def _spread(
        self,
        name: str,
        function: Any,
        dim: Any,
        unbiased: bool | None,
        keepdim: bool,
        correction: float | None,
    ) -> "Tensor":
        self._check_float(name)
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        if unbiased is not None and correction is not None:
            raise TypeError(f"{name}: expected unbiased or correction, not both")
        if correction is None:
            correction = 0 if unbiased is False else 1
        axis = axes_of(name, dim, self.array.ndim, keepdim)
        return apply(function, self, axis=axis, correction=correction, keepdim=keepdim)

    @over_dims
    def prod(self, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> "Tensor":
        """The product of all, or along one dimension; of integers and truth values in int64."""
        x = self._total(dtype)
        axis = None if dim is None else axis_of("prod", dim, self.array.ndim)
        if not self.array.ndim:
            return apply(ops.Copy, x)
        return apply(ops.Prod, x, axis=axis, keepdim=keepdim)

    @numpy_names
    def logsumexp(self, dim: Dims, keepdim: bool = False) -> "Tensor":
        """log(sum(exp(x))), without overflow."""
        x = self if category(self) == 2 else cast(self, DEFAULT)
        return apply(
            ops.LogSumExp, x, axis=axes_of("logsumexp", dim, self.array.ndim, keepdim), keepdim=keepdim
        )

    @numpy_names
    def norm(
        self, p: float | str | None = "fro", dim: Dims = None, keepdim: bool = False, dtype: Any = None
    ) -> "Tensor":
        """(sum |x| ** p) ** (1 / p); "fro" and None are p = 2; inf takes the largest |x|."""
        x = self if dtype is None else cast(self, np.dtype(dtype))
        x._check_float("norm")
        if p is None or p == "fro":
            p = 2
        if not isinstance(p, int | float):
            raise RuntimeError(f'norm: expected a number or "fro" as p, got {p!r}')
        axis = axes_of("norm", dim, self.array.ndim, keepdim)
        if abs(p) == float("inf"):
            self._check_some("norm", None)
        return apply(ops.Norm, x, p=p, axis=axis, keepdim=keepdim)

    def dist(self, other: "Tensor", p: float = 2) -> "Tensor":
        """The norm of the difference."""
        return (self - other).norm(p)

    @numpy_names
    def count_nonzero(self, dim: Dims = None) -> "Tensor":
        """The number of elements that are not zero."""
        axis = axes_of("count_nonzero", dim, self.array.ndim)
        return Variable.wrap((self.array != 0).sum(axis=axis, dtype=np.int64))

    @over_dims
    def amax(self, dim: Dims = None, keepdim: bool = False) -> "Tensor":
        """The largest value; equal ones share the gradient."""
        return self._extreme("amax", dim, keepdim, largest=True)

    @over_dims
    def amin(self, dim: Dims = None, keepdim: bool = False) -> "Tensor":
        """The smallest value; equal ones share the gradient."""
        return self._extreme("amin", dim, keepdim, largest=False)

    @over_dims
    def max(self, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        """The largest of all; with `dim`, the pair (values, indices) along it; `maximum` of a Tensor."""
        return self._max_or_min("max", dim, keepdim, other)

    @over_dims
    def min(self, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        """The smallest of all; with `dim`, the pair (values, indices) along it; `minimum` of a Tensor."""
        return self._max_or_min("min", dim, keepdim, other)

    def _max_or_min(self, name: str, dim: Any, keepdim: bool, other: Any) -> Any:
        if isinstance(dim, Variable):
            dim, other = None, dim
        if other is not None:
            if dim is not None or keepdim:
                raise TypeError(f"{name}: expected another Tensor or dim and keepdim, not both")
            return getattr(self, f"{name}imum")(other)
        if dim is None:
            if keepdim:
                raise TypeError(f"{name}: expected dim together with keepdim")
            return self._extreme(name, None, False, name == "max")
        return self._pick(name, dim, keepdim)

    def aminmax(self, *, dim: int | None = None, keepdim: bool = False) -> "tuple[Tensor, Tensor]":
        """The pair of `amin` and `amax`."""
        return self.amin(dim, keepdim), self.amax(dim, keepdim)

    @over_dims
    def argmax(self, dim: int | None = None, keepdim: bool = False) -> "Tensor":
        """Where the (first) largest value is, int64; in the flattened Tensor if dim is None."""
        return self._where("argmax", dim, keepdim)

    @over_dims
    def argmin(self, dim: int | None = None, keepdim: bool = False) -> "Tensor":
        """Where the (first) smallest value is, int64; in the flattened Tensor if dim is None."""
        return self._where("argmin", dim, keepdim)

    @numpy_names
    def softmax(self, dim: int, dtype: Any = None) -> "Tensor":
        """exp(x) / sum(exp(x)) along a dimension."""
        x = self if dtype is None else cast(self, np.dtype(dtype))
        x._check_float("softmax")
        return apply_to_one(ops.Softmax, x, axis_of("softmax", dim, self.array.ndim))

    @numpy_names
    def log_softmax(self, dim: int, dtype: Any = None) -> "Tensor":
        """The logarithm of softmax, without its loss of digits."""
        x = self if dtype is None else cast(self, np.dtype(dtype))
        x._check_float("log_softmax")
        return apply_to_one(ops.LogSoftmax, x, axis_of("log_softmax", dim, self.array.ndim))

    @over_dims
    def all(self, dim: Dims = None, keepdim: bool = False) -> "Tensor":
        """Whether every element is true (not zero)."""
        return self._truth("all", dim, keepdim)

    @over_dims
    def any(self, dim: Dims = None, keepdim: bool = False) -> "Tensor":
        """Whether some element is true (not zero)."""
        return self._truth("any", dim, keepdim)

    def _truth(self, name: str, dim: Dims, keepdim: bool) -> "Tensor":
        axis = axes_of(name, dim, self.array.ndim, keepdim)
        out = (self.array.all if name == "all" else self.array.any)(axis=axis, keepdims=keepdim)
        return Variable.wrap(out.astype(np.uint8) if self.array.dtype == np.uint8 else out)

    def _extreme(self, name: str, dim: Dims, keepdim: bool, largest: bool) -> "Tensor":
        self._check_some(name, dim)
        axis = axes_of(name, dim, self.array.ndim, keepdim)
        return apply_to_one(ops.Extreme, self, (axis, keepdim, largest))

    def _pick(self, name: str, dim: int, keepdim: bool) -> Picked:
        axis = axis_of(name, dim, self.array.ndim)
        indices = self._where("arg" + name, dim, keepdim=True).array
        return along(self, indices, axis, keepdim)

    def _where(self, name: str, dim: int | None, keepdim: bool) -> "Tensor":
        self._check_some(name, dim, keepdim)
        axis = None if dim is None or not self.array.ndim else axis_of(name, dim, self.array.ndim)
        find: Any = self.array.argmax if name == "argmax" else self.array.argmin
        return Variable.wrap(find(axis=axis, keepdims=keepdim and self.array.ndim > 0))

    def _total(self, dtype: Any) -> Any:
        if dtype is None:
            return self if self.array.dtype.kind == "f" else cast(self, np.dtype(np.int64))
        return cast(self, np.dtype(dtype))

    def _check_float(self, name: str) -> None:
        if self.array.dtype.kind != "f":
            raise RuntimeError(f"{name}: expected floating point numbers, got {self.array.dtype}")

    def _check_some(self, name: str, dim: Dims, keepdim: bool = False) -> None:
        axes = axes_of(name, dim, self.array.ndim, keepdim)
        if self.array.size:
            return
        if 0 in (self.array.shape if axes is None else [self.array.shape[i] for i in axes]):
            kind = IndexError if axes or name.startswith("arg") else RuntimeError
            raise kind(
                f"{name}: expected at least one element to reduce, got shape {self.array.shape}, dim={dim}"
            )
