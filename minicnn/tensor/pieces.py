"""Tensors taken apart and put together: splitting, repeating, joining."""

import itertools
import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn import ops
from minicnn.device import array_module, constant, device_of, host
from minicnn.tensor.apply import Variable, apply, apply_to_many, apply_view
from minicnn.tensor.arithmetic import cast, result_dtype
from minicnn.tensor.names import numpy_names
from minicnn.tensor.reduction import axis_of
from minicnn.tensor.shape import Shape, sizes

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor


class Pieces(Shape):
    """Methods that give parts of a Tensor, or several of it."""

    __slots__ = ()

    @numpy_names
    def split(self, split_size: Any, dim: int = 0) -> "tuple[Tensor, ...]":
        """Views of `split_size` each (the last may be smaller), or of the sizes in a list."""
        axis, count = self._dimension("split", dim)
        if isinstance(split_size, tuple | list):
            lengths = [operator.index(n) for n in split_size]
            if sum(lengths) != count or min(lengths, default=0) < 0:
                raise RuntimeError(f"split: expected sizes that make {count} together, got {lengths}")
        else:
            size = operator.index(split_size)
            if size < 0 or (size == 0 and count):
                raise RuntimeError(f"split: expected a size of at least 1, got {size}")
            lengths = [min(size, count - i) for i in range(0, count, size or 1)] or [0]
        return self._cut(axis, lengths)

    @numpy_names
    def chunk(self, chunks: int, dim: int = 0) -> "tuple[Tensor, ...]":
        """At most `chunks` views of one size, but for the last."""
        axis, count = self._dimension("chunk", dim)
        if chunks < 1:
            raise RuntimeError(f"chunk: expected at least 1 chunk, got {chunks}")
        if not count:
            return self._cut(axis, [0] * chunks)
        return self.split(math.ceil(count / chunks), axis)

    def tensor_split(self, indices_or_sections: Any, dim: int = 0) -> "tuple[Tensor, ...]":
        """Views that end at the given indices, or so many of them, the first ones larger by 1 if needed."""
        axis, count = self._dimension("tensor_split", dim)
        if isinstance(indices_or_sections, tuple | list):
            ends = [slice(0, count).indices(count)[1] if i is None else i for i in indices_or_sections]
            cuts = [0, *(min(max(i + count if i < 0 else i, 0), count) for i in ends), count]
            return tuple(self.narrow(axis, a, max(b - a, 0)) for a, b in itertools.pairwise(cuts))
        n = operator.index(indices_or_sections)
        if n < 1:
            raise RuntimeError(f"tensor_split: expected at least 1 section, got {n}")
        return self._cut(axis, [count // n + (i < count % n) for i in range(n)])

    @numpy_names
    def unbind(self, dim: int = 0) -> "tuple[Tensor, ...]":
        """Views of each slice along a dimension, without that dimension."""
        if not self.array.ndim:
            raise IndexError("unbind: expected at least one dimension, got shape ()")
        axis, count = self._dimension("unbind", dim)
        return tuple(self.select(axis, i) for i in range(count))

    @numpy_names
    def select(self, dim: int, index: int) -> "Tensor":
        """One slice along a dimension, without that dimension."""
        if not self.array.ndim:
            raise IndexError("select: expected at least one dimension, got shape ()")
        axis, count = self._dimension("select", dim)
        if not -count <= index < count:
            raise IndexError(f"select: index {index} is out of range for dim {dim} of size {count}")
        return apply_view(ops.Slice, self, (*(slice(None),) * axis, operator.index(index), ...))

    @numpy_names
    def narrow(self, dim: int, start: int, length: int) -> "Tensor":
        """`length` slices along a dimension, from `start` on."""
        axis, count = self._dimension("narrow", dim)
        if not -count <= start <= count:
            raise IndexError(f"narrow: start {start} is out of range for dim {dim} of size {count}")
        start = start + count if start < 0 else start
        if length < 0 or start + length > count:
            raise RuntimeError(f"narrow: {length} slices from {start} on do not fit into size {count}")
        return apply_view(ops.Slice, self, (*(slice(None),) * axis, slice(start, start + length), ...))

    def repeat(self, *repeats: Any, **named: Any) -> "Tensor":
        """Laid side by side so many times along each dimension; new dimensions come in front."""
        times = sizes(repeats, named, "repeats")
        shape = (1,) * (len(times) - self.array.ndim) + self.array.shape
        if len(times) < self.array.ndim or min(times, default=0) < 0:
            raise RuntimeError(
                f"repeat: expected a count for each dimension of shape {self.array.shape}, got {times}"
            )
        apart = apply_view(ops.Reshape, self, [m for n in shape for m in (1, n)])
        wide = apply_view(ops.Expand, apart, [m for t, n in zip(times, shape, strict=True) for m in (t, n)])
        total = tuple(t * n for t, n in zip(times, shape, strict=True))
        return apply_view(ops.Reshape, apply(ops.Copy, wide), total)

    def tile(self, *dims: Any, **named: Any) -> "Tensor":
        """`repeat`, with 1 for dimensions in front that have no count."""
        times = sizes(dims, named, "dims")
        return self.repeat((1,) * (self.array.ndim - len(times)) + times)

    @numpy_names
    def repeat_interleave(self, repeats: Any, dim: int | None = None) -> "Tensor":
        """Each slice along a dimension (each element, if None) so many times after itself."""
        if dim is None:
            return apply_view(ops.Reshape, self, (-1,)).repeat_interleave(repeats, 0)
        axis, count = self._dimension("repeat_interleave", dim)
        times = host(repeats.array) if isinstance(repeats, Variable) else np.asarray(repeats)
        if (
            times.ndim > 1
            or times.size not in (1, count)
            or times.dtype.kind not in "iu"
            or (times < 0).any()
        ):
            raise RuntimeError(f"repeat_interleave: expected one count or {count}, at least 0, got {repeats}")
        places = np.repeat(np.arange(count), times)
        return self[(*(slice(None),) * axis, constant(places, device_of(self.array)))]

    @numpy_names
    def unfold(self, dimension: int, size: int, step: int) -> "Tensor":
        """Windows of `size` slices, `step` apart, along a dimension; each one lies along a new last one.

        Unlike PyTorch's this is a copy.
        """
        axis, count = self._dimension("unfold", dimension)
        if not (0 < size <= count and step > 0):
            raise RuntimeError(f"unfold: expected a size from 1 to {count} and a step, got {size} and {step}")
        windows = np.arange(0, count - size + 1, step)[:, None] + np.arange(size)
        windows = constant(windows, device_of(self.array))
        return self[(*(slice(None),) * axis, windows)].movedim(axis + 1, -1)

    def unflatten(self, dim: int, sizes: Sequence[int]) -> "Tensor":
        """One dimension as several; one of the sizes may be -1."""
        axis, _ = self._dimension("unflatten", dim)
        shape = self.array.shape
        return self.reshape(*shape[:axis], *sizes, *shape[axis + 1 :])

    @numpy_names
    def diagonal(self, offset: int = 0, dim1: int = 0, dim2: int = 1) -> "Tensor":
        """The elements i, i + offset of two dimensions, along a new last dimension."""
        i, j = (axis_of("diagonal", d, self.array.ndim) for d in (dim1, dim2))
        if i == j:
            raise RuntimeError(f"diagonal: expected two dimensions, got {dim1} and {dim2}")
        return apply_view(ops.Diagonal, self, (offset, i, j))

    def diag(self, diagonal: int = 0) -> "Tensor":
        """The diagonal of a matrix, or the matrix with this diagonal."""
        if self.array.ndim == 2:
            return self.diagonal(diagonal).clone()
        if self.array.ndim != 1:
            raise RuntimeError(f"diag: expected a vector or a matrix, got shape {self.array.shape}")
        n = len(self.array) + abs(diagonal)
        here = np.arange(len(self.array))
        spot = (here - min(diagonal, 0), here + max(diagonal, 0))
        zeros = array_module(self.array).zeros((n, n), self.array.dtype)
        index = tuple(constant(i, device_of(self.array)) for i in spot)
        return apply(ops.Put, Variable.wrap(zeros), self, view=..., index=index)

    def trace(self) -> "Tensor":
        """The sum of the diagonal of a matrix."""
        if self.array.ndim != 2:
            raise RuntimeError(f"trace: expected a matrix, got shape {self.array.shape}")
        return self.diagonal().sum()

    def tril(self, diagonal: int = 0) -> "Tensor":
        """The elements above a diagonal of the last two dimensions set to 0."""
        return self._without(~self._below("tril", diagonal))

    def triu(self, diagonal: int = 0) -> "Tensor":
        """The elements below a diagonal of the last two dimensions set to 0."""
        return self._without(self._below("triu", diagonal - 1))

    def _below(self, name: str, diagonal: int) -> Any:
        if self.array.ndim < 2:
            raise RuntimeError(f"{name}: expected at least 2 dimensions, got shape {self.array.shape}")
        return array_module(self.array).tri(*self.array.shape[-2:], diagonal, dtype=bool)

    def _without(self, mask: Any) -> "Tensor":
        return self.masked_fill(Variable.wrap(mask), 0)

    def _dimension(self, name: str, dim: int) -> tuple[int, int]:
        axis = axis_of(name, dim, self.array.ndim)
        if not self.array.ndim:
            raise RuntimeError(f"{name}: expected at least one dimension, got shape ()")
        return axis, self.array.shape[axis]

    def _cut(self, axis: int, lengths: list[int]) -> "tuple[Tensor, ...]":
        starts = [sum(lengths[:i]) for i in range(len(lengths))]
        return tuple(self.narrow(axis, i, n) for i, n in zip(starts, lengths, strict=True))


def cat(tensors: Sequence["Tensor"], dim: int = 0, *, axis: int | None = None) -> "Tensor":
    """Tensors one after the other along a dimension; their other sizes must agree.

    As in PyTorch, Tensors of shape (0,) fit everywhere, so that a loop can start with an empty one.
    """
    tensors = alike("cat", tensors)
    ndim = tensors[0].array.ndim
    if ndim < 2:
        ndim = max([t.array.ndim for t in tensors])
    axis = axis_of("cat", dim if axis is None else axis, ndim)
    try:
        return apply_to_many(ops.Concatenate, tensors, axis)
    except (ValueError, IndexError):
        shapes = [t.array.shape for t in tensors]
        if (0,) in shapes and len(set(shapes)) > 1:
            return cat([t for t in tensors if t.array.shape != (0,)], axis)
        raise RuntimeError(f"cat: sizes must agree except along dim {axis}, got {shapes}") from None


@numpy_names
def stack(tensors: Sequence["Tensor"], dim: int = 0) -> "Tensor":
    """Tensors of one shape along a new dimension."""
    tensors = alike("stack", tensors)
    axis = axis_of("stack", dim, tensors[0].array.ndim + 1)
    try:
        return apply_to_many(ops.Stack, tensors, axis)
    except ValueError:
        shapes = [t.array.shape for t in tensors]
        raise RuntimeError(f"stack: expected Tensors of one shape, got {shapes}") from None


def alike(name: str, tensors: Any) -> Sequence[Any]:
    """A list or tuple of at least one Tensor, in the dtype that they have together; else an error."""
    if not isinstance(tensors, (list, tuple)):
        raise TypeError(f"{name}: expected a list or tuple of Tensors, got {type(tensors).__name__}")
    if not tensors:
        raise (ValueError if name == "cat" else RuntimeError)(f"{name}: expected at least one Tensor")
    same, first = True, None
    for t in tensors:
        if not isinstance(t, Variable):
            raise TypeError(f"{name}: expected Tensors, got {type(t).__name__}")
        if t.array.dtype is not first:
            same, first = first is None, t.array.dtype
    if same:
        return tensors
    dtype = result_dtype(*tensors)
    return [cast(t, dtype) for t in tensors]


def vstack(tensors: Sequence["Tensor"]) -> "Tensor":
    """Tensors below each other; vectors are rows."""
    return cat([t if t.ndim > 1 else t.reshape(1, -1) for t in tensors], 0)


def hstack(tensors: Sequence["Tensor"]) -> "Tensor":
    """Tensors beside each other: along dimension 1, or 0 for vectors."""
    tensors = [t if t.ndim else t.reshape(1) for t in tensors]
    return cat(tensors, 1 if tensors and tensors[0].ndim > 1 else 0)


def meshgrid(*tensors: Any, indexing: str = "ij") -> "tuple[Tensor, ...]":
    """Vectors spread over a grid, one dimension each; "xy" exchanges the first two."""
    if len(tensors) == 1 and isinstance(tensors[0], tuple | list):
        tensors = tuple(tensors[0])
    if indexing not in ("ij", "xy") or not tensors:
        raise RuntimeError(f'meshgrid: expected vectors and "ij" or "xy", got {len(tensors)}, {indexing!r}')
    if any(t.array.ndim > 1 for t in tensors):
        raise RuntimeError(f"meshgrid: expected vectors, got shapes {[t.array.shape for t in tensors]}")
    shape = tuple(t.array.size for t in tensors)
    out = []
    for i, t in enumerate(tensors):
        spread = t.reshape([-1 if i == j else 1 for j in range(len(shape))]).expand(shape)
        out.append(spread.transpose(0, 1) if indexing == "xy" and len(shape) > 1 else spread)
    return tuple(out)


def broadcast_tensors(*tensors: "Tensor") -> "tuple[Tensor, ...]":
    """Tensors expanded to the shape they have together."""
    try:
        shape = np.broadcast_shapes(*(t.array.shape for t in tensors))
    except ValueError:
        shapes = [t.array.shape for t in tensors]
        raise RuntimeError(f"broadcast_tensors: the shapes {shapes} do not broadcast") from None
    return tuple(t.expand(shape) for t in tensors)
