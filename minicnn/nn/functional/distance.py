"""Lengths of vectors, and how far they are from each other."""

from minicnn.nn.arguments import check_floats
from minicnn.tensor import Tensor


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """The input divided by its p-norm along a dimension, or by eps where that is larger."""
    check_floats("normalize", input=input)
    return input / input.norm(p, dim, keepdim=True).clamp_min(eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between two vectors along a dimension; each length is at least eps."""
    check_floats("cosine_similarity", x1=x1, x2=x2)
    lengths = (x.norm(2, dim, keepdim=True).clamp_min(eps) for x in (x1, x2))
    return ((x1 / next(lengths)) * (x2 / next(lengths))).sum(dim)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension."""
    check_floats("pairwise_distance", x1=x1, x2=x2)
    return (x1 - x2 + eps).norm(p, -1, keepdim=keepdim)
