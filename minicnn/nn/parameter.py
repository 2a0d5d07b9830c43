"""The Tensors that training changes."""

from minicnn.tensor import Tensor


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

    def __init__(self, data: Tensor, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()
