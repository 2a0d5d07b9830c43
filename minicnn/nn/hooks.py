"""Functions that are called before and after a module's forward, and after its backward."""

from collections.abc import Callable
from itertools import count
from typing import Any, Self

from minicnn.autograd import Function, is_grad_enabled
from minicnn.tensor import Tensor
from minicnn.tensor.apply import apply_view

numbers = count()


class Handle:
    """What registering a hook returns: ``remove()`` takes the hook away, as does the end of a with block."""

    def __init__(self, hooks: "dict[int, Any]", key: int) -> None:
        self.hooks, self.id = hooks, key

    def remove(self) -> None:
        """Take the hook away."""
        self.hooks.pop(self.id, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


class Row(dict[int, tuple[Callable, bool]]):
    """Hooks in the order of their calls, and whether each is given the named arguments."""

    def add(self, hook: Callable, first: bool, with_kwargs: bool) -> Handle:
        """Put a hook at the end, or first."""
        if not callable(hook):
            raise TypeError(f"register hook: expected a function, got {type(hook).__name__}")
        key = next(numbers)
        others = dict(self)
        if first:
            self.clear()
        self[key] = (hook, with_kwargs)
        if first:
            self.update(others)
        return Handle(self, key)


class Hooks:
    """The hooks of one module, and how it is called with them."""

    def __init__(self) -> None:
        self.before, self.after, self.backward = Row(), Row(), Row()

    def call(self, module: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run the hooks and, between them, forward."""
        for hook, with_kwargs in tuple(self.before.values()):
            if with_kwargs:
                changed = hook(module, args, kwargs)
                if changed is not None:
                    args, kwargs = changed
            else:
                changed = hook(module, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
        watch = Watch(module, self.backward) if self.backward and is_grad_enabled() else None
        if watch:
            args = watch.inputs(args)
        output = module.forward(*args, **kwargs)
        for hook, with_kwargs in tuple(self.after.values()):
            changed = hook(module, args, kwargs, output) if with_kwargs else hook(module, args, output)
            output = output if changed is None else changed
        return watch.outputs(output) if watch else output


class Watch:
    """The gradients at one call's outputs and inputs, and the hooks that wait for them.

    An operation that changes nothing, `Tap`, stands at each input and each output; backward passes those at
    the outputs first, and the hooks are called when it has passed all at the inputs.
    """

    def __init__(self, module: Any, hooks: Row) -> None:
        self.module, self.hooks = module, hooks
        self.grad_input: list[Tensor | None] = []
        self.grad_output: list[Tensor | None] = []
        self.waiting: set[int] = set()  # inputs whose gradient has not come yet

    def inputs(self, args: tuple) -> tuple:
        """The positional arguments, those that require grad behind a tap."""
        self.grad_input = [None] * len(args)
        self.waiting = {i for i, x in enumerate(args) if isinstance(x, Tensor) and x.requires_grad}
        return tuple(
            self.tap(self.input_gradient, i, x) if i in self.waiting else x for i, x in enumerate(args)
        )

    def outputs(self, output: Any) -> Any:
        """The output or outputs, those that require grad behind a tap."""
        parts = output if isinstance(output, tuple | list) else [output]
        self.grad_output = [None] * len(parts)
        parts = [
            self.tap(self.output_gradient, i, y) if isinstance(y, Tensor) and y.requires_grad else y
            for i, y in enumerate(parts)
        ]
        return type(output)(parts) if isinstance(output, tuple | list) else parts[0]

    def tap(self, seen: Callable, i: int, x: Tensor) -> Tensor:
        """The same Tensor; `seen` gets its number and gradient, and may give another."""
        return apply_view(Tap, x, lambda grad: seen(i, grad))

    def output_gradient(self, i: int, grad: Tensor) -> None:
        self.grad_output[i] = grad
        if not self.waiting:
            self.fire()

    def input_gradient(self, i: int, grad: Tensor) -> Tensor | None:
        self.grad_input[i] = grad
        self.waiting.discard(i)
        if not self.waiting:
            self.fire()
        return self.grad_input[i]

    def fire(self) -> None:
        """Call the hooks; what they return becomes grad_input."""
        for hook, _ in tuple(self.hooks.values()):
            changed = hook(self.module, tuple(self.grad_input), tuple(self.grad_output))
            if changed is None:
                continue
            row = list(changed) if isinstance(changed, tuple | list) else [changed]
            if len(row) != len(self.grad_input):
                raise RuntimeError(
                    f"backward hook: expected {len(self.grad_input)} gradients of inputs, got {len(row)}"
                )
            if len(row) > 1:
                raise NotImplementedError(
                    "backward hook: gradients can be changed for one input only, not several"
                )
            self.grad_input = row


class Tap(Function):
    """x itself; a function sees its gradient, and may give another."""

    def forward(self, x: Any, seen: Callable[[Tensor], Tensor | None]) -> Any:
        self.seen = seen
        return x[...]

    def backward(self, grad: Any) -> Any:
        changed = self.seen(Tensor(grad))
        return grad if changed is None else changed.array
