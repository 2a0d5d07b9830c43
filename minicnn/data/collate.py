"""Samples into a batch, or into Tensors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minicnn.tensor import Tensor


def default_collate(batch: Sequence[Any]) -> Any:
    """Stack samples along a new first axis: Tensors, arrays, numbers, also in tuples and dictionaries."""
    return _collate(batch, "a sample")


def _collate(samples: Sequence[Any], what: str) -> Any:
    """Stack samples of one kind into a Tensor; of tuples and dictionaries, each field by itself."""
    first = samples[0]
    if isinstance(first, Mapping):
        return {key: _collate([sample[key] for sample in samples], f"{what}[{key!r}]") for key in first}
    if isinstance(first, tuple | list):
        if any(len(sample) != len(first) for sample in samples):
            raise RuntimeError(f"DataLoader: {what} has {len(first)} fields in one case and not in another")
        fields = [_collate(field, f"{what}[{i}]") for i, field in enumerate(zip(*samples, strict=True))]
        named = isinstance(first, tuple) and hasattr(first, "_fields")
        return type(first)(*fields) if named else fields
    if isinstance(first, str | bytes):
        return list(samples)
    if not isinstance(first, Tensor | np.ndarray | np.generic | int | float):
        hint = "; give the data set transform=ToTensor()" if "PIL" in type(first).__module__ else ""
        raise TypeError(
            f"DataLoader: {what} must be Tensors, arrays, numbers, strings, or tuples or dictionaries of "
            f"these, got {type(first).__name__}{hint}"
        )
    arrays = [sample.array if isinstance(sample, Tensor) else np.asarray(sample) for sample in samples]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        raise RuntimeError(f"DataLoader: {what} must keep one shape in a batch, got {shapes[0]}, {shapes[1]}")
    return Tensor(np.stack(arrays))


def default_convert(data: Any) -> Any:
    """The arrays in a sample as Tensors, also in tuples and dictionaries; all else as it is."""
    if isinstance(data, np.ndarray | np.generic):
        return Tensor(np.asarray(data)) if data.dtype.kind in "biuf" else data
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, tuple | list):
        return [default_convert(value) for value in data]
    return data
