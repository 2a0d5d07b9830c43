"""New Tensors of random numbers.

All are drawn on the CPU and moved where they are wanted, so that a seed gives the same numbers everywhere.
"""

from typing import Any

import numpy as np

from minicnn.device import host, like, move, placed
from minicnn.random import generator as source
from minicnn.tensor.creation import kind, shape_and_dtype
from minicnn.tensor.tensor import Tensor


def rand(
    *size: Any,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    **shape: Any,
) -> Tensor:
    """Uniform in [0, 1)."""
    where = placed("rand", device)
    sizes, dtype = floating("rand", size, dtype, shape)
    return Tensor(move(source(generator).random(sizes, dtype), where), requires_grad)


def randn(
    *size: Any,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    **shape: Any,
) -> Tensor:
    """Normal, mean 0, variance 1."""
    where = placed("randn", device)
    sizes, dtype = floating("randn", size, dtype, shape)
    return Tensor(move(source(generator).standard_normal(sizes, dtype), where), requires_grad)


def randint(*args: Any, generator: Any = None, dtype: Any = None, device: Any = None, **named: Any) -> Tensor:
    """Integers in [low, high): ``randint(high, size)`` or ``randint(low, high, size)``."""
    names = ("low", "high", "size") if len(args) + len(named) == 3 else ("high", "size")
    given = dict(zip(names, args, strict=False)) | named
    if (
        len(args) > 3
        or len(given) < len(args) + len(named)
        or not {"high", "size"} <= given.keys() <= {*names}
    ):
        raise TypeError(f"randint: expected low, high and size, got {args} and {named}")
    low, high = given.get("low", 0), given["high"]
    if low >= high:
        raise RuntimeError(f"randint: expected low < high, got {low} and {high}")
    where = placed("randint", device)
    size, dtype = shape_and_dtype("randint", (given["size"],), dtype, default=np.int64)
    return Tensor(move(source(generator).integers(low, high, size).astype(dtype, copy=False), where))


def randperm(n: int, *, generator: Any = None, dtype: Any = None, device: Any = None) -> Tensor:
    """0 to n - 1 in random order."""
    where = placed("randperm", device)
    _, dtype = shape_and_dtype("randperm", (n,), dtype, default=np.int64)
    return Tensor(move(source(generator).permutation(n).astype(dtype, copy=False), where))


def rand_like(input: Tensor, *, dtype: Any = None, **kwargs: Any) -> Tensor:
    """Uniform in [0, 1), in the shape and dtype of another Tensor."""
    return rand(input.shape, dtype=dtype or input.dtype, **beside(input, kwargs))


def randn_like(input: Tensor, *, dtype: Any = None, **kwargs: Any) -> Tensor:
    """Normal, in the shape and dtype of another Tensor."""
    return randn(input.shape, dtype=dtype or input.dtype, **beside(input, kwargs))


def randint_like(input: Tensor, *bounds: int, dtype: Any = None, **kwargs: Any) -> Tensor:
    """Integers in [low, high), in the shape and dtype of another Tensor."""
    return randint(*bounds, input.shape, dtype=dtype or input.dtype, **beside(input, kwargs))


def beside(input: Tensor, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments that put a new Tensor where another one is, unless they say where."""
    return kwargs if kwargs.get("device") is not None else {**kwargs, "device": input.device}


def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Any = None, device: Any = None
) -> Tensor:
    """Normal, with these means and standard deviations: numbers and a size, or Tensors."""
    if size is None:
        if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
            raise TypeError("normal: expected a size, or the mean or std as a Tensor")
        size = np.broadcast_shapes(*(x.shape for x in (mean, std) if isinstance(x, Tensor)))
    if not np.all((host(std.array) if isinstance(std, Tensor) else std) >= 0):
        raise RuntimeError(f"normal: expected a std of at least 0, got {std}")
    where = next((x.device for x in (mean, std) if isinstance(x, Tensor)), device)
    return (randn(size, generator=generator, device=where) * std + mean).detach()


def bernoulli(input: Tensor, *, generator: Any = None) -> Tensor:
    """1 with the probability that each element gives, else 0."""
    if not ((input.array >= 0) & (input.array <= 1)).all():
        raise RuntimeError("bernoulli: expected probabilities from 0 to 1")
    drawn = like(source(generator).random(input.shape), input.array)
    return Tensor((drawn < input.array).astype(kind("bernoulli", input.dtype)))


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None
) -> Tensor:
    """Indices drawn with the weights in a vector, or in each row of a matrix."""
    if input.ndim not in (1, 2) or not input.is_floating_point():
        raise RuntimeError(f"multinomial: expected a vector or matrix of weights, got shape {input.shape}")
    rows = np.atleast_2d(host(input.array)).astype(np.float64)
    if (rows < 0).any() or not np.isfinite(rows).all() or (rows.sum(axis=1) == 0).any():
        raise RuntimeError("multinomial: expected weights of at least 0, with a sum above 0")
    if not replacement and num_samples > (rows > 0).sum(axis=1).min():
        raise RuntimeError(f"multinomial: cannot draw {num_samples} different indices of {rows.shape[1]}")
    draw = source(generator).choice
    out = [draw(len(row), num_samples, replacement, row / row.sum()) for row in rows]
    return Tensor(like(np.array(out, np.int64).reshape(*input.shape[:-1], num_samples), input.array))


def floating(name: str, size: tuple, dtype: Any, named: Any) -> tuple[tuple[int, ...], Any]:
    """Sizes and a floating point dtype."""
    sizes, dtype = shape_and_dtype(name, size, dtype, named)
    if dtype.kind != "f":
        raise RuntimeError(f"{name}: expected a floating point dtype, got {dtype}")
    return sizes, dtype
