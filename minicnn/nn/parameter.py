"""The Tensors that training changes."""

from typing import Any

from minicnn.device import check_device
from minicnn.tensor import Tensor, empty


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


def blank(layer: str, *shape: int, device: Any = None, dtype: Any = None) -> Parameter:
    """A Parameter of any values, for a layer to draw its first ones."""
    check_device(layer, device)
    return Parameter(empty(*shape, dtype=dtype, device=device))
