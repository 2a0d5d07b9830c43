"""The Tensors that training changes, and those whose shape the first input of a layer will tell."""

from typing import Any, ClassVar, Self

import numpy as np

from minicnn.device import check_device
from minicnn.tensor import Tensor, empty

HELD: Any = Tensor.array  # the attribute of all Tensors


class Parameter(Tensor):
    """A Tensor that a `Module` counts among its parameters once it is one of its attributes.

    Parameters
    ----------
    data : Tensor or array
        The values; their memory is shared, not copied.
    requires_grad : bool
        Whether gradients reach it.
    """

    __slots__ = ()

    def __init__(self, data: Any = (), requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Uninitialized(Tensor):
    """Base of the two below: a Tensor without a shape and values, which `materialize` gives it.

    It can be converted to another dtype, copied, saved and loaded; other uses raise ValueError.
    """

    __slots__ = ()
    cls_to_become: ClassVar[type[Tensor]]

    def __init__(self, requires_grad: bool = False, device: Any = None, dtype: Any = None) -> None:
        check_device(type(self).__name__, device)
        self.data = empty(0, dtype=dtype)
        self._grad = self.node = self.origin = None
        self.tracked = requires_grad

    @property  # in the place of the attribute, which holds no values yet
    def array(self) -> np.ndarray:
        raise ValueError(
            f"{type(self).__name__}: it has no values before the first forward pass of its layer; "
            "call the model on a batch first"
        )

    @array.setter
    def array(self, value: np.ndarray) -> None:
        HELD.__set__(self, value)

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            f"{type(self).__name__}: it has no shape before the first forward pass of its layer; "
            "call the model on a batch first"
        )

    @property
    def dtype(self) -> np.dtype:
        return self.data.dtype

    @property
    def data(self) -> Tensor:
        """An empty Tensor."""
        return Tensor(HELD.__get__(self))

    @data.setter
    def data(self, value: Tensor) -> None:
        HELD.__set__(self, value.array)

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become a Parameter, or a Tensor, of this shape and any values."""
        check_device("materialize", device)
        self.data = empty(tuple(shape), dtype=self.dtype if dtype is None else dtype)
        self.__class__ = self.cls_to_become  # type: ignore[assignment]

    def copy_(self, src: Tensor, non_blocking: bool = False) -> Self:
        """Take over the shape and the values of another Tensor, which may have none either."""
        if not is_lazy(src):
            self.materialize(src.shape)
            self.copy_(src)
        return self

    def detach(self) -> Self:
        """Itself: there is nothing to share yet."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        memo[id(self)] = out = type(self)(self.tracked, dtype=self.dtype)
        return out

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(Uninitialized, Parameter):
    """A Parameter whose shape is not known yet: that of a lazy layer before its first forward pass."""

    __slots__ = ()
    cls_to_become = Parameter

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(requires_grad, device, dtype)


class UninitializedBuffer(Uninitialized):
    """A buffer whose shape is not known yet."""

    __slots__ = ()
    cls_to_become = Tensor


def is_lazy(param: Any) -> bool:
    """Whether its shape is not known yet."""
    return isinstance(param, Uninitialized)


def blank(layer: str, *shape: int, device: Any = None, dtype: Any = None) -> Parameter:
    """A Parameter of any values, for a layer to draw its first ones."""
    check_device(layer, device)
    return Parameter(empty(*shape, dtype=dtype, device=device))
