"""The graph of operations, and the walk back through it.

An operation that gradients must pass leaves a node behind: the `Function` that computed it, with the arrays
its derivative needs. `backward` visits the nodes from the result to the leaves, each once and after all its
users. It is a loop with a stack of its own, so only memory limits the length of the graph.
"""

import functools
import inspect
from collections.abc import Iterator, Sequence
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from typing import Any

import numpy as np

from minicnn.device import array_module

_recording: ContextVar[bool] = ContextVar("recording", default=True)
quiet = np.errstate(all="ignore")  # a decorator: as in PyTorch, log(0), 1 / 0 and overflow warn nobody


def is_grad_enabled() -> bool:
    """Whether operations are recorded now."""
    return _recording.get()


class set_grad_enabled(ContextDecorator):  # noqa: N801 (PyTorch's name)
    """Record operations, or not, from here on; as a ``with`` block or a decorator, inside it only."""

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)
        self.tokens: list[Token[bool]] = [_recording.set(self.mode)]

    def _recreate_cm(self) -> "set_grad_enabled":  # called by a decorated function, before each call
        return set_grad_enabled(self.mode)

    def __call__(self, function: Any) -> Any:
        _recording.reset(self.tokens.pop())  # a decorator acts during the calls, not where it stands
        return super().__call__(function)

    def __enter__(self) -> None:
        if not self.tokens:
            self.tokens.append(_recording.set(self.mode))

    def __exit__(self, *error: object) -> None:
        _recording.reset(self.tokens.pop())


class _Mode(ContextDecorator):
    mode: bool

    def __call__(self, function: Any) -> Any:
        if not inspect.isgeneratorfunction(function):
            return super().__call__(function)

        @functools.wraps(function)
        def steps(*args: Any, **kwargs: Any) -> Iterator[Any]:
            """Run the generator in this mode, but not the loop that it feeds."""
            generator, sent = function(*args, **kwargs), None
            while True:
                with self._recreate_cm():
                    try:
                        value = generator.send(sent)
                    except StopIteration as stop:
                        return stop.value
                sent = yield value

        return steps

    def __new__(cls, function: Any = None) -> Any:
        return super().__new__(cls) if function is None else cls()(function)  # a decorator without brackets

    def __init__(self) -> None:
        self.tokens: list[Token[bool]] = []

    def _recreate_cm(self) -> "_Mode":  # a decorated function may call itself
        return type(self)()

    def __enter__(self) -> None:
        self.tokens.append(_recording.set(self.mode))

    def __exit__(self, *error: object) -> None:
        _recording.reset(self.tokens.pop())


class no_grad(_Mode):  # noqa: N801 (PyTorch's name)
    """Do not record operations inside: ``with mc.no_grad():`` or ``@mc.no_grad()``."""

    mode = False


class enable_grad(_Mode):  # noqa: N801 (PyTorch's name)
    """Record operations inside, also within `no_grad`."""

    mode = True


class inference_mode(_Mode):  # noqa: N801 (PyTorch's name)
    """As `no_grad`: do not record operations inside; ``inference_mode(False)`` records them."""

    def __new__(cls, mode: Any = True) -> Any:
        return cls()(mode) if callable(mode) else object.__new__(cls)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.mode = not mode

    def _recreate_cm(self) -> "inference_mode":
        return inference_mode(not self.mode)


class Function:
    """One operation and its derivative; a node of the graph once it has run.

    A subclass defines two methods on arrays::

        forward(*arrays, **settings) -> array       keeps on self what backward will need
        backward(grad) -> gradients                  one, or a tuple of them, in the order of the arrays;
                                                     None, or nothing at the end, where there is none

    `needs[i]` tells, from before `forward` on, whether the gradient of input i is wanted. A gradient may have
    the shape of the broadcast input: the engine sums it back. `backward` must not write into `grad` or return
    one of the arrays kept on self.
    """

    __slots__ = ("__dict__", "edges", "needs", "writes")

    is_view = False  # whether the result may share the memory of the first input
    needs: list[bool]
    edges: "list[tuple[Any, tuple[int, ...]] | None] | None"
    writes: list[tuple[list, int]]

    def forward(self, *arrays: Any, **settings: Any) -> Any:
        raise NotImplementedError

    def backward(self, grad: Any) -> Any:
        raise NotImplementedError

    def link(self, inputs: Sequence[Any], output: Any) -> None:
        """Become a node: remember where each gradient goes, and the state of the memory backward may read."""
        self.edges = []
        self.writes = [(output.writes, output.writes[0])]
        for x, needed in zip(inputs, self.needs, strict=True):
            self.edges.append((x.node or x, x.array.shape) if needed else None)
            if hasattr(x, "writes"):
                self.writes.append((x.writes, x.writes[0]))

    def input_gradients(self, grad: Any) -> list[tuple[Any, Any]]:
        """Run backward: pairs of a target (node or leaf) and its gradient in the input's own shape."""
        if self.edges is None:
            raise RuntimeError(
                f"backward: the graph through {self.name()} was freed by an earlier backward; "
                "call the first one with retain_graph=True, or run the forward pass again"
            )
        for write, before in self.writes:
            if write[0] != before:
                self._check_kept(write[1])
        gradients = self.backward(grad)
        if not isinstance(gradients, tuple):
            gradients = (gradients,)
        pairs = []
        for edge, g in zip(self.edges, gradients, strict=False):
            if edge is not None and g is not None:
                target, shape = edge
                if g.shape != shape:
                    g = unbroadcast(g, shape, self.name())
                pairs.append((target, g))
        return pairs

    def free(self) -> None:
        """Let go of the kept arrays and of the graph below."""
        self.edges = None
        self.writes = []
        self.__dict__.clear()

    def _check_kept(self, written: Any) -> None:
        arrays = (kept for kept in vars(self).values() if isinstance(kept, np.ndarray))
        if any(np.may_share_memory(kept, written) for kept in arrays):
            raise RuntimeError(
                f"backward: an array that {self.name()} needs for its gradient was modified by an in-place "
                "operation after the forward pass; write into a clone() of it instead"
            )

    def name(self) -> str:
        return type(self).__name__


def unbroadcast(grad: Any, shape: tuple[int, ...], name: str) -> Any:
    """Sum the gradient of a broadcast array back to the array's shape."""
    extra = grad.ndim - len(shape)
    kept = grad.shape[extra:]
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, kept, strict=True)):
        raise RuntimeError(f"{name}.backward: gradient has shape {grad.shape}, its input has {shape}")
    stretched = (extra + i for i, (n, m) in enumerate(zip(shape, kept, strict=True)) if n != m)
    return grad.sum(axis=(*range(extra), *stretched)).reshape(shape)


@quiet
def backward(root: Any, grad: Any, retain_graph: bool = False) -> None:
    """Add the gradient of `root` to ``.grad`` of every leaf it was computed from.

    Parameters
    ----------
    root : Function or leaf Tensor
        Where to start.
    grad : array
        The gradient at `root`, in its shape.
    retain_graph : bool
        Keep the graph for another backward.

    Raises
    ------
    RuntimeError
        If a part of the graph was freed before, or an array it needs was overwritten.
    """
    waiting = {root: [grad, False]}  # node -> its gradient so far, and whether we may write into that array
    for node in order(root):
        grad, own = waiting.pop(node, (None, False))
        if grad is None:
            continue
        grad = array_module(grad).asarray(grad)  # NumPy's 0-d arithmetic gives scalars
        if not isinstance(node, Function):
            accumulate(node, grad if own else grad.copy())
            continue
        pairs = node.input_gradients(grad)
        distinct = len({id(g) for _, g in pairs}) == len(pairs)
        for target, g in pairs:
            fresh = distinct and g.base is None and g is not grad  # made for this input alone
            if target not in waiting:
                waiting[target] = [g, fresh]
            elif waiting[target][1]:
                waiting[target][0] += g
            else:
                waiting[target] = [waiting[target][0] + g, True]
        if not retain_graph:
            node.free()


def order(root: Any) -> list[Any]:
    """Nodes and leaves from the root on, each after all its users."""
    done: list[Any] = []
    seen = set()
    stack = [(root, False)]
    while stack:
        node, below_done = stack.pop()
        if below_done:
            done.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            edges = node.edges if isinstance(node, Function) else None
            stack.extend((edge[0], False) for edge in edges or () if edge is not None and edge[0] not in seen)
    return done[::-1]


def accumulate(leaf: Any, grad: Any) -> None:
    """Add to leaf.grad; the first gradient becomes it."""
    if not leaf.requires_grad:
        return  # frozen since the forward pass
    if leaf.grad is None:
        leaf.grad = leaf.wrap(grad)
    else:
        leaf.grad.array += grad
        leaf.grad.note_write()
