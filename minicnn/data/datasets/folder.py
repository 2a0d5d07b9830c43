"""Pictures in folders that are named after their classes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minicnn.data.datasets.vision import VisionDataset

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def pil_loader(path: str | os.PathLike[str]) -> Any:
    """The picture in a file, with three colours."""
    from PIL import Image

    with open(path, "rb") as file:
        return Image.open(file).convert("RGB")


class ImageFolder(VisionDataset):
    """Pictures in ``root/class/.../picture.png``; an item is a PIL picture and its class's number.

    Parameters
    ----------
    transform : takes a PIL picture.
    target_transform : takes the number of a class.
    loader : takes a path and returns the picture.
    is_valid_file : takes a path and says whether it is a picture. None: known endings are.
    allow_empty : classes may have no pictures.

    Attributes
    ----------
    classes : list of str, the folders' names, sorted.
    class_to_idx : dict of these to their numbers.
    samples : list of (path, number of the class); also called imgs.
    targets : list of the numbers.

    Raises
    ------
    FileNotFoundError : there are no classes, or one has no pictures.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        loader: Callable[[str], Any] = pil_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ):
        super().__init__(root, transform, target_transform)
        self.loader = loader
        self.classes, self.class_to_idx = self.find_classes(self.root)
        valid = is_valid_file or (lambda path: path.lower().endswith(EXTENSIONS))
        self.samples: list[tuple[str, int]] = []
        empty = []
        for name, number in self.class_to_idx.items():
            before = len(self.samples)
            for folder, _, files in sorted(os.walk(Path(self.root, name), followlinks=True)):
                paths = [os.path.join(folder, file) for file in sorted(files)]
                self.samples += [(path, number) for path in paths if valid(path)]
            if len(self.samples) == before:
                empty.append(name)
        if empty and not allow_empty:
            known = "" if is_valid_file else f", files that end in {', '.join(EXTENSIONS)}"
            raise FileNotFoundError(
                f"ImageFolder: found no pictures for the classes {', '.join(empty)} in {self.root}{known}"
            )
        self.imgs = self.samples
        self.targets = [number for _, number in self.samples]

    def find_classes(self, directory: str | os.PathLike[str]) -> tuple[list[str], dict[str, int]]:
        """The names of the classes, and the number of each."""
        if not os.path.isdir(directory):
            raise FileNotFoundError(f"ImageFolder: no such folder: {directory}")
        classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
        if not classes:
            raise FileNotFoundError(
                f"ImageFolder: couldn't find any class folder in {directory}; "
                f"expected {directory}/class/picture.png"
            )
        return classes, {name: number for number, name in enumerate(classes)}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        return self._sample(self.loader(path), target)
