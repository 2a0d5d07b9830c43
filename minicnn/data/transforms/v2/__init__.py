"""Transforms under the names of torchvision.transforms.v2, which turn pictures into Tensors in two steps."""

from minicnn.data.transforms import *  # noqa: F403 (its __all__ is a table of names)
from minicnn.data.transforms import __all__ as shared
from minicnn.data.transforms import functional
from minicnn.data.transforms.fixed import ToDtype, ToImage

__all__ = ["ToDtype", "ToImage", "functional", *shared]
