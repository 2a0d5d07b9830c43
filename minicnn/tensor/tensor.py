"""The Tensor: an array, its gradient, and the operation that made it.

Its methods are told in the other files, each in a class that builds on the one before: `Variable` (apply.py),
Arithmetic, Elementwise, Special, Reduction, Shape, Pieces, Order, Products, InPlace, Conversion, Gradients.
"""

import math
from typing import Any

import numpy as np

from minicnn import ops, outside
from minicnn.device import as_array, device_of, host
from minicnn.tape import looked
from minicnn.tensor.apply import Variable, apply_view, results_are
from minicnn.tensor.arithmetic import category
from minicnn.tensor.gradients import Gradients
from minicnn.tensor.printing import text

# in the machine's byte order
DTYPES = ("float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")


class Size(tuple):
    """A shape."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements of a Tensor of this shape."""
        return math.prod(self)

    def __getitem__(self, index: Any) -> Any:
        part = tuple.__getitem__(self, index)
        return Size(part) if type(index) is slice else part

    def __add__(self, other: Any) -> "Size":
        return Size(tuple.__add__(self, other))

    def __repr__(self) -> str:
        return f"Size({list(self)})"

    def __format__(self, spec: str) -> str:
        return format(tuple.__repr__(self), spec)  # in sentences


class Tensor(Gradients):
    """Numbers in any number of dimensions, with their gradient.

    Parameters
    ----------
    array : array_like
        The values; an ndarray is taken without a copy and keeps its dtype, a list becomes float32.
    requires_grad : bool
        Whether operations on it are recorded, so that `backward` can reach it.

    As in PyTorch's older programs ``Tensor(2, 3)`` is a float32 Tensor of that shape with any values.
    """

    __slots__ = ()
    __array_priority__ = 1000  # ndarray + Tensor is Tensor.__radd__

    def __init__(self, array: Any = (), requires_grad: Any = False, *sizes: int) -> None:
        if type(array) is int:
            sizes = (array, *((requires_grad, *sizes) if type(requires_grad) is int else ()))
            if min(sizes) < 0:
                raise RuntimeError(f"Tensor: expected sizes of at least 0, got {sizes}")
            array, requires_grad = np.zeros(sizes, np.float32), False
        elif isinstance(array, list | tuple):
            array = np.array(array, np.float32)
        self.array = array.array if isinstance(array, Variable) else as_array(array)
        if self.array.dtype not in DTYPES:
            raise TypeError(f"Tensor: expected a dtype of {', '.join(DTYPES)}, got {self.array.dtype!r}")
        self._grad = self.node = self.origin = None
        self.tracked = False
        if requires_grad:
            self.requires_grad_()

    # what it is

    @property
    def shape(self) -> Size:
        """The size of each dimension."""
        return Size(self.array.shape)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    @property
    def dtype(self) -> np.dtype:
        """The type of the elements."""
        return self.array.dtype

    @property
    def data(self) -> "Tensor":
        """The same memory, without the graph."""
        return Variable.wrap(self.array)

    @data.setter
    def data(self, value: "Tensor") -> None:
        self.array = value.array

    @property
    def T(self) -> "Tensor":  # noqa: N802 (PyTorch's name)
        """The dimensions in reverse order."""
        return apply_view(ops.Permute, self, tuple(range(self.array.ndim))[::-1])

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension."""
        if dim is None:
            return Size(self.array.shape)
        try:
            return self.array.shape[dim]
        except IndexError:
            raise IndexError(f"size: dim {dim} is out of range for shape {self.array.shape}") from None

    def dim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self.array.size

    def is_floating_point(self) -> bool:
        """Whether the elements are floating point numbers."""
        return self.array.dtype.kind == "f"

    def element_size(self) -> int:
        """The number of bytes of an element."""
        return self.array.itemsize

    nelement, ndimension = numel, dim

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError("len: a Tensor without dimensions has no length")
        return len(self.array)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    # out of the Tensor

    def item(self) -> Any:
        """The one element as a Python number."""
        if self.array.size != 1:
            raise RuntimeError(f"item: expected one element, got shape {self.array.shape}")
        looked("reads a Tensor's number")
        return self.array.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return host(self.array).tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The elements as an array of NumPy's that shares the memory.

        With `force` also if this requires grad, or lives on a GPU; of that it is a copy.
        """
        if self.tracked and not force:
            raise RuntimeError("numpy: this Tensor requires grad; use detach().numpy()")
        if type(self.array) is not np.ndarray and not force:
            raise TypeError(
                f"numpy: can't convert {device_of(self.array)} device type tensor to numpy. "
                "Use Tensor.cpu() to copy the tensor to host memory first."
            )
        return host(self.array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __array_wrap__(self, array: np.ndarray, context: Any = None, return_scalar: bool = False) -> "Tensor":
        return Variable.wrap(array)  # so that np.exp(x) is a Tensor

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if category(self) == 2:
            raise TypeError(f"index: expected an integer Tensor, got {self.array.dtype}")
        return int(self.item())

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise RuntimeError(
                f"bool: the truth of shape {self.array.shape} is ambiguous; use any() or all()"
            )
        looked("asks for the truth of a Tensor")
        return bool(self.array.item())

    def __format__(self, spec: str) -> str:
        if not self.array.ndim:
            return format(self.item(), spec)
        if spec:
            raise TypeError(f"format: expected no dimensions for {spec!r}, got shape {self.array.shape}")
        return str(self)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not isinstance(vars(Tensor).get(name), outside.Absent)]

    def __repr__(self) -> str:
        notes = "" if type(self.array) is np.ndarray else f", device='{device_of(self.array)}'"
        if not self.array.size and self.array.ndim != 1:
            notes += f", size={self.array.shape}"
        if self.array.dtype not in (np.float32, np.int64, np.bool_):
            notes += f", dtype={self.array.dtype}"
        if self.node is not None:
            notes += f", grad_fn=<{self.node.name()}>"
        elif self.tracked:
            notes += ", requires_grad=True"
        return f"tensor({text(host(self.array)) if self.array.size else '[]'}{notes})"


results_are(Tensor)
outside.explain_class(Tensor)
