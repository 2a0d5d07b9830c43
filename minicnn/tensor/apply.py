"""From Tensors to arrays and back: how an operation runs, and how it enters the graph."""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from minicnn.autograd import Function, is_grad_enabled, quiet

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor


class Variable:
    """What a Tensor holds, apart from its methods.

    Attributes
    ----------
    array : numpy.ndarray
        The values.
    grad : Tensor or None
        The gradient that `backward` has added up here, in the shape of the values.
    requires_grad : bool
        Whether operations on it are recorded.
    node : Function or None
        The operation that computed it; None for a leaf.
    writes : list
        [number of in-place writes, the memory], shared by all views of the same memory, so that `backward`
        notices when an array it needs was changed.
    """

    __slots__ = ("__dict__", "__weakref__", "array", "grad", "node", "requires_grad", "writes")

    kind: ClassVar[type["Tensor"]]  # Tensor, which is defined above this module
    array: np.ndarray
    grad: "Tensor | None"
    requires_grad: bool
    node: Function | None
    writes: list

    @staticmethod
    def wrap(array: Any, writes: list | None = None) -> "Tensor":
        """A Tensor of these values, without copying them; `writes` is that of the Tensor it is a view of."""
        kind = Variable.kind
        out = kind.__new__(kind)
        out.array = array if isinstance(array, np.ndarray) else np.asarray(array)
        out.grad = None
        out.requires_grad = False
        out.node = None
        out.writes = [0, None] if writes is None else writes
        return out

    def note_write(self) -> None:
        """Count a write into the memory; for whoever writes into `array` itself."""
        base = self.array.base
        self.writes[0] += 1
        self.writes[1] = base if isinstance(base, np.ndarray) else self.array


def apply(function: type[Function], *inputs: Any, **settings: Any) -> "Tensor":
    """Run an operation on Tensors, plain numbers and None, and record it where a gradient will be wanted.

    Parameters
    ----------
    function : subclass of Function
        The operation.
    *inputs : Tensor, number or None
        What `forward` gets, Tensors as their arrays.
    **settings
        Passed on to `forward`.
    """
    node = function()
    arrays, needs = [], []
    for x in inputs:
        if isinstance(x, Variable):
            arrays.append(x.array)
            needs.append(x.requires_grad)
        else:
            arrays.append(x)
            needs.append(False)
    if True in needs and not is_grad_enabled():
        needs = [False] * len(needs)
    node.needs = needs
    if node.is_view:
        out = Variable.wrap(node.forward(*arrays, **settings))
        if shares_memory(out.array, arrays[0]):
            out.writes = inputs[0].writes
    else:
        out = Variable.wrap(compute(node, arrays, settings))
    if True in needs and out.array.dtype.kind == "f":
        out.requires_grad = True
        out.node = node
        node.link(inputs, out)
    return out


@quiet
def compute(node: Function, arrays: list, settings: dict[str, Any]) -> Any:
    """Run forward."""
    return node.forward(*arrays, **settings)


def shares_memory(out: np.ndarray, x: np.ndarray) -> bool:
    """Whether the result of reshaping or slicing lies in the memory of x; a reshape may have had to copy."""
    return out.base is x or (out.base is not None and out.base is x.base)
