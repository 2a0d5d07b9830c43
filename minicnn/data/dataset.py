"""What a data set is: a length, an item, and perhaps a whole batch at once; and data sets made of others."""

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence
from types import GenericAlias
from typing import Any

import numpy as np

from minicnn import random
from minicnn.data.collate import default_collate
from minicnn.tensor import Tensor


class Dataset:
    """Base class of data sets: define `__len__` and `__getitem__`.

    A data set may also define ``batch(indices)``: given an int64 array of indices it returns a tuple of
    NumPy arrays, one row an index. `DataLoader` then takes whole batches without a Python loop over samples.
    """

    __class_getitem__: Any = classmethod(GenericAlias)  # Dataset[int], for type checkers

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: a Dataset must define __getitem__")

    def __add__(self, other: "Dataset") -> "ConcatDataset":
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Base class of data sets that give samples one after the other, without indices: define `__iter__`."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__}: an IterableDataset must define __iter__")


def get_worker_info() -> None:
    """None: a data set is never divided among several workers."""
    return None


def speaks_for(method: str, kind: type, single: str) -> bool:
    """Whether a class's `method` for batches is to be used: a subclass may redefine only the `single` one."""
    for cls in kind.__mro__:
        if method in vars(cls):
            return True
        if single in vars(cls):
            return False
    return False


def takes_batches(dataset: Any) -> bool:
    """Whether a data set gives whole batches by its `batch`."""
    return speaks_for("batch", type(dataset), "__getitem__")


def fetch(dataset: Any, indices: Any) -> Any:
    """The samples `indices` as a batch of Tensors, all at once if the data set can."""
    if not takes_batches(dataset):
        return default_collate([dataset[i] for i in indices])
    rows = dataset.batch(np.asarray(indices, np.int64))
    if not isinstance(rows, tuple | list):
        return rows  # of a data set made of another, whose samples are stacked already
    for row in rows:
        if isinstance(row, np.ndarray | Tensor) and len(row) != len(indices):
            raise ValueError(
                f"DataLoader: {type(dataset).__name__}.batch must give one row an index, "
                f"got {len(row)} rows for {len(indices)} indices"
            )
    return [Tensor(row) if isinstance(row, np.ndarray) else row for row in rows]


class TensorDataset(Dataset):
    """Samples that lie along the first axis of one or more Tensors.

    Batches hold values only: a `DataLoader` does not carry gradients back into `tensors`.
    """

    def __init__(self, *tensors: Tensor):
        if not tensors:
            raise ValueError("TensorDataset: expected at least one Tensor, got none")
        for position, tensor in enumerate(tensors):
            if not isinstance(tensor, Tensor):
                raise TypeError(
                    f"TensorDataset: argument {position} must be a Tensor, got {type(tensor).__name__}"
                )
        if any(t.ndim == 0 or t.shape[0] != tensors[0].shape[0] for t in tensors):
            shapes = ", ".join(str(tuple(t.shape)) for t in tensors)
            raise AssertionError(
                f"TensorDataset: tensors must agree in their first size, got shapes {shapes}"
            )
        self.tensors = tensors

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def batch(self, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        """Rows `indices` of every tensor, as arrays."""
        return tuple(tensor.array[indices] for tensor in self.tensors)


class Subset(Dataset):
    """The samples `indices` of a data set."""

    def __init__(self, dataset: Any, indices: Any):
        self.dataset = dataset
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[int(self.indices[index])]

    def batch(self, indices: np.ndarray) -> Any:
        """The batch that the whole data set gives for these samples."""
        return fetch(self.dataset, [int(self.indices[i]) for i in indices])


class ConcatDataset(Dataset):
    """The samples of several data sets, one after the other.

    Attributes
    ----------
    cumulative_sizes : list of int, where each data set ends.
    """

    def __init__(self, datasets: Sequence[Any]):
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("ConcatDataset: expected at least one data set, got none")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise AssertionError("ConcatDataset: expected data sets with indices, got an IterableDataset")
        self.cumulative_sizes = list(itertools.accumulate(len(d) for d in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            error = ValueError if index < 0 else IndexError  # as in PyTorch
            raise error(f"ConcatDataset: index {index} is out of range for {len(self)} samples")
        index %= len(self)
        place = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[place][index - (self.cumulative_sizes[place] - len(self.datasets[place]))]


def random_split(dataset: Any, lengths: Sequence[float], generator: Any = None) -> list[Subset]:
    """Divide a data set at random into parts that do not overlap.

    Parameters
    ----------
    lengths : sizes that add up to ``len(dataset)``; or fractions that add up to 1, and what rounding leaves
        goes to the first parts, one each.
    generator : a `minicnn.Generator`; None: the one that `minicnn.manual_seed` sets.
    """
    sizes: list[Any] = list(lengths)
    if math.isclose(sum(sizes), 1) and sum(sizes) <= 1:
        if not all(0 <= fraction <= 1 for fraction in sizes):
            raise ValueError(f"random_split: fractions must lie in 0..1, got {sizes}")
        sizes = [math.floor(len(dataset) * fraction) for fraction in sizes]
        for extra in range(len(dataset) - sum(sizes)):
            sizes[extra % len(sizes)] += 1
    if sum(sizes) != len(dataset):
        raise ValueError(
            f"random_split: lengths must add up to the data set's {len(dataset)} samples, "
            f"got {sizes}, sum {sum(sizes)}"
        )
    order = random.generator(generator).permutation(len(dataset)).tolist()
    ends = itertools.accumulate(int(size) for size in sizes)
    return [Subset(dataset, order[end - int(size) : end]) for size, end in zip(sizes, ends, strict=True)]
