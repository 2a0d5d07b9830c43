"""Data sets and the loader that turns them into batches of Tensors."""

from minicnn.data.dataset import Dataset, TensorDataset
from minicnn.data.idx import read_idx
from minicnn.data.loader import DataLoader
from minicnn.data.mnist import MNIST
from minicnn.data.picture import to_mnist_form
from minicnn.data.transforms import Compose, Normalize, Pad

__all__ = [
    "MNIST",
    "Compose",
    "DataLoader",
    "Dataset",
    "Normalize",
    "Pad",
    "TensorDataset",
    "read_idx",
    "to_mnist_form",
]
