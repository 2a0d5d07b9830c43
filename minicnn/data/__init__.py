"""Data sets and the loader that turns them into batches of Tensors."""

from minicnn.data import datasets, transforms
from minicnn.data.collate import default_collate
from minicnn.data.dataset import ConcatDataset, Dataset, Subset, TensorDataset, random_split
from minicnn.data.idx import read_idx
from minicnn.data.loader import DataLoader
from minicnn.data.mnist import MNIST
from minicnn.data.picture import to_mnist_form
from minicnn.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from minicnn.data.transforms import Compose, Normalize, Pad

__all__ = [
    "MNIST",
    "BatchSampler",
    "Compose",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "Normalize",
    "Pad",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "datasets",
    "default_collate",
    "random_split",
    "read_idx",
    "to_mnist_form",
    "transforms",
]
