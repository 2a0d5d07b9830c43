"""Transforms of pictures, with torchvision's names; applied to whole batches where a loader moves them."""

from minicnn.data.transforms import functional
from minicnn.data.transforms.base import RandomTransform, Transform
from minicnn.data.transforms.container import (
    Compose,
    Lambda,
    RandomApply,
    RandomChoice,
    RandomOrder,
)
from minicnn.data.transforms.dispatch import InterpolationMode
from minicnn.data.transforms.fixed import (
    CenterCrop,
    ConvertImageDtype,
    FiveCrop,
    Grayscale,
    Normalize,
    Pad,
    PILToTensor,
    Resize,
    TenCrop,
    ToPILImage,
    ToTensor,
)
from minicnn.data.transforms.random_boxes import RandomCrop, RandomErasing, RandomResizedCrop
from minicnn.data.transforms.random_color import ColorJitter, GaussianBlur, RandomGrayscale
from minicnn.data.transforms.random_geometry import (
    RandomAffine,
    RandomHorizontalFlip,
    RandomRotation,
    RandomVerticalFlip,
)

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "ConvertImageDtype",
    "FiveCrop",
    "GaussianBlur",
    "Grayscale",
    "InterpolationMode",
    "Lambda",
    "Normalize",
    "PILToTensor",
    "Pad",
    "RandomAffine",
    "RandomApply",
    "RandomChoice",
    "RandomCrop",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomOrder",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomTransform",
    "RandomVerticalFlip",
    "Resize",
    "TenCrop",
    "ToPILImage",
    "ToTensor",
    "Transform",
    "functional",
]
