"""MNIST, which comes with the package, and data sets made after its model, from the files as published."""

import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minicnn.data.datasets.vision import PicturesInMemory
from minicnn.data.idx import read_idx
from minicnn.tensor import Tensor

PACKAGED = Path(__file__).parents[1] / "mnist"
SHA256 = {  # of the uncompressed content
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

DIGITS = [
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
]


class MNIST(PicturesInMemory):
    """Handwritten digits (LeCun, Cortes, Burges), PIL pictures of 28x28 grey levels, and their labels.

    They come with minicnn: `root` may be any path, nothing is read there. 60,000 pictures are for training,
    10,000 for tests. `PicturesInMemory` tells the parameters; `data` is a uint8 Tensor (N, 28, 28), `targets`
    an int64 Tensor (N).
    """

    classes: ClassVar = DIGITS

    def read(self) -> tuple[Any, Any]:
        images, targets = read_mnist(bool(self.train), None)
        return Tensor(images), Tensor(targets)


class FashionMNIST(PicturesInMemory):
    """Clothes (Xiao, Rasul, Vollgraf 2017), otherwise like MNIST.

    The files as published, ``train-images-idx3-ubyte.gz`` and so on, also unpacked, are looked for in
    ``root/FashionMNIST/raw``, where torchvision keeps them, and in `root` itself.

    Raises
    ------
    RuntimeError : the files are not there, or damaged.
    """

    classes: ClassVar = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ]  # fmt: skip
    home: ClassVar = "https://github.com/zalandoresearch/fashion-mnist"

    def read(self) -> tuple[Any, Any]:
        name = type(self).__name__
        raw = Path(self.root, name, "raw")
        try:
            images, targets = read_mnist(bool(self.train), raw if raw.is_dir() else self.root, name)
        except FileNotFoundError as error:
            raise RuntimeError(
                f"{error}; minicnn fetches nothing over the network: get the four files, "
                f"train-images-idx3-ubyte.gz and so on, from {self.home} and put them into {raw}"
            ) from error
        except ValueError as error:
            raise RuntimeError(str(error)) from error
        return Tensor(images), Tensor(targets)


class KMNIST(FashionMNIST):
    """Handwritten Japanese characters (Clanuwat et al. 2018), like `FashionMNIST`, in ``root/KMNIST/raw``."""

    classes: ClassVar = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
    home: ClassVar = "http://codh.rois.ac.jp/kmnist"


def read_mnist(
    train: bool, root: str | os.PathLike[str] | None, name: str = "MNIST"
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures, uint8 (N, H, W), and labels, int64 (N,), from the package or the folder `root`."""
    part = "train" if train else "t10k"
    image_path, images = _read(f"{part}-images-idx3-ubyte", root, name)
    label_path, targets = _read(f"{part}-labels-idx1-ubyte", root, name)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise ValueError(
            f"{name}: {image_path} must hold uint8 pictures (N, H, W), got {images.dtype} {images.shape}"
        )
    if targets.ndim != 1 or targets.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: {label_path} must hold integer labels (N,), got {targets.dtype} {targets.shape}"
        )
    if len(images) != len(targets):
        raise ValueError(
            f"{name}: {image_path} has {len(images)} pictures, but {label_path} has {len(targets)} labels"
        )
    targets = targets.astype(np.int64)
    wrong = np.flatnonzero((targets < 0) | (targets > 9))
    if wrong.size:
        raise ValueError(
            f"{name}: {label_path}: labels must lie in 0..9, got {targets[wrong[0]]} at index {wrong[0]}"
        )
    return images, targets


def _read(file: str, root: str | os.PathLike[str] | None, name: str) -> tuple[Path, np.ndarray]:
    if root is None:
        path = PACKAGED / f"{file}.gz"
        return path, read_idx(path, SHA256[file])
    root = Path(root)
    if not root.exists():
        raise FileNotFoundError(f"{name}: no such folder: {root}")
    if not root.is_dir():
        raise ValueError(f"{name}: root must be a folder with IDX files, got the file {root}")
    names = [f"{base}{ending}" for base in (file, file.replace("-idx", ".idx")) for ending in ("", ".gz")]
    for candidate in names:
        if (root / candidate).exists():
            return root / candidate, read_idx(root / candidate)
    raise FileNotFoundError(f"{name}: {root} has none of {', '.join(names)}")
