"""Dropout."""

from minicnn.nn import functional as F
from minicnn.nn.arguments import probability
from minicnn.nn.module import Module
from minicnn.tensor import Tensor


class Dropout(Module):
    """In training, set each element to zero with probability p and scale the others by 1 / (1 - p)."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = probability("Dropout", p)
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
