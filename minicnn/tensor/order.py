"""Elements along one dimension: sorted, picked, put, added up; as methods of a Tensor."""

from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn import ops
from minicnn.device import array_module, check_same, constant, device_of, host, like, may_look, number
from minicnn.ops.order import places
from minicnn.tape import looked
from minicnn.tensor.apply import Variable, apply, apply_view
from minicnn.tensor.arithmetic import cast, category
from minicnn.tensor.names import numpy_names
from minicnn.tensor.pieces import Pieces
from minicnn.tensor.reduction import Picked, along, axes_of, axis_of
from minicnn.tensor.shape import sizes

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor


class Order(Pieces):
    """Methods that treat the elements along a dimension as a row."""

    __slots__ = ()

    @numpy_names
    def argsort(self, dim: int = -1, descending: bool = False, stable: bool = False) -> "Tensor":
        """The indices that sort along a dimension, int64; equal elements keep their order, nan is largest."""
        return Variable.wrap(sorting(self.array, axis_of("argsort", dim, self.array.ndim), descending))

    @numpy_names
    def sort(self, dim: int = -1, descending: bool = False, stable: bool = False) -> Picked:
        """The pair (values, indices) of the elements in order; equal ones keep theirs, nan is largest."""
        axis = axis_of("sort", dim, self.array.ndim)
        indices = sorting(self.array, axis, descending)
        values = apply(ops.Along, self, indices, axis=axis, distinct=True)
        return Picked(values, Variable.wrap(indices))

    @numpy_names
    def topk(self, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Picked:
        """The k largest (or smallest) elements along a dimension, in order: the pair (values, indices)."""
        axis = axis_of("topk", dim, self.array.ndim)
        count = self.array.shape[axis] if self.array.ndim else 1
        if self.array.dtype == bool:
            raise RuntimeError("topk: expected numbers, got truth values")
        if not 0 <= k <= count:
            raise RuntimeError(f"topk: expected k from 0 to {count}, got {k} (shape {self.array.shape})")
        indices = sorting(self.array, axis, descending=largest)
        if self.array.ndim:
            indices = indices[(slice(None),) * axis + (slice(k),)]
        values = apply(ops.Along, self, indices, axis=axis, distinct=True)
        return Picked(values, Variable.wrap(indices.copy()))

    @numpy_names
    def kthvalue(self, k: int, dim: int = -1, keepdim: bool = False) -> Picked:
        """The k-th smallest element (from 1) along a dimension: the pair (values, indices)."""
        axis = axis_of("kthvalue", dim, self.array.ndim)
        count = self.array.shape[axis] if self.array.ndim else 1
        if not 1 <= k <= count:
            raise RuntimeError(f"kthvalue: expected k from 1 to {count}, got {k}")
        return self._kth(k - 1, axis, keepdim)

    @numpy_names
    def median(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """The middle element, of two the lower; with `dim`, the pair (values, indices) along it."""
        if dim is None:
            if not self.array.size:
                return Variable.wrap(number(np.nan, self.array.dtype, self.array))
            return apply_view(ops.Reshape, self, (-1,)).median(0).values
        axis = axis_of("median", dim, self.array.ndim)
        count = self.array.shape[axis] if self.array.ndim else 1
        if not count:
            raise IndexError(f"median: expected at least one element along dim {dim}, got {self.array.shape}")
        return self._kth((count - 1) // 2, axis, keepdim)

    def _kth(self, k: int, axis: int, keepdim: bool) -> Picked:
        indices = sorting(self.array, axis, descending=False)
        if self.array.ndim:
            indices = indices[(slice(None),) * axis + (slice(k, k + 1),)]
        return along(self, indices, axis, keepdim)

    @numpy_names
    def cumsum(self, dim: int, *, dtype: Any = None) -> "Tensor":
        """The sums of the elements up to each one; of integers and truth values in int64."""
        return self._scan("cumsum", ops.CumSum, dim, dtype)

    @numpy_names
    def cumprod(self, dim: int, *, dtype: Any = None) -> "Tensor":
        """The products of the elements up to each one; of integers and truth values in int64."""
        return self._scan("cumprod", ops.CumProd, dim, dtype)

    def _scan(self, name: str, function: Any, dim: int, dtype: Any) -> "Tensor":
        axis = axis_of(name, dim, self.array.ndim)
        if dtype is None and category(self) < 2:
            dtype = np.int64
        x: Any = self if dtype is None else cast(self, np.dtype(dtype))
        if not self.array.ndim:
            return apply(ops.Copy, x)
        return apply(function, x, axis=axis)

    @numpy_names
    def flip(self, *dims: Any, **named: Any) -> "Tensor":
        """In reverse order along dimensions, as a copy."""
        axes = axes_of("flip", sizes(dims, named, "dims"), self.array.ndim)
        return apply(ops.Flip, self, axes=axes) if axes else apply(ops.Copy, self)

    def fliplr(self) -> "Tensor":
        """In reverse order along dimension 1."""
        return self.flip(1)

    def flipud(self) -> "Tensor":
        """In reverse order along dimension 0."""
        return self.flip(0)

    def roll(self, shifts: Any, dims: Any = None) -> "Tensor":
        """Moved along dimensions; what leaves at one end comes in at the other."""
        if dims is None:
            return apply_view(ops.Reshape, self, (-1,)).roll(shifts, 0).reshape(self.array.shape)
        shifts, dims = (tuple(a) if isinstance(a, tuple | list) else (a,) for a in (shifts, dims))
        if len(shifts) != len(dims):
            raise RuntimeError(f"roll: expected a shift for each dimension, got {shifts} and {dims}")
        out: Any = apply(ops.Copy, self)
        for shift, dim in zip(shifts, dims, strict=True):
            n = self.array.shape[axis_of("roll", dim, self.array.ndim)]
            places = (np.arange(n) - shift) % max(n, 1)
            out = out.index_select(dim, Variable.wrap(constant(places, device_of(self.array))))
        return out

    # picked and put by an index Tensor

    @numpy_names
    def gather(self, dim: int, index: "Tensor") -> "Tensor":
        """The elements x[..., index[..., k, ...], ...] along a dimension, in the shape of the index."""
        axis = self._check_index("gather", dim, index)
        return apply(ops.Along, self, index.array, axis=axis)

    def take_along_dim(self, indices: "Tensor", dim: int | None = None) -> "Tensor":
        """`gather`, with index and Tensor broadcast in the other dimensions; of all in a row if None."""
        if dim is None:
            rows: Any = [apply_view(ops.Reshape, t, (-1,)) for t in (self, indices)]
            return rows[0].gather(0, rows[1])
        axis = axis_of("take_along_dim", dim, self.array.ndim)
        shape = np.broadcast_shapes(
            *([1 if i == axis else n for i, n in enumerate(t.array.shape)] for t in (self, indices))
        )
        x, index = (
            t.expand(*(t.array.shape[axis] if i == axis else n for i, n in enumerate(shape)))
            for t in (self, indices)
        )
        return x.gather(axis, index)

    def scatter(self, dim: int, index: "Tensor", src: Any = None, *, value: Any = None) -> "Tensor":
        """A copy with the elements of `src`, or a number, put where `gather` would read."""
        axis = self._check_index("scatter", dim, index)
        spot = places(index.array.copy(), axis)
        source = self._source("scatter", index, value if src is None else src)
        return apply(ops.Put, self, source, view=..., index=spot)

    def scatter_add(self, dim: int, index: "Tensor", src: "Tensor") -> "Tensor":
        """A copy with the elements of `src` added where `gather` would read."""
        axis = self._check_index("scatter_add", dim, index)
        spot = places(index.array.copy(), axis)
        return apply(ops.AddAt, self, self._source("scatter_add", index, src), index=spot)

    @numpy_names
    def index_select(self, dim: int, index: "Tensor") -> "Tensor":
        """Whole slices along a dimension, in the order of a vector of indices."""
        spot = self._slices("index_select", dim, index)
        return self[spot]

    def index_add(self, dim: int, index: "Tensor", source: "Tensor", *, alpha: float = 1) -> "Tensor":
        """A copy with whole slices added along a dimension."""
        spot = self._slices("index_add", dim, index)
        axis = len(spot) - 1
        shape = (*self.array.shape[:axis], spot[axis].size, *self.array.shape[axis + 1 :])
        if source.array.shape != shape:
            raise RuntimeError(f"index_add: expected a source of shape {shape}, got {source.array.shape}")
        scaled: Any = source if alpha == 1 else source * alpha
        return apply(ops.AddAt, self, cast(scaled, self.array.dtype), index=spot)

    def masked_select(self, mask: "Tensor") -> "Tensor":
        """The elements where the mask is true, in a vector."""
        if mask.array.dtype != bool:
            raise RuntimeError(f"masked_select: expected a mask of truth values, got {mask.array.dtype}")
        try:
            shape = np.broadcast_shapes(self.array.shape, mask.array.shape)
        except ValueError:
            raise RuntimeError(
                f"masked_select: the shapes {self.array.shape} and {mask.array.shape} do not broadcast"
            ) from None
        return self.expand(shape)[mask.expand(shape)]

    def nonzero(self, *, as_tuple: bool = False) -> Any:
        """Where the elements are not zero: rows of indices, or a tuple with a vector for each dimension."""
        looked("asks where a Tensor is not zero")
        if as_tuple:
            return tuple(map(Variable.wrap, array_module(self.array).atleast_1d(self.array).nonzero()))
        return Variable.wrap(array_module(self.array).argwhere(self.array))

    def unique(
        self, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: Any = None
    ) -> Any:
        """The different elements in order, and on request where each went and how often it came."""
        axis = None if dim is None else axis_of("unique", dim, self.array.ndim)
        array = host(self.array)  # of unknown size: the program waits for the GPU anyway
        found: Any = np.unique(  # type: ignore[call-overload]
            array, return_inverse=return_inverse, return_counts=return_counts, axis=axis, equal_nan=False
        )
        parts = [
            Variable.wrap(like(part, self.array)) for part in (found if isinstance(found, tuple) else [found])
        ]
        return tuple(parts) if isinstance(found, tuple) else parts[0]

    def bincount(self, weights: Any = None, minlength: int = 0) -> "Tensor":
        """How often each integer from 0 on comes in a vector."""
        array = host(self.array)  # as in `unique`
        if array.ndim != 1 or category(self) != 1 or array.min(initial=0) < 0:
            raise RuntimeError("bincount: expected a vector of integers of at least 0")
        if minlength < 0:
            raise RuntimeError(f"bincount: expected a minlength of at least 0, got {minlength}")
        if weights is None:
            return Variable.wrap(like(np.bincount(array, minlength=minlength), self.array))
        if weights.array.shape != self.array.shape:
            raise RuntimeError(
                f"bincount: expected weights of shape {self.array.shape}, got {weights.array.shape}"
            )
        counts = np.bincount(array, host(weights.array), minlength)
        kind = np.float32 if weights.array.dtype == np.float32 else np.float64
        return Variable.wrap(like(counts.astype(kind), self.array))

    def _slices(self, name: str, dim: int, index: Any) -> tuple:
        axis = axis_of(name, dim, self.array.ndim)
        if not isinstance(index, Variable):
            raise TypeError(f"{name}: expected a Tensor as the index, got {type(index).__name__}")
        if index.array.ndim > 1:
            raise IndexError(f"{name}: expected a vector of indices, got shape {index.array.shape}")
        if index.array.dtype.kind not in "iu":
            raise RuntimeError(f"{name}: expected integers as the index, got {index.array.dtype}")
        self._check_range(name, index.array, axis, IndexError)
        return (*(slice(None),) * axis, index.array.reshape(-1))

    def _check_index(self, name: str, dim: int, index: Any) -> int:
        axis = axis_of(name, dim, self.array.ndim)
        if not isinstance(index, Variable):
            raise TypeError(f"{name}: expected a Tensor as the index, got {type(index).__name__}")
        own, shape = self.array.shape, index.array.shape
        if index.array.dtype.kind not in "iu":
            raise RuntimeError(f"{name}: expected integers as the index, got {index.array.dtype}")
        if max(len(shape), 1) != max(len(own), 1) or any(
            n > m for i, (n, m) in enumerate(zip(shape, own, strict=False)) if i != axis
        ):
            raise RuntimeError(
                f"{name}: expected an index no larger than {own} except along dim {dim}, got {shape}"
            )
        self._check_range(name, index.array, axis, RuntimeError)
        return axis

    def _check_range(self, name: str, index: Any, axis: int, kind: type[Exception]) -> None:
        check_same(name, ("input", "index"), (self.array, index))
        count = self.array.shape[axis] if self.array.ndim else 1
        looked("has its indices checked")
        if index.size and may_look(index) and not 0 <= index.min() <= index.max() < count:
            wrong = int(index[(index < 0) | (index >= count)][0])
            raise kind(f"{name}: the index {wrong} is out of bounds for a dimension of size {count}")

    def _source(self, name: str, index: "Tensor", src: Any) -> Any:
        if not isinstance(src, Order):
            if src is None or name == "scatter_add":
                raise TypeError(f"{name}: expected a Tensor as src, got {type(src).__name__}")
            return number(src, self.array.dtype, self.array)
        if src.array.dtype != self.array.dtype:
            raise RuntimeError(f"{name}: expected src of dtype {self.array.dtype}, got {src.array.dtype}")
        shape = index.array.shape
        if src.array.ndim != len(shape) or any(n > m for n, m in zip(shape, src.array.shape, strict=True)):
            raise RuntimeError(
                f"{name}: expected src no smaller than the index {shape}, got {src.array.shape}"
            )
        return src[tuple(slice(n) for n in shape)]


def sorting(array: Any, axis: int, descending: bool) -> Any:
    """The indices that sort; descending, nan comes first and equal elements keep their order all the same."""
    xp = array_module(array)
    if not array.ndim:
        return xp.zeros((), np.int64)
    if not descending:
        return xp.argsort(array, axis=axis, kind="stable")
    backwards = xp.argsort(xp.flip(array, axis), axis=axis, kind="stable")
    return array.shape[axis] - 1 - xp.flip(backwards, axis)
