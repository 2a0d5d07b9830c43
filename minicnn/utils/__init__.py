"""What PyTorch keeps in torch.utils: the data sets and their loader."""

from minicnn import outside
from minicnn.utils import data

__all__ = ["data"]

outside.explain(data)
