"""Data sets of pictures, with torchvision's names and arguments; none is fetched over the network."""

from minicnn.data.datasets.cifar import CIFAR10, CIFAR100
from minicnn.data.datasets.folder import ImageFolder
from minicnn.data.datasets.mnist import KMNIST, MNIST, FashionMNIST
from minicnn.data.datasets.vision import VisionDataset

__all__ = ["CIFAR10", "CIFAR100", "KMNIST", "MNIST", "FashionMNIST", "ImageFolder", "VisionDataset"]
