"""Pictures that lie on the GPU as bytes, where batches of them are gathered, padded and normalised."""

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import Any

import numpy as np

from minicnn.data.dataset import Dataset, TensorDataset
from minicnn.data.datasets.vision import PicturesInMemory
from minicnn.data.loader import DataLoader
from minicnn.data.packaged import MNIST
from minicnn.data.transforms import arrays
from minicnn.data.transforms.container import steps_of
from minicnn.data.transforms.fixed import Grayscale, Normalize, Pad, ToTensor
from minicnn.device import array_module, device, gpu, move
from minicnn.tensor import Tensor

SHARE = 0.5  # of the GPU's free memory that data may take
Step = Callable[[Any], Any]  # of arrays (N, C, H, W) there


class Resident(Dataset):
    """The samples of a data set, in the memory of a GPU.

    Attributes
    ----------
    columns : arrays there, one row a sample; pictures as bytes (N, C, H, W), and labels.
    steps : what is done to the pictures of a batch.
    """

    def __init__(self, columns: list[np.ndarray], steps: list[Step], where: device) -> None:
        self.columns, self.steps, self.where = [move(column, where) for column in columns], steps, where

    def __len__(self) -> int:
        return len(self.columns[0])

    def batch(self, indices: Any) -> tuple[Tensor, ...]:
        """The samples `indices`, which may be there already, as Tensors there."""
        chosen = move(indices, self.where)
        first, *others = [column[chosen] for column in self.columns]
        for step in self.steps:
            first = step(first)
        return Tensor(first), *map(Tensor, others)


class Numbers(Dataset):
    """In the place of `count` samples their numbers."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: np.ndarray) -> np.ndarray:
        """The numbers themselves."""
        return indices


def numbers_of(data: Resident, loader: Any) -> Iterator[Tensor]:
    """The numbers (n,) of the samples of each batch of a loader of them, brought there all at once.

    They are drawn as the loader draws them. A step that is captured as a CUDA graph takes them for its
    argument, and gathers the samples by itself.
    """
    orders = copy(loader)
    orders.dataset = Numbers(len(data))
    batches = [*orders]
    together = np.concatenate(batches) if batches else np.empty(0, np.int64)
    wrong = together[(together < -len(data)) | (together >= len(data))]
    if len(wrong):
        raise IndexError(f"DataLoader: expected numbers of {len(data)} samples, got {wrong[0]}")
    there, begin = move(together, data.where), 0
    for batch in batches:
        yield Tensor(there[begin : begin + len(batch)])
        begin += len(batch)


def resident(batches: Iterable[Any], where: device) -> Iterable[Any]:
    """A loader of the same batches, gathered on the GPU; the loader itself where that is not possible.

    It is for MNIST, `datasets` in memory and Tensors that fit there, of which the transforms are among
    ToTensor, Pad with one value, Grayscale of grey pictures, and Normalize.
    """
    if type(batches) is not DataLoader or batches.collate_fn is not None or batches.batch_sampler is None:
        return batches
    found = columns_and_steps(batches.dataset)
    if found is None:
        return batches
    columns, steps = found
    free, _ = gpu("resident").cuda.runtime.memGetInfo()
    if sum(column.nbytes for column in columns) > SHARE * free:
        return batches
    loader = copy(batches)  # with the same orders
    loader.dataset = Resident(columns, steps, where)
    return loader


def columns_and_steps(data: Any) -> tuple[list[np.ndarray], list[Step]] | None:
    """What a data set holds, and what it does to pictures, if that can be done on a GPU."""
    if type(data) is TensorDataset:
        return [tensor.array for tensor in data.tensors], []
    if type(data) is MNIST:
        pictures, transforms = data.images[:, None], [ToTensor(), *steps_of(data.transform)]
        targets = data.targets
    elif isinstance(data, PicturesInMemory) and data.target_transform is None and pictures_as_they_are(data):
        held = data.data.array if isinstance(data.data, Tensor) else np.asarray(data.data)
        pictures = held[:, None] if held.ndim == 3 else held.transpose(0, 3, 1, 2)
        targets = data.targets.array if isinstance(data.targets, Tensor) else np.asarray(data.targets)
        transforms = steps_of(data.transform)
        if sum(type(step) is ToTensor for step in transforms) != 1:
            return None
    else:
        return None
    channels, steps = pictures.shape[1], []
    for transform in transforms:
        if transform is None:
            continue
        step = there(transform, channels)
        if step is None:
            return None
        channels = transform.num_output_channels if type(transform) is Grayscale else channels
        steps.append(step)
    return [np.ascontiguousarray(pictures), targets.astype(np.int64)], steps


def pictures_as_they_are(data: PicturesInMemory) -> bool:
    """Whether a subclass has not changed how samples are made."""
    return (type(data).batch, type(data).__getitem__) == (
        PicturesInMemory.batch,
        PicturesInMemory.__getitem__,
    )


def there(transform: Any, channels: int) -> Step | None:
    """A transform as a function of arrays on the GPU, if it is one of the few."""
    if type(transform) is ToTensor:
        return scaled
    if type(transform) is Pad and transform.padding_mode == "constant" and np.ndim(transform.fill) == 0:
        left, top, right, bottom = arrays.sides_of("Pad", transform.padding)
        return lambda x: padded(x, (top, bottom, left, right), transform.fill or 0)
    if type(transform) is Grayscale and channels == 1:
        return lambda x: x.repeat(transform.num_output_channels, 1)
    if type(transform) is Normalize:
        return normalise(transform, channels)
    return None


def scaled(x: Any) -> Any:
    """Bytes as float32 from 0 to 1."""
    if x.dtype != np.uint8:
        return x
    return array_module(x).true_divide(x, np.float32(255), dtype=np.float32)


def padded(x: Any, sides: tuple[int, int, int, int], fill: float) -> Any:
    """Pictures with rows above and below, and columns left and right."""
    (N, C, H, W), (top, bottom, left, right) = x.shape, sides
    out = array_module(x).full((N, C, top + H + bottom, left + W + right), fill, x.dtype)
    out[:, :, top : top + H, left : left + W] = x
    return out


def normalise(transform: Normalize, channels: int) -> Step:
    """(x - mean) / std, channel by channel: so the numbers go along as arguments of kernels."""
    mean, std = (
        np.broadcast_to(np.asarray(value, np.float32).reshape(-1), channels)
        for value in (transform.mean, transform.std)
    )

    def step(x: Any) -> Any:
        if len(set(mean)) == len(set(std)) == 1:
            return (x - mean[0]) / std[0]
        for c in range(channels):
            x[:, c] -= mean[c]
            x[:, c] /= std[c]
        return x

    return step
