"""The Tensor: an array, its gradient, and the operation that made it."""

from typing import Any

import numpy as np

from minicnn import autograd, ops
from minicnn.tensor.apply import Variable, apply
from minicnn.tensor.arithmetic import cast, category
from minicnn.tensor.elementwise import Elementwise
from minicnn.tensor.inplace import InPlace
from minicnn.tensor.printing import text
from minicnn.tensor.reduction import Reduction
from minicnn.tensor.shape import Shape

# in the machine's byte order
DTYPES = ("float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")


class Tensor(InPlace, Elementwise, Reduction, Shape):
    """Numbers in any number of dimensions, with their gradient.

    Parameters
    ----------
    array : array_like
        The values; an ndarray is taken without a copy and keeps its dtype, Python floats become float32.
    requires_grad : bool
        Whether operations on it are recorded, so that `backward` can reach it.
    """

    __slots__ = ()
    __array_priority__ = 1000  # ndarray + Tensor is Tensor.__radd__

    def __init__(self, array: Any, requires_grad: bool = False) -> None:
        self.array = array.array if isinstance(array, Variable) else np.asarray(array)
        if self.array.dtype == np.float64 and not isinstance(array, np.ndarray | np.generic | Variable):
            self.array = self.array.astype(np.float32)  # Python's numbers have no precision of their own
        if self.array.dtype not in DTYPES:
            raise TypeError(f"Tensor: expected a dtype of {', '.join(DTYPES)}, got {self.array.dtype!r}")
        self.grad = None
        self.node = None
        self.writes = array.writes if isinstance(array, Variable) else [0, None]
        self.requires_grad = False
        if requires_grad:
            self.requires_grad_()

    # what it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each dimension."""
        return self.array.shape

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    @property
    def dtype(self) -> np.dtype:
        """The type of the elements."""
        return self.array.dtype

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it."""
        return self.node is None

    @property
    def grad_fn(self) -> autograd.Function | None:
        """The operation that made it, if recorded."""
        return self.node

    @property
    def data(self) -> "Tensor":
        """The same memory, without the graph."""
        return Variable.wrap(self.array)

    @data.setter
    def data(self, value: "Tensor") -> None:
        self.array, self.writes = value.array, value.writes

    @property
    def T(self) -> "Tensor":  # noqa: N802 (PyTorch's name)
        """The dimensions in reverse order."""
        return apply(ops.Permute, self, axes=tuple(range(self.array.ndim))[::-1])

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension."""
        if dim is None:
            return self.array.shape
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
        return self.array.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self.array.tolist()

    def numpy(self) -> np.ndarray:
        """The elements as an array that shares the memory."""
        if self.requires_grad:
            raise RuntimeError("numpy: this Tensor requires grad; use detach().numpy()")
        return self.array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

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
        return bool(self.array.item())

    def __format__(self, spec: str) -> str:
        if spec and self.array.ndim:
            raise TypeError(f"format: expected no dimensions for {spec!r}, got shape {self.array.shape}")
        return format(self.item(), spec) if spec else str(self)

    def __repr__(self) -> str:
        notes = f", size={self.array.shape}" if not self.array.size and self.array.ndim != 1 else ""
        if self.array.dtype not in (np.float32, np.int64, np.bool_):
            notes += f", dtype={self.array.dtype}"
        if self.node is not None:
            notes += f", grad_fn=<{self.node.name()}>"
        elif self.requires_grad:
            notes += ", requires_grad=True"
        return f"tensor({text(self.array) if self.array.size else '[]'}{notes})"

    # the graph

    def detach(self) -> "Tensor":
        """The same memory, outside the graph."""
        return Variable.wrap(self.array, self.writes)

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        """Record operations on this leaf from now on, or no longer."""
        if requires_grad and category(self) < 2:
            raise RuntimeError(
                f"requires_grad_: only floating point Tensors can require grad, not {self.array.dtype}"
            )
        if self.node is not None and not requires_grad:
            raise RuntimeError(
                "requires_grad_: a result of an operation cannot stop requiring grad; use detach()"
            )
        self.requires_grad = requires_grad
        return self

    def backward(self, gradient: "Tensor | None" = None, retain_graph: bool = False) -> None:
        """Add the gradient of this Tensor to ``.grad`` of every leaf it was computed from.

        Parameters
        ----------
        gradient : Tensor, optional
            The gradient at this Tensor, in its shape; 1 if it has one element.
        retain_graph : bool
            Keep the graph, for another backward through it.

        Raises
        ------
        RuntimeError
            If it does not require grad, has several elements and no `gradient`, or its graph was freed.
        """
        if not self.requires_grad:
            raise RuntimeError(
                "backward: this Tensor does not require grad, and neither does what it was computed from"
            )
        if gradient is None:
            if self.array.size != 1:
                raise RuntimeError(
                    f"backward: expected one element or a gradient, got shape {self.array.shape}"
                )
            grad = np.ones_like(self.array)
        else:
            grad = np.asarray(
                gradient.array if isinstance(gradient, Variable) else gradient, self.array.dtype
            )
            if grad.shape != self.array.shape:
                raise RuntimeError(
                    f"backward: gradient has shape {grad.shape}, the Tensor {self.array.shape}"
                )
        autograd.backward(self.node or self, grad, retain_graph)

    # dtypes

    def to(self, dtype: Any) -> "Tensor":
        """The same values in another dtype; itself if it has it already."""
        if isinstance(dtype, str) and dtype == "cpu":
            return self
        return cast(self, np.dtype(dtype))

    def type(self, dtype: Any) -> "Tensor":
        """The same values in another dtype, as `to`."""
        return self.to(dtype)

    def type_as(self, other: "Tensor") -> "Tensor":
        """The same values in the dtype of another Tensor."""
        return self.to(other.dtype)

    def float(self) -> "Tensor":
        """The same values as float32."""
        return self.to(np.float32)

    def double(self) -> "Tensor":
        """The same values as float64."""
        return self.to(np.float64)

    def long(self) -> "Tensor":
        """The same values as int64."""
        return self.to(np.int64)

    def int(self) -> "Tensor":
        """The same values as int32."""
        return self.to(np.int32)

    def bool(self) -> "Tensor":
        """Whether each element is not zero."""
        return self.to(np.bool_)

    def cpu(self) -> "Tensor":
        """Itself: it is on the CPU."""
        return self


Variable.kind = Tensor
