"""CIFAR-10 and CIFAR-100, small colour pictures of things (Krizhevsky 2009), from the files as published."""

import hashlib
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minicnn.data.datasets.vision import PicturesInMemory
from minicnn.data.pickled import read_plain_pickle

HOME = "https://www.cs.toronto.edu/~kriz/cifar.html"
PIXELS = 3 * 32 * 32
TEN = "airplane automobile bird cat deer dog frog horse ship truck"
HUNDRED = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark
shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone
television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
LARGEST = 2**28  # bytes in a file of an archive; the largest of those published has 154 million


class CIFAR10(PicturesInMemory):
    """Ten kinds of things, PIL pictures of 32x32 pixels, and their labels; 50,000 to train, 10,000 to test.

    In `root` are looked for, in this order: the published files unpacked, in ``cifar-10-batches-py``,
    ``cifar-10-batches-bin`` or `root` itself; ``cifar-10-python.tar.gz``; ``cifar-10-binary.tar.gz``; either
    may also be named after its folder, and `root` may be the archive itself. An archive of the published
    size must have the published SHA-256 sum. The pickles in the Python files are read as plain data; none is
    run.

    `PicturesInMemory` tells the parameters; `data` is a uint8 array (N, 32, 32, 3), `targets` a list of ints.

    Raises
    ------
    RuntimeError : the files are not there, or damaged.
    """

    archives: ClassVar = {  # as published: name -> size in bytes, SHA-256
        "cifar-10-python.tar.gz": (
            170498071,
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        ),
        "cifar-10-binary.tar.gz": (
            170052171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    }
    folders: ClassVar = ("cifar-10-batches-py", "cifar-10-batches-bin")
    files: ClassVar = {True: tuple(f"data_batch_{number}" for number in range(1, 6)), False: ("test_batch",)}
    labels: ClassVar[tuple[str, ...]] = (
        "labels",
    )  # of a picture, in the order of the binary files; the last is the target
    classes: ClassVar = TEN.split()

    def read(self) -> tuple[Any, Any]:
        parts = [self._parse(name, content) for name, content in self._contents(self.files[bool(self.train)])]
        pixels = np.concatenate([pictures for pictures, _ in parts])
        data = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        return data, [label for _, labels in parts for label in labels]

    def _error(self, words: str) -> RuntimeError:
        return RuntimeError(f"{type(self).__name__}: {words}")

    def _contents(self, names: tuple[str, ...]) -> list[tuple[str, bytes]]:
        """The files `names`, pickles or with ``.bin``, in the first place that has any of them."""
        root = Path(self.root)
        packed = [*self.archives, *(f + e for f in self.folders for e in (".tar.gz", ".tgz", ".tar"))]
        places: Iterable[Path] = [
            *(root / folder for folder in self.folders),
            root,
            *(root / p for p in packed),
        ]
        wanted = [name + ending for name in names for ending in ("", ".bin")]
        for place in places:
            if place.is_dir():
                found = {name: (place / name).read_bytes() for name in wanted if (place / name).is_file()}
            else:
                found = self._in_archive(place, wanted) if place.is_file() else {}
            for ending in ("", ".bin"):
                there = [name for name in names if name + ending in found]
                if there and len(there) < len(names):
                    missing = ", ".join(name + ending for name in names if name not in there)
                    raise self._error(f"{place} is not complete, it has no {missing}")
                if there:
                    return [(f"{place}: {name}{ending}", found[name + ending]) for name in names]
        raise self._error(
            f"Dataset not found in {root}, and minicnn fetches nothing over the network; "
            f"get {' or '.join(reversed(self.archives))} from {HOME} and put it into that folder"
        )

    def _in_archive(self, path: Path, wanted: list[str]) -> dict[str, bytes]:
        size, expected = self.archives.get(path.name, (None, ""))
        if path.stat().st_size == size:
            with open(path, "rb") as file:
                got = hashlib.file_digest(file, "sha256").hexdigest()
            if got != expected:
                raise self._error(f"{path} is damaged: expected SHA-256 {expected}, got {got}")
        found = {}
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    name = Path(member.name).name
                    if name in wanted and member.isfile() and member.size <= LARGEST:
                        found[name] = archive.extractfile(member).read()  # type: ignore[union-attr]
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise self._error(f"{path} is a damaged archive: {error}") from error
        return found

    def _parse(self, name: str, content: bytes) -> tuple[np.ndarray, list[int]]:
        """Pixels, uint8 (N, 3072), and N labels of one file."""
        pixels, labels = self._records(name, content) if name.endswith(".bin") else self._table(name, content)
        for label in labels:
            if type(label) is not int or not 0 <= label < len(self.classes):
                raise self._error(f"{name}: labels must lie in 0..{len(self.classes) - 1}, got {label!r}")
        return pixels, labels

    def _records(self, name: str, content: bytes) -> tuple[np.ndarray, list[int]]:
        length = len(self.labels) + PIXELS
        if len(content) % length:
            raise self._error(f"{name} must hold records of {length} bytes, got {len(content)} bytes")
        records = np.frombuffer(content, np.uint8).reshape(-1, length)
        return records[:, -PIXELS:], records[:, len(self.labels) - 1].tolist()

    def _table(self, name: str, content: bytes) -> tuple[np.ndarray, list[int]]:
        try:
            table = read_plain_pickle(content)
        except ValueError as error:
            raise self._error(f"{name}: {error}") from error
        fields = {_text(key): value for key, value in table.items()} if isinstance(table, dict) else {}
        pixels, labels = fields.get("data"), fields.get(self.labels[-1])
        labels = labels.tolist() if isinstance(labels, np.ndarray) else labels
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (PIXELS,):
            got = (
                f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            )
            raise self._error(f"{name} must hold data, uint8 (N, {PIXELS}), got {got}")
        if not isinstance(labels, list) or len(labels) != len(pixels):
            got = f"{len(labels)} of them" if isinstance(labels, list) else type(labels).__name__
            raise self._error(f"{name} must hold {len(pixels)} {self.labels[-1]}, got {got}")
        return pixels, labels


class CIFAR100(CIFAR10):
    """A hundred kinds of things, otherwise like `CIFAR10`.

    The published files are looked for in ``cifar-100-python``, ``cifar-100-binary`` or `root` itself, and in
    ``cifar-100-python.tar.gz`` and ``cifar-100-binary.tar.gz``.
    """

    archives: ClassVar = {
        "cifar-100-python.tar.gz": (
            169001437,
            "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        ),
        "cifar-100-binary.tar.gz": (
            168513733,
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        ),
    }
    folders: ClassVar = ("cifar-100-python", "cifar-100-binary")
    files: ClassVar = {True: ("train",), False: ("test",)}
    labels: ClassVar[tuple[str, ...]] = ("coarse_labels", "fine_labels")
    classes: ClassVar = HUNDRED.split()


def _text(key: Any) -> Any:
    return key.decode("latin-1") if isinstance(key, bytes) else key
