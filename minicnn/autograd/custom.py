"""Functions that users write on Tensors, in PyTorch's form. Tensors come from the floor above."""

from typing import Any

from minicnn.autograd.graph import Function, clock
from minicnn.autograd.modes import is_grad_enabled, no_grad
from minicnn.tape import listeners


class Context(Function):
    """The node of a user's function: what its static methods get as `ctx`."""

    saved_tensors: tuple[Any, ...] = ()

    def __init__(self, kind: type[Function], inputs: tuple[Any, ...]) -> None:
        self.kind, self.first = kind, next((x for x in inputs if is_tensor(x)), None)
        self.needs_input_grad = tuple(is_tensor(x) and x.requires_grad for x in inputs)
        self.time = clock[0]
        self.needs = [
            (x.node or x, x.array.shape) if need else None
            for x, need in zip(inputs, self.needs_input_grad, strict=True)
        ]

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep Tensors for backward, where they are `saved_tensors`."""
        self.saved_tensors = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Accepted for PyTorch's sake: integers and truth values have no gradient here anyway."""

    def backward(self, grad: Any) -> tuple[Any, ...]:
        with no_grad():
            gradients = self.kind.backward(self, self.first.wrap(grad))  # type: ignore[union-attr]
        if not isinstance(gradients, tuple):
            gradients = (gradients,)
        if len(gradients) != len(self.needs):
            raise RuntimeError(
                f"{self.name()}.backward: expected {len(self.needs)} gradients, got {len(gradients)}"
            )
        return tuple(g.array if is_tensor(g) else g for g in gradients)

    def name(self) -> str:
        return self.kind.__name__


def is_tensor(x: Any) -> bool:
    return hasattr(x, "node")


def run(kind: type[Function], *inputs: Any) -> Any:
    """What ``kind.forward(ctx, *inputs)`` returns, recorded with ``kind.backward`` as its derivative."""
    for listener in listeners:
        return listener.custom(kind, inputs)
    return computed(kind, inputs)


def computed(kind: type[Function], inputs: tuple[Any, ...]) -> Any:
    """`run`, where nobody listens."""
    ctx = Context(kind, inputs)
    with no_grad():
        if hasattr(kind, "setup_context"):
            out = kind.forward(*inputs)
            kind.setup_context(ctx, inputs, out)
        else:
            out = kind.forward(ctx, *inputs)
    if not is_tensor(out):
        raise NotImplementedError(
            f"{kind.__name__}: expected one Tensor from forward, got {type(out).__name__}"
        )
    if any(ctx.needs_input_grad) and is_grad_enabled() and out.array.dtype.kind == "f":
        out = out.wrap(out.array)  # a new Tensor, should it be one of the inputs
        out.tracked, out.node = True, ctx
    return out
