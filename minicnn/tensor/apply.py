"""From Tensors to arrays and back: how an operation runs, and how it enters the graph."""

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import ref

from numpy import ndarray

from minicnn.autograd import IGNORED, Function, clock, errors, recording
from minicnn.device import CPU, as_array, check_same, device_of, words
from minicnn.ops.shape import Move
from minicnn.tape import listeners, tell

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor


new = object.__new__


class Variable:
    """What a Tensor holds, apart from its methods.

    Attributes
    ----------
    array : numpy.ndarray or cupy.ndarray
        The values.
    tracked : bool
        Whether operations on it are recorded: what `requires_grad` says.
    node : Function or None
        The operation that computed it; None for a leaf.
    origin : tuple or None
        For a view: the Function that made it, the Tensor it shows, and how.
    """

    __slots__ = ("__dict__", "__weakref__", "_grad", "array", "node", "origin", "tracked")

    hooks: Sequence[Callable] = ()  # on a leaf: called with its gradient; may give another
    kind: ClassVar[type["Tensor"]]  # Tensor
    array: Any
    _grad: "Tensor | None"
    tracked: bool
    node: Function | None
    origin: "tuple[type[Function], Variable, Any] | None"

    @staticmethod
    def wrap(array: Any, node: Function | None = None) -> "Tensor":
        """A Tensor of these values, without copying them, and the recorded operation that computed it."""
        out = new(kind)
        out.array = array if type(array) is ndarray else as_array(array)
        out._grad = out.origin = None
        out.node = node
        out.tracked = node is not None
        return out


wrap = Variable.wrap
kind: Any = None  # the class of results, a look-up less


def results_are(tensor: "type[Tensor]") -> None:
    """Tell this module of Tensor, which is defined above it."""
    global kind
    kind = Variable.kind = tensor


NOBODY = (None, None)  # wants the gradient of the one operand or of the other


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
    node, arrays, needs, recorded = function(), [], [], False
    recording_now, place = recording.get(), None
    for x in inputs:
        need = None
        if isinstance(x, Variable):
            array = x.array
            if type(array) is not place:
                if place is not None:
                    return apply(function, *together(function, inputs), **settings)
                place = type(array)
            arrays.append(array)
            if x.tracked and recording_now:
                need, recorded = (x.node or x, array.shape), True
        else:
            arrays.append(x)
        needs.append(need)
    node.needs, node.time = needs, clock[0]
    before = errors.set(IGNORED)
    try:
        out = wrap(node.forward(*arrays, **settings))
    finally:
        errors.reset(before)
    if recorded and out.array.dtype.kind == "f":
        out.tracked, out.node = True, node
    if listeners:
        tell(node, inputs, settings, out)
    return out


# What follows is `apply` for the small operations there are most of. Without its loops, with one setting at
# most, `how`, and with `wrap` written out, they take half the time.


def apply_to_one(function: type[Function], x: Variable, how: Any = None) -> "Tensor":
    """`apply` for one Tensor, whose result is of the same kind: ``forward(array)``, or with `how`."""
    node = function()
    if x.tracked and recording.get():
        node.time, node.needs = clock[0], ((x.node or x, x.array.shape), None)
        recorded = node
    else:
        node.needs, recorded = NOBODY, None
    if function.silent:
        array = node.forward(x.array) if how is None else node.forward(x.array, how)
    else:
        before = errors.set(IGNORED)
        try:
            array = node.forward(x.array) if how is None else node.forward(x.array, how)
        finally:
            errors.reset(before)
    out = new(kind)
    out.array = array if type(array) is ndarray else as_array(array)
    out._grad = out.origin = None
    out.node = recorded
    out.tracked = recorded is not None
    if listeners:
        tell(node, (x,) if how is None else (x, how), {}, out)
    return out


def apply_to_two(function: type[Function], x: Variable, y: Variable) -> "Tensor":
    """`apply` for two Tensors, with a result of the same kind of numbers."""
    if type(x.array) is not type(y.array):
        x, y = together(function, (x, y))
    node = function()
    if (x.tracked or y.tracked) and recording.get():
        node.time = clock[0]
        node.needs = (
            (x.node or x, x.array.shape) if x.tracked else None,
            (y.node or y, y.array.shape) if y.tracked else None,
        )
        recorded = node
    else:
        node.needs, recorded = NOBODY, None
    if function.silent:
        array = node.forward(x.array, y.array)
    else:
        before = errors.set(IGNORED)
        try:
            array = node.forward(x.array, y.array)
        finally:
            errors.reset(before)
    out = new(kind)
    out.array = array if type(array) is ndarray else as_array(array)
    out._grad = out.origin = None
    out.node = recorded
    out.tracked = recorded is not None
    if listeners:
        tell(node, (x, y), {}, out)
    return out


def apply_to_many(function: type[Function], tensors: "Sequence[Tensor]", how: Any) -> "Tensor":
    """`apply` for Tensors of one dtype: ``forward(arrays, how)``."""
    node = function()
    node.needs, recorded = NOBODY, None
    if recording.get():
        for x in tensors:
            if x.tracked:
                node.time, recorded = clock[0], node
                node.needs = [(x.node or x, x.array.shape) if x.tracked else None for x in tensors]
                break
    try:
        out = wrap(node.forward([x.array for x in tensors], how), recorded)
    except TypeError:
        check_same(
            words(function.__name__), map("tensors[{}]".format, range(len(tensors))), arrays_of(tensors)
        )
        raise
    if listeners:
        tell(node, (tensors, how), {}, out)
    return out


def apply_view(function: type[Function], x: Variable, how: Any) -> "Tensor":
    """`apply` for an operation whose result shows the memory of x in another way: ``forward(array, how)``.

    The result knows where it comes from, so that a write into it, when recorded, is one into x; and x knows
    its views, so that they see what is written into it.
    """
    node, source = function(), x.array
    out = new(kind)
    out.array = array = node.forward(source, how)
    out._grad = out.node = out.origin = None
    out.tracked = False
    if recording.get():
        if array.base is source or shares_memory(array, source):
            out.origin = (function, x, how)
        if x.tracked:
            node.time, node.needs = clock[0], ((x.node or x, source.shape),)
            out.tracked, out.node = True, node
            if x.node is not None:  # a leaf is not written
                x.__dict__.setdefault("views", []).append(ref(out))
    if listeners:
        tell(node, (x, how), {}, out)
    return out


def shares_memory(out: Any, x: Any) -> bool:
    """Whether the result of reshaping or slicing lies in the memory of x; a reshape may have had to copy."""
    return out.base is x or (out.base is not None and out.base is x.base) or out is x


def together(function: Any, inputs: Sequence[Any]) -> list[Any]:
    """Inputs of different devices on one: a CPU Tensor without dimensions goes to the GPU of the others.

    Raises
    ------
    RuntimeError
        An input of more than one number is elsewhere; `function` gives its name, and the inputs theirs.
    """
    where = next(device_of(x.array) for x in inputs if isinstance(x, Variable) and device_of(x.array) != CPU)
    moved = [
        apply_to_one(Move, x, where) if isinstance(x, Variable) and not x.array.ndim else x for x in inputs
    ]
    roles = inspect.signature(getattr(function, "forward", lambda self, x, y: None)).parameters
    check_same(words(function.__name__), [*roles][1:], arrays_of(moved))
    return moved


def arrays_of(inputs: Sequence[Any]) -> list[Any]:
    """The arrays of Tensors; whatever else there is as it is."""
    return [x.array if isinstance(x, Variable) else x for x in inputs]
