"""The pictures that the command trains and measures models on: MNIST's, files like them, or folders."""

from pathlib import Path
from typing import Any

from minicnn.data import MNIST
from minicnn.data.datasets import ImageFolder
from minicnn.training.recipes import digit_transform, photo_transform, side

TEST_FOLDERS = ("val", "valid", "validation", "test")  # the first that is there
TEST_SHARE = 5  # where no folder is for the test, every fifth picture


def pictures(
    name: str, root: str | None, train: bool, size: int | None = None, whole: bool = False
) -> MNIST | ImageFolder:
    """The training or the test pictures in the form that the named model takes.

    Both kinds of data sets have ``targets``, the numbers of the classes.

    Parameters
    ----------
    root : str, optional
        MNIST unless given; a folder of IDX files; or one with a folder of pictures for each class, by itself
        or in ``train`` and ``val``.
    size : int, optional
        Side of the pictures; that of the model's recipe unless given.
    whole : bool
        Take all pictures for the test where no folder of them is for training.
    """
    if of_photos(root):
        assert root is not None
        return _folder(Path(root), train, photo_transform(name, side(name, size, photos=True)), whole)
    data = MNIST(train=train, transform=digit_transform(name, side(name, size, photos=False)), root=root)
    if len(data) == 0 or data.images.shape[1:] != (28, 28):
        raise ValueError(f"{root}: expected pictures (N, 28, 28) for {name}, got {data.images.shape}")
    return data


def class_names(data: MNIST | ImageFolder) -> list[str]:
    """The digits, or the names of the folders."""
    return data.classes if isinstance(data, ImageFolder) else [str(digit) for digit in range(10)]


def of_photos(root: str | None) -> bool:
    """Whether it is a folder of folders, and has no IDX files."""
    if root is None or not Path(root).is_dir() or any(Path(root).glob("*ubyte*")):
        return False
    return any(path.is_dir() for path in Path(root).iterdir())


def _folder(root: Path, train: bool, transform: Any, whole: bool) -> ImageFolder:
    if not (root / "train").is_dir():
        data = ImageFolder(root, transform)
        if not whole:
            chosen = [
                sample
                for place, sample in enumerate(data.samples)
                if (place % TEST_SHARE == TEST_SHARE - 1) != train
            ]
            data.samples = data.imgs = chosen
            data.targets = [number for _, number in chosen]
        return data
    test = next((root / folder for folder in TEST_FOLDERS if (root / folder).is_dir()), None)
    if test is None:
        raise FileNotFoundError(f"{root} has a folder train, but none of {', '.join(TEST_FOLDERS)}")
    data, other = (ImageFolder(folder, transform) for folder in (root / "train", test))
    if data.classes != other.classes:
        differing = ", ".join(sorted(set(data.classes) ^ set(other.classes)))
        raise ValueError(f"{root}: train and {test.name} differ in the classes {differing}")
    return data if train else other
