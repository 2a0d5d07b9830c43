"""Reshaping, permuting, expanding, indexing and joining, as methods of a Tensor and functions."""

import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn import ops
from minicnn.tensor.apply import Variable, apply
from minicnn.tensor.arithmetic import cast, check_broadcast, promoted, result_dtype
from minicnn.tensor.indexing import split_index
from minicnn.tensor.reduction import axis_of

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor


def sizes(args: tuple) -> tuple[int, ...]:
    """A shape, whether it came as one sequence or as several ints."""
    if len(args) == 1 and isinstance(args[0], tuple | list):
        args = tuple(args[0])
    return tuple(map(operator.index, args))


class Shape(Variable):
    """Methods that arrange the same elements anew."""

    __slots__ = ()

    def reshape(self, *shape: Any) -> "Tensor":
        """The same elements, row by row, in another shape; one size may be -1."""
        new = sizes(shape)
        if min(new, default=0) < -1:
            raise RuntimeError(f"reshape: expected sizes of at least 0, and -1 once at most, got {new}")
        try:
            return apply(ops.Reshape, self, shape=new)
        except ValueError:
            message = (
                f"reshape: the {self.array.size} elements of shape {self.array.shape} do not fit into {new}"
            )
            raise RuntimeError(message) from None

    def view(self, *shape: Any) -> "Tensor":
        """`reshape`; it copies where the elements do not lie in that order in memory."""
        return self.reshape(*shape)

    def view_as(self, other: Variable) -> "Tensor":
        """`view` in the shape of another Tensor."""
        return self.reshape(other.array.shape)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> "Tensor":
        """Dimensions start_dim to end_dim as one."""
        first, last = (axis_of("flatten", d, self.array.ndim) for d in (start_dim, end_dim))
        if first > last:
            raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
        shape = self.array.shape
        return apply(
            ops.Reshape, self, shape=(*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])
        )

    def squeeze(self, dim: int | tuple[int, ...] | None = None) -> "Tensor":
        """Without dimensions of size 1: all of them, or those given if they are."""
        ndim = self.array.ndim
        dims = range(ndim) if dim is None else dim if isinstance(dim, tuple) else (dim,)
        drop = {axis_of("squeeze", d, ndim) for d in dims}
        return apply(
            ops.Reshape,
            self,
            shape=tuple(n for i, n in enumerate(self.array.shape) if i not in drop or n != 1),
        )

    def unsqueeze(self, dim: int) -> "Tensor":
        """With a dimension of size 1 put in at `dim`."""
        at = axis_of("unsqueeze", dim, self.array.ndim + 1)
        return apply(ops.Reshape, self, shape=(*self.array.shape[:at], 1, *self.array.shape[at:]))

    def permute(self, *dims: Any) -> "Tensor":
        """The dimensions in another order."""
        axes = tuple(axis_of("permute", d, self.array.ndim) for d in sizes(dims))
        if sorted(axes) != list(range(self.array.ndim)):
            raise RuntimeError(
                f"permute: expected each of {self.array.ndim} dimensions once, got {sizes(dims)}"
            )
        return apply(ops.Permute, self, axes=axes)

    def transpose(self, dim0: int, dim1: int) -> "Tensor":
        """Two dimensions exchanged."""
        axes = list(range(self.array.ndim))
        i, j = (axis_of("transpose", d, self.array.ndim) for d in (dim0, dim1))
        if axes:
            axes[i], axes[j] = axes[j], axes[i]
        return apply(ops.Permute, self, axes=tuple(axes))

    def movedim(self, source: int, destination: int) -> "Tensor":
        """One dimension put elsewhere; the others keep their order."""
        axes = list(range(self.array.ndim))
        i, j = (axis_of("movedim", d, self.array.ndim) for d in (source, destination))
        if axes:
            axes.insert(j, axes.pop(i))
        return apply(ops.Permute, self, axes=tuple(axes))

    def t(self) -> "Tensor":
        """A matrix transposed."""
        if self.array.ndim > 2:
            raise RuntimeError(f"t: expected at most 2 dimensions, got {self.array.shape}")
        return apply(ops.Permute, self, axes=tuple(range(self.array.ndim))[::-1])

    def expand(self, *shape: Any) -> "Tensor":
        """Repeated, without a copy, along new dimensions and those of size 1; -1 keeps a size."""
        new, old = sizes(shape), self.array.shape
        extra = len(new) - len(old)
        full = tuple(old[i - extra] if n == -1 and i >= extra else n for i, n in enumerate(new))
        if extra < 0 or any(m not in (1, n) for n, m in zip(full[extra:], old, strict=True)) or -1 in full:
            raise RuntimeError(f"expand: shape {old} cannot be expanded to {new}")
        return apply(ops.Expand, self, shape=full)

    def contiguous(self) -> "Tensor":
        """Itself, or a copy whose elements lie row by row in memory."""
        return self if self.array.flags.c_contiguous else apply(ops.Copy, self)  # type: ignore[return-value]

    def clone(self) -> "Tensor":
        """A copy that gradients pass through."""
        return apply(ops.Copy, self)

    def __getitem__(self, index: Any) -> "Tensor":
        view, picked = split_index(index)
        try:
            if picked is ...:
                return apply(ops.Slice, self, index=view)
            return apply(ops.Gather, self, view=view, index=picked)
        except IndexError as error:
            raise IndexError(f"index: {error} (shape {self.array.shape})") from None


def cat(tensors: Sequence["Tensor"], dim: int = 0) -> "Tensor":
    """Tensors one after the other along a dimension; their other sizes must agree.

    As in PyTorch, Tensors of shape (0,) fit everywhere, so that a loop can start with an empty one.
    """
    if not tensors or not all(isinstance(t, Variable) for t in tensors):
        raise (TypeError if tensors else ValueError)("cat: expected at least one Tensor, and nothing else")
    dtype = result_dtype(*tensors)
    tensors = [t for t in tensors if t.array.shape != (0,)] or tensors
    axis = axis_of("cat", dim, tensors[0].array.ndim)
    shapes = [t.array.shape for t in tensors]
    if (
        len({(*s[:axis], *s[axis + 1 :]) for s in shapes}) > 1
        or len({len(s) for s in shapes}) > 1
        or not shapes[0]
    ):
        raise RuntimeError(f"cat: sizes must agree except along dim {dim}, got {shapes}")
    return apply(ops.Concatenate, *(cast(t, dtype) for t in tensors), axis=axis)


def stack(tensors: Sequence["Tensor"], dim: int = 0) -> "Tensor":
    """Tensors of one shape along a new dimension."""
    tensors = list(tensors)
    if len({t.array.shape for t in tensors}) != 1:
        raise RuntimeError(f"stack: expected Tensors of one shape, got {[t.array.shape for t in tensors]}")
    axis = axis_of("stack", dim, tensors[0].array.ndim + 1)
    return cat([t.unsqueeze(axis) for t in tensors], axis)


def where(condition: "Tensor", x: Any, y: Any) -> "Tensor":
    """x where the condition holds, else y; all broadcast."""
    if not isinstance(condition, Variable) or condition.array.dtype != bool:
        raise RuntimeError(
            f"where: expected a Tensor of truth values as the condition, got {condition!r:.80}"
        )
    x, y = promoted("where", x, y)
    for a, b in ((condition, x), (condition, y), (x, y)):
        check_broadcast("where", a, b)
    dtype = result_dtype(x, y)
    x, y = (t if isinstance(t, Variable) else Variable.wrap(np.asarray(t, dtype)) for t in (x, y))
    return apply(ops.Where, condition, x, y)
