"""CIFAR-10, 60,000 colour pictures of ten kinds of things (Krizhevsky 2009), from the files as published."""

import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minicnn.data.datasets.vision import PicturesInMemory
from minicnn.data.pickled import read_plain_pickle

HOME = "https://www.cs.toronto.edu/~kriz/cifar.html"
ARCHIVES = {  # as published: name -> size in bytes, SHA-256
    "cifar-10-python.tar.gz": (
        170498071,
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ),
    "cifar-10-binary.tar.gz": (
        170052171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
}
FOLDERS = ("cifar-10-batches-py", "cifar-10-batches-bin")
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = ("test_batch",)
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
PIXELS = 3 * 32 * 32
LARGEST = 2**26  # bytes in a file of an archive; those published have 31 million


class CIFAR10(PicturesInMemory):
    """Colour pictures of 32x32 pixels, PIL pictures, and their labels.

    Nothing is fetched over the network. In `root` are looked for, in this order: the published files
    unpacked, in ``cifar-10-batches-py``, ``cifar-10-batches-bin`` or `root` itself;
    ``cifar-10-python.tar.gz``; ``cifar-10-binary.tar.gz``; either may also be named after its folder. An
    archive of the published size must have the published SHA-256 sum. The pickles in the Python files are
    read as plain data; none is run.

    Parameters
    ----------
    root : the folder, or the archive itself.
    train : the 50,000 training pictures, or the 10,000 test pictures.
    transform : takes a PIL picture, such as a `Compose` with a ``ToTensor()``.
    target_transform : takes a label, an int.
    download : accepted; the files must be there all the same.

    Attributes
    ----------
    data : uint8 array (N, 32, 32, 3).
    targets : list of N ints.

    Raises
    ------
    RuntimeError : the files are not there, or damaged.
    """

    classes: ClassVar = CLASSES
    class_to_idx: ClassVar = dict(zip(CLASSES, range(10), strict=True))

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
        parts = [
            _parse(name, content) for name, content in _contents(Path(self.root), TRAIN if train else TEST)
        ]
        pixels = np.concatenate([pictures for pictures, _ in parts])
        self.data = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        self.targets = [label for _, labels in parts for label in labels]

    def extra_repr(self) -> str:
        """Which half it is."""
        return f"Split: {'Train' if self.train else 'Test'}"


def _contents(root: Path, names: tuple[str, ...]) -> list[tuple[str, bytes]]:
    """The files `names`, pickles or with ``.bin``, in the first place that has any of them."""
    folders = [root / folder for folder in FOLDERS] + [root]
    archives = [root / name for name in ARCHIVES]
    archives += [root / f"{folder}{ending}" for folder in FOLDERS for ending in (".tar.gz", ".tgz", ".tar")]
    places: Iterable[Path] = [root] if root.is_file() else folders + archives
    for place in places:
        found = (
            _in_folder(place, names)
            if place.is_dir()
            else _in_archive(place, names)
            if place.is_file()
            else {}
        )
        for ending in ("", ".bin"):
            there = [name for name in names if name + ending in found]
            if there and len(there) < len(names):
                missing = ", ".join(name + ending for name in names if name not in there)
                raise RuntimeError(f"CIFAR10: {place} is not complete, it has no {missing}")
            if there:
                return [(f"{place}: {name}{ending}", found[name + ending]) for name in names]
    raise RuntimeError(
        f"CIFAR10: Dataset not found in {root}, and minicnn fetches nothing over the network; "
        f"get cifar-10-binary.tar.gz or cifar-10-python.tar.gz from {HOME} and put it into that folder"
    )


def _in_folder(folder: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    wanted = [name + ending for name in names for ending in ("", ".bin")]
    return {name: (folder / name).read_bytes() for name in wanted if (folder / name).is_file()}


def _in_archive(path: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    size, expected = ARCHIVES.get(path.name, (None, ""))
    if path.stat().st_size == size:
        with open(path, "rb") as file:
            got = hashlib.file_digest(file, "sha256").hexdigest()
        if got != expected:
            raise RuntimeError(f"CIFAR10: {path} is damaged: expected SHA-256 {expected}, got {got}")
    wanted = {name + ending for name in names for ending in ("", ".bin")}
    found = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = Path(member.name).name
                if name in wanted and member.isfile() and member.size <= LARGEST:
                    found[name] = archive.extractfile(member).read()  # type: ignore[union-attr]
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise RuntimeError(f"CIFAR10: {path} is a damaged archive: {error}") from error
    return found


def _parse(name: str, content: bytes) -> tuple[np.ndarray, list[int]]:
    """Pixels, uint8 (N, 3072), and N labels of one file."""
    pixels: Any
    labels: Any
    if name.endswith(".bin"):
        if len(content) % (1 + PIXELS):
            raise RuntimeError(
                f"CIFAR10: {name} must hold records of {1 + PIXELS} bytes, got {len(content)} bytes"
            )
        records = np.frombuffer(content, np.uint8).reshape(-1, 1 + PIXELS)
        pixels, labels = records[:, 1:], records[:, 0].tolist()
    else:
        try:
            table = read_plain_pickle(content)
        except ValueError as error:
            raise RuntimeError(f"CIFAR10: {name}: {error}") from error
        fields = {_text(key): value for key, value in table.items()} if isinstance(table, dict) else {}
        pixels, labels = fields.get("data"), fields.get("labels")
        labels = labels.tolist() if isinstance(labels, np.ndarray) else labels
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (PIXELS,):
            got = (
                f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            )
            raise RuntimeError(f"CIFAR10: {name} must hold data, uint8 (N, {PIXELS}), got {got}")
        if not isinstance(labels, list) or len(labels) != len(pixels):
            got = f"{len(labels)} of them" if isinstance(labels, list) else type(labels).__name__
            raise RuntimeError(f"CIFAR10: {name} must hold {len(pixels)} labels, got {got}")
    for label in labels:
        if type(label) is not int or not 0 <= label <= 9:
            raise RuntimeError(f"CIFAR10: {name}: labels must lie in 0..9, got {label!r}")
    return pixels, labels


def _text(key: Any) -> Any:
    return key.decode("latin-1") if isinstance(key, bytes) else key
