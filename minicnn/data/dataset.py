"""What a data set is: a length, an item, and perhaps a whole batch at once."""

from typing import Any

import numpy as np

from minicnn.tensor import Tensor


class Dataset:
    """Base class of data sets: define `__len__` and `__getitem__`.

    A data set may also define ``batch(indices)``: given an int64 array of indices it returns a tuple of
    NumPy arrays, one row an index. `DataLoader` then takes whole batches without a Python loop over samples.
    """

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__}: a Dataset must define __len__")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: a Dataset must define __getitem__")


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
            raise ValueError(f"TensorDataset: tensors must agree in their first size, got shapes {shapes}")
        self.tensors = tensors

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def batch(self, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        """Rows `indices` of every tensor, as arrays."""
        return tuple(tensor.array[indices] for tensor in self.tensors)
