"""Dropout: of elements, of channels, of whole branches."""

from minicnn.nn import functional as F
from minicnn.nn.arguments import probability
from minicnn.nn.module import Module
from minicnn.tensor import Tensor


class Probable(Module):
    """Base of the layers that drop with a probability."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = probability(type(self).__name__, p)
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(Probable):
    """In training, set each element to zero with probability p and scale the others by 1 / (1 - p)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(Probable):
    """Dropout of whole channels of signals (N, C, L) or one (C, L)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(Probable):
    """Dropout of whole channels of pictures (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


class StochasticDepth(Module):
    """In training, leave a residual branch out with probability p; see `functional.stochastic_depth`."""

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, input: Tensor) -> Tensor:
        return F.stochastic_depth(input, self.p, self.mode, self.training)

    def __repr__(self) -> str:
        return f"StochasticDepth(p={self.p}, mode={self.mode})"
