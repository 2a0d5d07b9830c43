"""Reshaping, permuting, expanding, indexing and joining, as methods of a Tensor and functions."""

import math
import operator
from typing import TYPE_CHECKING, Any

from minicnn import ops
from minicnn.tensor.apply import Variable, apply
from minicnn.tensor.indexing import split_index
from minicnn.tensor.reduction import axis_of

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor


def sizes(args: tuple) -> tuple[int, ...]:
    """A shape, whether it came as one sequence or as several ints."""
    if len(args) == 1 and isinstance(args[0], tuple | list):
        args = tuple(args[0])
    return tuple(map(operator.index, args))


def listed(dim: Any) -> list:
    """One dimension, or several, as a list."""
    return list(dim) if isinstance(dim, tuple | list) else [dim]


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

    def squeeze(self, dim: Any = None) -> "Tensor":
        """Without dimensions of size 1: all of them, or those given if they are."""
        ndim = self.array.ndim
        dims = range(ndim) if dim is None else listed(dim)
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
        return apply(ops.Copy, self)

    # PyTorch's second names
    swapaxes, swapdims, moveaxis, reshape_as = transpose, transpose, movedim, view_as

    def __getitem__(self, index: Any) -> "Tensor":
        view, picked = split_index(index)
        try:
            if picked is ...:
                return apply(ops.Slice, self, index=view)
            return apply(ops.Gather, self, view=view, index=picked)
        except IndexError as error:
            raise IndexError(f"index: {error} (shape {self.array.shape})") from None
