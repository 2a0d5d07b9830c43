"""Reshaping, permuting, expanding, indexing and joining, as methods of a Tensor and functions."""

import math
import operator
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn import ops
from minicnn.tensor.apply import Variable, apply, apply_to_one, apply_view, shares_memory
from minicnn.tensor.indexing import brought, split_index
from minicnn.tensor.reduction import Reduction, axis_of

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor


def sizes(args: tuple, named: Mapping[str, Any] = MappingProxyType({}), name: str = "") -> tuple[int, ...]:
    """A shape, whether it came as one sequence, as several ints or under its name."""
    if args and type(args[0]) is type(args[-1]) is int and not named:
        return args
    if named:
        if args or named.keys() != {name}:
            raise TypeError(f"expected sizes or {name}, got {args} and {dict(named)}")
        args = (named[name],)
    if len(args) == 1 and isinstance(args[0], tuple | list):
        args = tuple(args[0])
    return tuple(map(operator.index, args))


def listed(dim: Any) -> list:
    """One dimension, or several, as a list."""
    return list(dim) if isinstance(dim, tuple | list) else [dim]


class Shape(Reduction):
    """Methods that arrange the same elements anew."""

    __slots__ = ()

    def reshape(self, *shape: Any, **named: Any) -> "Tensor":
        """The same elements, row by row, in another shape; one size may be -1."""
        return self._arranged("reshape", sizes(shape, named, "shape"))

    def view(self, *shape: Any, **named: Any) -> "Tensor":
        """`reshape`, but always of the same memory.

        Raises
        ------
        RuntimeError
            If the elements do not fit, or do not lie in that order in memory.
        """
        if len(shape) == 1 and isinstance(shape[0], np.dtype):
            raise NotImplementedError(f"view: elements are not read as another dtype; use to({shape[0]})")
        out = self._arranged("view", sizes(shape, named, "size"))
        if out.origin is None and self.array.size and not shares_memory(out.array, self.array):
            raise RuntimeError(
                f"view: a Tensor of shape {self.array.shape} whose elements do not lie row by row in memory "
                f"cannot be seen as {out.array.shape}; use reshape()"
            )
        return out

    def _arranged(self, name: str, shape: tuple[int, ...]) -> "Tensor":
        if shape and min(shape) < -1:
            raise RuntimeError(f"{name}: expected sizes of at least 0, and -1 once at most, got {shape}")
        try:
            return apply_view(ops.Reshape, self, shape)
        except ValueError:
            raise RuntimeError(
                f"{name}: the {self.array.size} elements of shape {self.array.shape} do not fit into {shape}"
            ) from None

    def view_as(self, other: Variable) -> "Tensor":
        """`view` in the shape of another Tensor."""
        return self.view(other.array.shape)

    def reshape_as(self, other: Variable) -> "Tensor":
        """`reshape` to the shape of another Tensor."""
        return self.reshape(other.array.shape)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> "Tensor":
        """Dimensions start_dim to end_dim as one."""
        shape = self.array.shape
        first, last = (axis_of("flatten", d, len(shape)) for d in (start_dim, end_dim))
        if first == last and shape:
            return self  # type: ignore[return-value]
        if first > last:
            raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
        return apply_view(
            ops.Reshape, self, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])
        )

    def squeeze(self, dim: Any = None) -> "Tensor":
        """Without dimensions of size 1: all of them, or those given if they are."""
        ndim = self.array.ndim
        dims = range(ndim) if dim is None else listed(dim)
        drop = {axis_of("squeeze", d, ndim) for d in dims}
        return apply_view(
            ops.Reshape,
            self,
            tuple(n for i, n in enumerate(self.array.shape) if i not in drop or n != 1),
        )

    def unsqueeze(self, dim: int) -> "Tensor":
        """With a dimension of size 1 put in at `dim`."""
        shape = self.array.shape
        at = axis_of("unsqueeze", dim, len(shape) + 1)
        return apply_view(ops.Reshape, self, (*shape[:at], 1, *shape[at:]))

    def permute(self, *dims: Any, **named: Any) -> "Tensor":
        """The dimensions in another order."""
        ndim, dims = self.array.ndim, sizes(dims, named, "dims")
        axes = tuple([axis_of("permute", d, ndim) for d in dims])
        if sorted(axes) != list(range(ndim)):
            raise RuntimeError(f"permute: expected each of {ndim} dimensions once, got {dims}")
        return apply_view(ops.Permute, self, axes)

    def transpose(self, dim0: int, dim1: int) -> "Tensor":
        """Two dimensions exchanged."""
        ndim = self.array.ndim
        i, j, axes = axis_of("transpose", dim0, ndim), axis_of("transpose", dim1, ndim), list(range(ndim))
        if axes:
            axes[i], axes[j] = axes[j], axes[i]
        return apply_view(ops.Permute, self, tuple(axes))

    def movedim(self, source: Any, destination: Any) -> "Tensor":
        """One or several dimensions put elsewhere; the others keep their order."""
        ndim = self.array.ndim
        old, new = (
            [axis_of("movedim", d, ndim) for d in dims] for dims in (listed(source), listed(destination))
        )
        if len(set(old)) < len(old) or len(set(new)) < len(new) or len(old) != len(new):
            raise RuntimeError(f"movedim: expected as many different dims, got {source} and {destination}")
        axes = [i for i in range(ndim) if i not in old]
        for place, axis in sorted(zip(new, old, strict=True)) if ndim else ():
            axes.insert(place, axis)
        return apply_view(ops.Permute, self, tuple(axes))

    def t(self) -> "Tensor":
        """A matrix transposed."""
        if self.array.ndim > 2:
            raise RuntimeError(f"t: expected at most 2 dimensions, got {self.array.shape}")
        return apply_view(ops.Permute, self, tuple(range(self.array.ndim))[::-1])

    def expand(self, *shape: Any, **named: Any) -> "Tensor":
        """Repeated, without a copy, along new dimensions and those of size 1; -1 keeps a size."""
        new, old = sizes(shape, named, "size"), self.array.shape
        extra = len(new) - len(old)
        full = tuple(old[i - extra] if n == -1 and i >= extra else n for i, n in enumerate(new))
        if extra < 0 or any(m not in (1, n) for n, m in zip(full[extra:], old, strict=True)) or -1 in full:
            raise RuntimeError(f"expand: shape {old} cannot be expanded to {new}")
        return apply_view(ops.Expand, self, full)

    def expand_as(self, other: Variable) -> "Tensor":
        """`expand` to the shape of another Tensor."""
        return self.expand(other.array.shape)

    def broadcast_to(self, *size: Any) -> "Tensor":
        """`expand` to a shape."""
        return self.expand(*size)

    def ravel(self) -> "Tensor":
        """All elements in one dimension."""
        return self.reshape(-1)

    def is_contiguous(self) -> bool:
        """Whether the elements lie row by row in memory."""
        return self.array.flags.c_contiguous

    @property
    def mT(self) -> "Tensor":  # noqa: N802 (PyTorch's name)
        """The last two dimensions exchanged."""
        if self.array.ndim < 2:
            raise RuntimeError(f"mT: expected at least 2 dimensions, got shape {self.array.shape}")
        return self.transpose(-2, -1)

    def contiguous(self) -> "Tensor":
        """Itself, or a copy whose elements lie row by row in memory."""
        return self if self.array.flags.c_contiguous else apply(ops.Copy, self)  # type: ignore[return-value]

    def clone(self) -> "Tensor":
        """A copy that gradients pass through."""
        return apply_to_one(ops.Copy, self)

    # PyTorch's second names
    swapaxes, swapdims, moveaxis = transpose, transpose, movedim

    def __getitem__(self, index: Any) -> "Tensor":
        view, picked = split_index(index, self.array.ndim)
        try:
            if picked is ...:
                return apply_view(ops.Slice, self, view)
            picked = brought(picked, self.array, view)
            return apply(ops.Gather, self, view=view, index=picked)
        except IndexError as error:
            raise IndexError(f"index: {error} (shape {self.array.shape})") from None
