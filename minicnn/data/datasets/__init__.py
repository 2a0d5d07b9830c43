"""Data sets of pictures, with torchvision's names and arguments; none is fetched over the network."""

from minicnn.data.datasets.cifar10 import CIFAR10
from minicnn.data.datasets.folder import ImageFolder
from minicnn.data.datasets.mnist import MNIST
from minicnn.data.datasets.vision import VisionDataset

__all__ = ["CIFAR10", "MNIST", "ImageFolder", "VisionDataset"]
