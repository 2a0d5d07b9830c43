"""The packaged MNIST, ready for training: Tensors in [0, 1], and transforms of whole batches."""

import operator
import os
from collections.abc import Callable

import numpy as np

from minicnn.data.dataset import Dataset
from minicnn.data.datasets.mnist import DIGITS, read_mnist
from minicnn.data.transforms.arrays import is_zero
from minicnn.data.transforms.container import apply_to_batch, steps_of
from minicnn.data.transforms.fixed import Pad
from minicnn.tensor import Tensor


class MNIST(Dataset):
    """Handwritten digits and their labels, held in memory as bytes.

    ``dataset[i]`` is a picture, a float32 Tensor (1, H, W) in [0, 1], and its label, an int.

    Parameters
    ----------
    train : the 60,000 training pictures, or the 10,000 test pictures.
    transform : applied to whole batches: takes a float32 array (N, 1, H, W) in [0, 1], returns an array
        of N rows; or one of `minicnn.data.transforms`. (`minicnn.data.datasets.MNIST` gives its transform
        single PIL pictures, as torchvision does.)
    root : folder of your own IDX files under MNIST's names, ``train-images-idx3-ubyte`` and so on, also
        with ``.gz`` or as ``train-images.idx3-ubyte``; pictures of any number and size. None: the packaged
        copy, checked against its SHA-256 sums.

    Attributes
    ----------
    images : uint8 array (N, H, W); packaged: (N, 28, 28).
    targets : int64 array (N,), values 0 to 9.
    """

    classes = tuple(DIGITS)

    def __init__(
        self,
        train: bool = True,
        transform: Callable[[np.ndarray], np.ndarray] | None = None,
        root: str | os.PathLike[str] | None = None,
    ):
        if not isinstance(train, bool):
            # In torchvision the first argument is the folder; here it would silently mean train=True.
            raise TypeError(f"MNIST: train must be True or False, got {train!r}; give a folder as root=...")
        self.images, self.targets = read_mnist(train, root)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        position = operator.index(index)
        if not -len(self) <= position < len(self):
            raise IndexError(f"MNIST: index {position} is out of range for {len(self)} pictures")
        images, targets = self.batch(np.array([position]))
        return Tensor(images[0]), int(targets[0])

    def batch(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pictures `indices`, float32 (N, 1, H, W), after the transform; and their labels, int64 (N,)."""
        images = self.images[indices][:, None]
        steps = [] if self.transform is None else steps_of(self.transform)
        while steps and keeps_values(steps[0]):  # with bytes, a quarter of the memory
            images = steps.pop(0).batch(images)
        images = images / np.float32(255)
        for step in steps:
            images = apply_to_batch(step, images)
        targets = self.targets[indices]
        if len(images) != len(targets):
            raise ValueError(
                f"MNIST: transform must keep the batch of {len(targets)} pictures, got {images.shape}; "
                "it is given whole batches (N, 1, H, W), not single pictures"
            )
        return images, targets


def keeps_values(step: object) -> bool:
    """Whether a transform only repeats pixels or adds zeros, and so can do it to bytes."""
    return type(step) is Pad and (step.padding_mode != "constant" or is_zero(step.fill))
