"""MNIST, the 70,000 handwritten digits of LeCun, Cortes and Burges; it comes with the package."""

import operator
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from minicnn.data.dataset import Dataset
from minicnn.data.idx import read_idx
from minicnn.tensor import Tensor

PACKAGED = Path(__file__).parent / "mnist"
SHA256 = {  # of the uncompressed content
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

CLASSES = (
    "0 - zero",
    "1 - one",
    "2 - two",
    "3 - three",
    "4 - four",
    "5 - five",
    "6 - six",
    "7 - seven",
    "8 - eight",
    "9 - nine",
)


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

    classes = CLASSES

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
        images = self.images[indices][:, None] / np.float32(255)
        if self.transform is not None:
            images = getattr(self.transform, "batch", self.transform)(images)
            if len(images) != len(indices):
                raise ValueError(
                    f"MNIST: transform must keep the batch of {len(indices)} pictures, got {images.shape}; "
                    "it is given whole batches (N, 1, H, W), not single pictures"
                )
        return images, self.targets[indices]


def read_mnist(train: bool, root: str | os.PathLike[str] | None) -> tuple[np.ndarray, np.ndarray]:
    """Pictures, uint8 (N, H, W), and labels, int64 (N,), from the package or the folder `root`."""
    part = "train" if train else "t10k"
    image_path, images = _read(f"{part}-images-idx3-ubyte", root)
    label_path, targets = _read(f"{part}-labels-idx1-ubyte", root)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise ValueError(
            f"MNIST: {image_path} must hold uint8 pictures (N, H, W), got {images.dtype} {images.shape}"
        )
    if targets.ndim != 1 or targets.dtype.kind not in "iu":
        raise ValueError(
            f"MNIST: {label_path} must hold integer labels (N,), got {targets.dtype} {targets.shape}"
        )
    if len(images) != len(targets):
        raise ValueError(
            f"MNIST: {image_path} has {len(images)} pictures, but {label_path} has {len(targets)} labels"
        )
    targets = targets.astype(np.int64)
    wrong = np.flatnonzero((targets < 0) | (targets > 9))
    if wrong.size:
        raise ValueError(
            f"MNIST: {label_path}: labels must lie in 0..9, got {targets[wrong[0]]} at index {wrong[0]}"
        )
    return images, targets


def _read(name: str, root: str | os.PathLike[str] | None) -> tuple[Path, np.ndarray]:
    if root is None:
        path = PACKAGED / f"{name}.gz"
        return path, read_idx(path, SHA256[name])
    root = Path(root)
    if not root.exists():
        raise FileNotFoundError(f"MNIST: no such folder: {root}")
    if not root.is_dir():
        raise ValueError(f"MNIST: root must be a folder with IDX files, got the file {root}")
    names = [f"{base}{ending}" for base in (name, name.replace("-idx", ".idx")) for ending in ("", ".gz")]
    for candidate in names:
        if (root / candidate).exists():
            return root / candidate, read_idx(root / candidate)
    raise FileNotFoundError(f"MNIST: {root} has none of {', '.join(names)}")
