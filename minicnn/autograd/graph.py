"""The graph of operations, and the walk back through it.

An operation that gradients must pass leaves a node behind: the `Function` that computed it, with the arrays
its derivative needs. `walk` visits the nodes from the result to the leaves, each once and after all its
users. It is a loop with a stack of its own, so only memory limits the length of the graph.
"""

import weakref
from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from minicnn.autograd.modes import quiet
from minicnn.device import array_module, device_of, is_array, may_look
from minicnn.tape import looked

clock = [0]  # how often memory was written in place
_written: dict[int, tuple[int, weakref.ref]] = {}  # id of memory -> when it was written last, by the clock


def note_write(*arrays: Any) -> None:
    """Remember that the memory of arrays was written in place, for the graphs that were recorded before."""
    clock[0] += 1
    for array in arrays:
        memory = owner(array)
        key = id(memory)
        known = _written.get(key)
        _written[key] = (clock[0], known[1] if known else weakref.ref(memory, forget(key)))


def forget(key: int) -> Callable[[Any], Any]:
    """What is to be done when the memory with that id is gone."""
    return lambda _: _written.pop(key, None)


_ones: dict[Any, Any] = {}  # dtype, and the device if it is a GPU -> 1


def kind_of(x: Any) -> Any:
    """What arrays have in common that share their `one`."""
    return x.dtype if type(x) is np.ndarray else (device_of(x), x.dtype)


def one(x: Any) -> Any:
    """1, the gradient of a loss x by itself: the same array each time, so that nobody has to look at it.

    None is kept that belongs to a CUDA graph, as it would be 1 in its replays alone.
    """
    kind = kind_of(x)
    known = _ones.get(kind)
    if known is None:
        known = array_module(x).ones((), x.dtype)
        if may_look(x):
            _ones[kind] = known
    return known


def is_one(grad: Any) -> bool:
    """Whether a gradient is that one; if not, it may be 1 all the same."""
    return grad is _ones.get(kind_of(grad))


def owner(array: Any) -> Any:
    """The array whose memory this one shows."""
    return array.base if isinstance(array.base, type(array)) else array


class Function:
    """One operation and its derivative; a node of the graph once it has run.

    A subclass defines two methods on arrays::

        forward(*arrays, **settings) -> array       keeps on self what backward will need
        backward(grad) -> gradients                  one, or a tuple of them, in the order of the arrays;
                                                     None, or nothing at the end, where there is none

    A gradient may have the shape of the broadcast input: the engine sums it back. `backward` must not write
    into `grad` or return one of the arrays kept on self.

    Attributes
    ----------
    needs : sequence
        Known from before `forward` on: `needs[i]` is None if nobody wants the gradient of input i, else its
        target (the node that computed the input, or the leaf) and its shape.
    time : int
        What the clock of in-place writes said when the operation ran.
    knows_one : bool
        Whether backward asks `is_one` and then has nothing to multiply.
    """

    __slots__ = ("__dict__", "needs", "time")

    silent = False  # whether NumPy has nothing to warn of in `forward`: it is kernels that compute
    knows_one = False
    hooks: Sequence[Callable] = ()  # called with the gradient of the result; may give another
    keeper: Any = None  # the result, if it is to keep its gradient
    needs: Any
    time: int

    def forward(self, *arrays: Any, **settings: Any) -> Any:
        raise NotImplementedError

    def backward(self, grad: Any) -> Any:
        raise NotImplementedError

    @classmethod
    def apply(cls, *inputs: Any) -> Any:
        """Run a function that a user has written on Tensors, as PyTorch's users write them.

        Such a subclass has ``forward(ctx, *inputs)`` and ``backward(ctx, grad)`` as static methods; `ctx` has
        ``save_for_backward(*tensors)``, ``saved_tensors`` and ``needs_input_grad``.
        """
        from minicnn.autograd.custom import run

        return run(cls, *inputs)

    def input_gradients(self, grad: Any, retain_graph: bool) -> list[tuple[Any, Any]]:
        """Run backward: pairs of a target (node or leaf) and its gradient in the input's own shape.

        Then let go of the kept arrays and of the graph below, unless it is retained.
        """
        self.check()
        gradients = self.backward(grad)
        if not isinstance(gradients, tuple):
            gradients = (gradients,)
        pairs = []
        for need, g in zip(self.needs, gradients, strict=False):
            if need is not None and g is not None:
                target, shape = need
                pairs.append((target, g if g.shape == shape else unbroadcast(g, shape, self.name())))
        if not retain_graph:
            self.free()
        return pairs

    def free(self) -> None:
        """Let go of the kept arrays and of the graph below."""
        self.needs = None
        self.__dict__.clear()

    def check(self) -> None:
        """Raise RuntimeError unless what backward needs is still there."""
        if self.needs is None:
            raise RuntimeError(self.freed())
        if self.time != clock[0]:
            self._check_kept()

    def freed(self) -> str:
        """What to say when backward comes for the second time."""
        return (
            f"backward: the graph through {self.name()} was freed by an earlier backward; "
            "call the first one with retain_graph=True, or run the forward pass again"
        )

    def _check_kept(self) -> None:
        for kept in vars(self).values():
            if is_array(kept) and _written.get(id(owner(kept)), (0,))[0] > self.time:
                raise RuntimeError(
                    f"backward: an array that {self.name()} needs for its gradient was modified by an "
                    "in-place operation after the forward pass; write into a clone() of it instead"
                )

    def name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<{self.name()}>"


def unbroadcast(grad: Any, shape: tuple[int, ...], name: str) -> Any:
    """Sum the gradient of a broadcast array back to the array's shape."""
    extra = grad.ndim - len(shape)
    kept = grad.shape[extra:]
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, kept, strict=True)):
        raise RuntimeError(f"{name}.backward: gradient has shape {grad.shape}, its input has {shape}")
    stretched = (extra + i for i, (n, m) in enumerate(zip(shape, kept, strict=True)) if n != m)
    return grad.sum(axis=(*range(extra), *stretched)).reshape(shape)


@quiet
def walk(roots: list[tuple[Any, Any]], receive: Callable[..., None], retain_graph: bool) -> None:
    """Visit the graph from pairs of a node or leaf and its gradient on.

    ``receive(target, grad, own)`` gets each node and leaf with its whole gradient, and whether that array is
    nobody else's.

    Raises
    ------
    RuntimeError
        If a part of the graph was freed before, or an array it needs was overwritten.
    """
    looked("calls backward")
    waiting: dict[Any, list] = {}  # target -> its gradient so far, and whether we may write into that array
    for root, grad in roots:
        add(waiting, root, grad, False)
    for target in order([root for root, _ in roots]):
        grad, own = waiting.pop(target, (None, False))
        if grad is None:
            continue
        if type(grad) is not np.ndarray:
            grad = array_module(grad).asarray(grad)  # NumPy's 0-d arithmetic gives scalars
        for hook in target.hooks:
            changed = hook(grad)
            if changed is not None:
                grad, own = changed, False
        receive(target, grad, own)
        if not isinstance(target, Function):
            continue
        pairs = target.input_gradients(grad, retain_graph)
        distinct = len(pairs) == 1 or len({id(g) for _, g in pairs}) == len(pairs)
        for below, g in pairs:
            add(waiting, below, g, distinct and g is not grad and alone(g))  # made for it alone?


def alone(g: Any) -> bool:
    """Whether nobody else refers to the memory of an array, be it a kernel's result in another shape."""
    if g.base is None:
        return True
    whole = type(g.base) is type(g) and g.base.base is None and g.base.nbytes == g.nbytes
    return whole and g.flags.c_contiguous and getrefcount(g.base) == 2  # g and the question


def add(waiting: dict[Any, list], target: Any, grad: Any, own: bool) -> None:
    """Add a gradient to what waits for a target."""
    if target not in waiting:
        waiting[target] = [grad, own]
    elif waiting[target][1]:
        waiting[target][0] += grad
    else:
        waiting[target] = [waiting[target][0] + grad, True]


def order(roots: list[Any]) -> list[Any]:
    """Nodes and leaves from the roots on, each after all its users."""
    done: list[Any] = []
    leaves: list[Any] = []  # use nothing, so all of them may come last
    seen = set()
    stack = [(root, False) for root in roots]
    while stack:
        target, below_done = stack.pop()
        if below_done:
            done.append(target)
        elif target not in seen:
            seen.add(target)
            stack.append((target, True))
            for need in (target.needs if isinstance(target, Function) else None) or ():
                if need is None or need[0] in seen:
                    continue
                if isinstance(need[0], Function):
                    stack.append((need[0], False))
                else:
                    seen.add(need[0])
                    leaves.append(need[0])
    return done[::-1] + leaves
