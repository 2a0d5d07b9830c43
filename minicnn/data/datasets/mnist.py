"""MNIST with torchvision's arguments; the packaged copy serves."""

import os
from collections.abc import Callable
from typing import Any, ClassVar

from minicnn.data.datasets.vision import PicturesInMemory
from minicnn.data.mnist import CLASSES, read_mnist
from minicnn.tensor import Tensor


class MNIST(PicturesInMemory):
    """Handwritten digits, PIL pictures of 28x28 grey levels, and their labels.

    Parameters
    ----------
    root : any path. The digits come with minicnn: nothing is read there, and nothing is fetched.
    train : the 60,000 training pictures, or the 10,000 test pictures.
    transform : takes a PIL picture, such as ``transforms.ToTensor()``.
    target_transform : takes a label, an int.
    download : accepted, and there is nothing to do.

    Attributes
    ----------
    data : uint8 Tensor (N, 28, 28).
    targets : int64 Tensor (N).
    """

    classes: ClassVar = [*CLASSES]
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
        images, targets = read_mnist(bool(train), None)
        self.data, self.targets = Tensor(images), Tensor(targets)

    def extra_repr(self) -> str:
        """Which half it is."""
        return f"Split: {'Train' if self.train else 'Test'}"
