"""New Tensors: from data, constant, and random."""

from typing import Any

import numpy as np

from minicnn.autograd import quiet
from minicnn.random import generator
from minicnn.tensor.arithmetic import DEFAULT
from minicnn.tensor.shape import sizes
from minicnn.tensor.tensor import Tensor


@quiet
def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A Tensor with a copy of the data. Python floats become float32, arrays keep their dtype."""
    if isinstance(data, Tensor):
        array = np.array(data.array, dtype)
    elif isinstance(data, np.ndarray | np.generic):
        array = np.array(data, dtype)
    else:
        if isinstance(data, list | tuple):
            data = plain(data)
        array = np.array(data)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"tensor: expected numbers in equal rows, got {data!r:.80}")
        array = array.astype(dtype or (DEFAULT if array.dtype == np.float64 else array.dtype), copy=False)
    return Tensor(array, requires_grad)


def plain(data: Any) -> Any:
    """Nested sequences with Tensors inside turned into numbers and lists."""
    if isinstance(data, list | tuple):
        rows = [plain(x) for x in data]
        lengths = {len(row) if isinstance(row, list) else None for row in rows}
        if len(lengths) > 1:
            raise ValueError(f"tensor: expected rows of equal length, got {sorted(str(n) for n in lengths)}")
        return rows
    return data.tolist() if isinstance(data, Tensor) else data


def from_numpy(array: np.ndarray) -> Tensor:
    """A Tensor that shares the array's memory."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected an ndarray, got {type(array).__name__}")
    return Tensor(array)


def zeros(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """All zero."""
    return Tensor(np.zeros(shape("zeros", size), dtype or DEFAULT), requires_grad)


def ones(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """All one."""
    return Tensor(np.ones(shape("ones", size), dtype or DEFAULT), requires_grad)


def empty(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Whatever was in the memory."""
    return Tensor(np.empty(shape("empty", size), dtype or DEFAULT), requires_grad)


def full(size: Any, fill_value: float, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """All `fill_value`."""
    default = (
        np.bool_ if isinstance(fill_value, bool) else np.int64 if isinstance(fill_value, int) else DEFAULT
    )
    return Tensor(np.full(shape("full", (size,)), fill_value, dtype or default), requires_grad)


def zeros_like(input: Tensor, dtype: Any = None) -> Tensor:
    """All zero, in the shape and dtype of another Tensor."""
    return Tensor(np.zeros(input.shape, dtype or input.dtype))


def ones_like(input: Tensor, dtype: Any = None) -> Tensor:
    """All one, in the shape and dtype of another Tensor."""
    return Tensor(np.ones(input.shape, dtype or input.dtype))


def arange(start: float, end: float | None = None, step: float = 1, *, dtype: Any = None) -> Tensor:
    """The numbers from start (0 if only `end` is given) up to, without, end."""
    start, end = (0, start) if end is None else (start, end)
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: steps of {step} do not lead from {start} to {end}")
    whole = all(isinstance(n, int | np.integer) for n in (start, end, step))
    return Tensor(np.arange(start, end, step, dtype=dtype or (np.int64 if whole else DEFAULT)))


def rand(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform in [0, 1)."""
    return Tensor(generator().random(shape("rand", size), dtype or DEFAULT), requires_grad)


def randn(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Normal, mean 0, variance 1."""
    return Tensor(generator().standard_normal(shape("randn", size), dtype or DEFAULT), requires_grad)


def randint(low: int, high: int, size: Any, *, dtype: Any = None) -> Tensor:
    """Integers in [low, high)."""
    if low >= high:
        raise RuntimeError(f"randint: expected low < high, got {low} and {high}")
    return Tensor(generator().integers(low, high, shape("randint", (size,)), dtype or np.int64))


def randperm(n: int) -> Tensor:
    """0 to n - 1 in random order."""
    return Tensor(generator().permutation(n))


def shape(name: str, size: tuple) -> tuple[int, ...]:
    """Sizes given as ints or as one sequence, none of them negative."""
    out = sizes(size)
    if any(n < 0 for n in out):
        raise RuntimeError(f"{name}: expected sizes of at least 0, got {out}")
    return out
