"""What PyTorch keeps in torch.utils: the data sets and their loader."""

import sys

from minicnn import outside
from minicnn.utils import data

__all__ = ["data"]

outside.explain(sys.modules[__name__], data)
outside.stand_for(data, "dataloader dataset sampler")
