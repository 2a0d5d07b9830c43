"""What may stand between the brackets of a Tensor."""

from types import EllipsisType, NoneType
from typing import Any

import numpy as np

from minicnn.device import check_same, is_array, like, may_look
from minicnn.tape import looked
from minicnn.tensor.apply import Variable

BASIC = frozenset((int, slice, NoneType, EllipsisType))


def split_index(index: Any, ndim: int) -> tuple[tuple, Any]:
    """An index in two: `view`, which selects a view, and what to pick from it with arrays (... if all).

    So it is read as by PyTorch: ``x[0, :, [1, 2]]`` is ``x[0][:, [1, 2]]``. NumPy would count 0 as an array,
    and put the dimension of [1, 2] in front.
    """
    parts = index if isinstance(index, tuple) else (index,)
    if not BASIC.issuperset(map(type, parts)):
        parts = tuple([plain(i) for i in parts])
        if any(map(is_array, parts)):
            return split_at_arrays(parts, ndim)
    for i in parts:
        if type(i) is slice and i.step is not None and i.step < 1:
            raise ValueError(f"index: the step of a slice must be at least 1, got {i.step}; use flip()")
    return (parts if ... in parts else (*parts, ...)), ...  # with "..." one element, too, is a view


def split_at_arrays(parts: tuple, ndim: int) -> tuple[tuple, Any]:
    """The same for an index with arrays in it."""
    named = sum([dimensions(i) for i in parts])
    if named == ndim:  # a "..." that stands for no dimension would keep NumPy's arrays apart
        parts = tuple([i for i in parts if i is not ...])
    if not any(isinstance(i, int) for i in parts):
        return (...,), parts
    view: list[Any] = []
    picked: list[Any] = []
    for i in parts:
        if is_array(i):
            view += [slice(None)] * dimensions(i)
            picked.append(i)
        else:
            view.append(i)
            picked += [] if isinstance(i, int) else [i if i is ... else slice(None)]
    return tuple(view), tuple(picked)


def dimensions(part: Any) -> int:
    """How many dimensions a part of an index stands for."""
    if is_array(part):
        return part.ndim if part.dtype == bool else 1
    return 0 if part is None or part is ... else 1


def plain(index: Any) -> Any:
    """A part of an index: an int, a slice, ..., None, or an array of its own that nobody can change later.

    Whatever else there is becomes an array: NumPy would take it for one, too, but then what is read is a
    copy, and a write into it would be lost.
    """
    if type(index) in BASIC:
        return index
    if isinstance(index, Variable):
        looked("chooses elements by a Tensor")
    given = index.array if isinstance(index, Variable) else index
    places = given.copy() if is_array(given) else np.array(given)
    if places.size == 0 and isinstance(index, list | tuple | range):
        places = places.astype(np.int64)
    if places.dtype.kind not in "biu":
        raise IndexError(f"index: expected integers, truth values, slices, ... or None, got {index!r:.80}")
    return int(places) if places.ndim == 0 and places.dtype != bool else places


def brought(picked: Any, x: Any, view: Any) -> Any:
    """What to pick from x[view], with its arrays where x is; checked for a GPU, which would wrap round."""
    on_cpu = type(x) is np.ndarray
    if picked is ... or (on_cpu and all(not is_array(i) or type(i) is np.ndarray for i in picked)):
        return picked
    out, shape, axis = [], x[view].shape, 0
    for i in picked:
        if is_array(i):
            if on_cpu:
                check_same("index", ("the Tensor", "its index"), (x, i))
            fit(i, shape, axis)
            i = like(i, x)
        out.append(i)
        axis += len(shape) - sum(map(dimensions, picked)) if i is ... else dimensions(i)
    return tuple(out)


def fit(index: Any, shape: tuple[int, ...], axis: int) -> None:
    """Raise IndexError unless an array can stand for these axes of a shape: truth values, or places."""
    if index.dtype == bool:
        if index.shape != shape[axis : axis + index.ndim]:
            raise IndexError(f"truth values of shape {index.shape} cannot choose along axis {axis}")
    elif axis >= len(shape):
        raise IndexError("there are more indices than dimensions")
    elif index.size and may_look(index) and not -shape[axis] <= index.min() <= index.max() < shape[axis]:
        raise IndexError(
            f"{index.min()} to {index.max()} are out of bounds for axis {axis} of size {shape[axis]}"
        )
