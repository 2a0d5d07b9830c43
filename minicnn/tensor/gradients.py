"""A Tensor's place in the graph of operations, and its gradient; as methods of a Tensor."""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minicnn import autograd
from minicnn.device import check_same, device_of, host, move, placed, room
from minicnn.tape import looked
from minicnn.tensor.apply import Variable
from minicnn.tensor.conversion import Conversion

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor


class Handle:
    """What `register_hook` returns: ``remove()`` takes the hook away."""

    def __init__(self, hooks: list, hook: Callable) -> None:
        self.hooks, self.hook = hooks, hook

    def remove(self) -> None:
        """Call the hook no more."""
        if self.hook in self.hooks:
            self.hooks.remove(self.hook)


def restored(kind: type["Tensor"], array: Any, requires_grad: bool, where: str = "cpu") -> "Tensor":
    """A pickled Tensor again, where it was."""
    out = Variable.wrap(move(array, placed("unpickle", where)))
    out.__class__ = kind
    out.tracked = requires_grad
    return out


class Gradients(Conversion):
    """Methods about gradients."""

    __slots__ = ()

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded."""
        return self.tracked

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        """Record operations on this leaf from now on, or no longer."""
        if requires_grad and self.array.dtype.kind != "f":
            raise RuntimeError(
                f"requires_grad_: only floating point Tensors can require grad, not {self.array.dtype}"
            )
        if self.node is not None and not requires_grad:
            raise RuntimeError(
                "requires_grad_: a result of an operation cannot stop requiring grad; use detach()"
            )
        looked("changes requires_grad")
        self.tracked = bool(requires_grad)
        return self  # type: ignore[return-value]

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it."""
        return self.node is None

    @property
    def grad_fn(self) -> autograd.Function | None:
        """The operation that made it, if recorded."""
        return self.node

    @property
    def grad(self) -> "Tensor | None":
        """The gradient that `backward` has added up here, in the shape of the values."""
        return self._grad

    @grad.setter
    def grad(self, value: "Tensor | None") -> None:
        if value is not None:
            if not isinstance(value, Variable):
                raise TypeError(f"grad: expected a Tensor or None, got {type(value).__name__}")
            if value.array.shape != self.array.shape or value.array.dtype != self.array.dtype:
                raise RuntimeError(
                    f"grad: expected shape {self.array.shape} and dtype {self.array.dtype}, "
                    f"got {value.array.shape} and {value.array.dtype}"
                )
            check_same("grad", ("the Tensor", "its gradient"), (self.array, value.array))
        looked("sets a gradient")
        self._grad = value

    def __deepcopy__(self, memo: dict[int, Any]) -> "Tensor":
        if self.node is not None:
            raise RuntimeError("deepcopy: only leaves can be copied with their gradient; use detach() first")
        array = room("deepcopy", device_of(self.array), self.array.shape, self.array.dtype)
        array[...] = self.array
        out = Variable.wrap(array)
        out.__class__, out.tracked = type(self), self.tracked  # type: ignore[assignment]
        out._grad = copy.deepcopy(self._grad, memo)
        out.__dict__.update(copy.deepcopy(self.__dict__, memo))
        memo[id(self)] = out
        return out

    def __reduce__(self) -> tuple:  # for pickle: the values, without the graph and the gradient
        return restored, (type(self), host(self.array), self.tracked, str(self.device))

    def detach(self) -> "Tensor":
        """The same memory, outside the graph."""
        return Variable.wrap(self.array)

    def detach_(self) -> "Tensor":
        """Itself, taken out of the graph."""
        self.node, self.tracked = None, False
        return self  # type: ignore[return-value]

    def backward(
        self,
        gradient: "Tensor | None" = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
    ) -> None:
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
        autograd.backward(self, gradient, retain_graph, create_graph)

    def register_hook(self, hook: Callable[["Tensor"], "Tensor | None"]) -> Handle:
        """Call a function with the gradient of this Tensor in each backward; it may return another."""
        if not self.tracked:
            raise RuntimeError("register_hook: this Tensor does not require grad")
        looked("registers a hook")
        place: Any = self.node or self
        if not place.hooks:
            place.hooks = []

        def on_array(grad: Any) -> Any:
            changed = hook(Variable.wrap(grad))
            return None if changed is None else changed.array

        place.hooks.append(on_array)
        return Handle(place.hooks, on_array)

    def retain_grad(self) -> None:
        """Keep the gradient in ``.grad`` also if this is no leaf."""
        if not self.tracked:
            raise RuntimeError("retain_grad: this Tensor does not require grad")
        looked("keeps a gradient")
        if self.node is not None:
            self.node.keeper = self

    @property
    def retains_grad(self) -> bool:
        """Whether the gradient is kept although this is no leaf."""
        return self.node is not None and self.node.keeper is self
