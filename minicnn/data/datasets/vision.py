"""Pictures with labels: single PIL pictures as in torchvision, and whole batches for the loader."""

import operator
import os
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from minicnn.data.collate import default_collate
from minicnn.data.dataset import Dataset
from minicnn.data.transforms.container import batch_form
from minicnn.data.transforms.fixed import PILToTensor, ToImage, ToTensor
from minicnn.tensor import Tensor


class VisionDataset(Dataset):
    """Base class of data sets of pictures, with the arguments that they share.

    Parameters
    ----------
    root : the folder of the data.
    transform : takes a PIL picture, such as a `Compose` from `minicnn.data.transforms` with a `ToTensor` in
        it.
    target_transform : takes a label.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ):
        name = type(self).__name__
        if not isinstance(root, str | os.PathLike):
            raise TypeError(f"{name}: root must be the path of a folder, got {root!r}")
        for argument, value in (("transform", transform), ("target_transform", target_transform)):
            if value is not None and not callable(value):
                raise TypeError(f"{name}: {argument} must be a function, got {value!r}")
        self.root = os.path.expanduser(root)
        self.transform = transform
        self.target_transform = target_transform

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__}: a VisionDataset must define __len__")

    def _sample(self, picture: Any, target: Any) -> tuple[Any, Any]:
        if self.transform is not None:
            picture = self.transform(picture)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return picture, target

    def extra_repr(self) -> str:
        """A further line for ``repr``."""
        return ""

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"Number of datapoints: {len(self)}"]
        lines += [f"Root location: {self.root}", self.extra_repr()]
        lines += [f"Transform: {self.transform!r}"] if self.transform is not None else []
        return "\n    ".join(line for line in lines if line)


class PicturesInMemory(VisionDataset):
    """Pictures in two parts, for training and for tests, that are held as bytes.

    Nothing is fetched over the network. ``dataset[i]`` is a PIL picture and its label, each after its
    transform. A loader moves whole batches: it does the steps of `transform` to all pictures of a batch at
    once, with random numbers for each picture, as long as they are minicnn's own; any other function is
    called picture by picture.

    Parameters
    ----------
    root : the folder of the files.
    train : the training pictures, or the test pictures.
    transform : takes a PIL picture, such as a `Compose` with a ``ToTensor()``.
    target_transform : takes a label, an int.
    download : accepted; the files must be there all the same.

    Attributes
    ----------
    data : uint8 (N, H, W) or (N, H, W, 3), an array or a Tensor.
    targets : N labels, a list or a Tensor.
    classes : list of str, the names of the labels.
    class_to_idx : dict of these to the labels.
    """

    classes: ClassVar[list[str]]

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
    ):
        super().__init__(root, transform, target_transform)
        self.train = train
        self.data, self.targets = self.read()

    def read(self) -> tuple[Any, Any]:
        """The pictures and their labels."""
        raise NotImplementedError

    @property
    def class_to_idx(self) -> dict[str, int]:
        return {name: label for label, name in enumerate(self.classes)}

    def extra_repr(self) -> str:
        """Which part it is."""
        return f"Split: {'Train' if self.train else 'Test'}"

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from PIL import Image

        position = operator.index(index)
        if not -len(self) <= position < len(self):
            raise IndexError(
                f"{type(self).__name__}: index {position} is out of range for {len(self)} pictures"
            )
        return self._sample(Image.fromarray(_array(self.data)[position]), int(self.targets[position]))

    def batch(self, indices: np.ndarray) -> Any:
        """The samples `indices` as a batch: pictures (N, C, H, W) and labels, int64 (N)."""
        whole = batch_form(self.transform, (ToTensor, PILToTensor, ToImage))
        if whole is None or not len(indices):
            return default_collate([self[int(i)] for i in indices])
        pictures = _array(self.data)[indices]
        x = pictures[:, None] if pictures.ndim == 3 else np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
        if isinstance(self.targets, list):
            targets = np.array([self.targets[i] for i in indices], np.int64)
        else:
            targets = _array(self.targets)[indices].astype(np.int64)
        if self.target_transform is None:
            return whole(x), targets
        return whole(x), default_collate([self.target_transform(target) for target in targets.tolist()])


def _array(data: Any) -> np.ndarray:
    return data.array if isinstance(data, Tensor) else np.asarray(data)
