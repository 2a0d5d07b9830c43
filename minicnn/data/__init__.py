"""Data sets and the loader that turns them into batches of Tensors."""

from minicnn import outside
from minicnn.data import datasets, io, transforms, utils
from minicnn.data.collate import default_collate, default_convert
from minicnn.data.dataset import (
    ConcatDataset,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    get_worker_info,
    random_split,
)
from minicnn.data.idx import read_idx
from minicnn.data.loader import DataLoader
from minicnn.data.packaged import MNIST
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
    "IterableDataset",
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
    "default_convert",
    "get_worker_info",
    "io",
    "random_split",
    "read_idx",
    "to_mnist_form",
    "transforms",
    "utils",
]

outside.explain(datasets, transforms, transforms.functional)
