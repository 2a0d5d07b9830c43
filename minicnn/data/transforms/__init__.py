"""Transforms of pictures, with torchvision's names; applied to whole batches where a loader moves them."""

from minicnn.data.transforms import functional
from minicnn.data.transforms.base import Compose, Lambda, RandomApply, RandomTransform, Transform, batch_form
from minicnn.data.transforms.fixed import (
    CenterCrop,
    ConvertImageDtype,
    Grayscale,
    Normalize,
    Pad,
    PILToTensor,
    Resize,
    ToPILImage,
    ToTensor,
)
from minicnn.data.transforms.kinds import InterpolationMode
from minicnn.data.transforms.look import ColorJitter, RandomErasing, RandomGrayscale
from minicnn.data.transforms.place import (
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
)

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "ConvertImageDtype",
    "Grayscale",
    "InterpolationMode",
    "Lambda",
    "Normalize",
    "PILToTensor",
    "Pad",
    "RandomAffine",
    "RandomApply",
    "RandomCrop",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomTransform",
    "RandomVerticalFlip",
    "Resize",
    "ToPILImage",
    "ToTensor",
    "Transform",
    "batch_form",
    "functional",
]
