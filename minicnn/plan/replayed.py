"""The way back through a replayed plan: one node of the graph, or one for each of several outputs."""

import ctypes
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn.autograd import Function, clock
from minicnn.autograd.graph import unbroadcast
from minicnn.device import telling
from minicnn.plan.step import Slot
from minicnn.tensor import Tensor

if TYPE_CHECKING:
    from minicnn.plan.plan import Plan


Do = Callable[[Callable, Sequence[Any], dict[str, Any]], Any]


def walk_back(
    plan: "Plan",
    nodes: list[Any],
    arrived: list[tuple[Slot, Any]],
    freed: Callable[[], str],
    do: Do | None = None,
) -> list[tuple[Any, bool]]:
    """Walk back through the steps as the engine would through their nodes, which are taken from the list.

    do(backward, (gradient,), {}), if given, calls each node's `backward`. The result is each leaf's gradient
    or None, and whether its memory is nobody else's.
    """
    waiting: list[Any] = [None] * len(plan.blank)
    own = [False] * len(waiting)  # whether we may write into a gradient
    kernels = telling("cpu.join")
    for slot, grad in arrived:
        waiting[slot] = grad if waiting[slot] is None else waiting[slot] + grad
    for number, out, needs in plan.backward:
        grad, waiting[out] = waiting[out], None
        if grad is None:
            continue
        node, nodes[number] = nodes[number], None
        if node is None:
            raise RuntimeError(freed())
        grad = grad if type(grad) is np.ndarray else np.asarray(grad)
        gradients = node.backward(grad) if do is None else do(node.backward, (grad,), {})
        if type(gradients) is not tuple:
            gradients = (gradients,)
        pairs = [
            (to, g if g.shape == shape else kernels.again(unbroadcast, g, shape, node.name()))
            for (to, shape), g in zip(needs, gradients, strict=False)
            if to is not None and g is not None
        ]
        distinct = len(pairs) == 1 or len({id(g) for _, g in pairs}) == len(pairs)
        for to, g in pairs:
            if waiting[to] is None:
                planned = do is not None and isinstance(g.base, ctypes.Array)  # its memory is a block's
                waiting[to], own[to] = g, distinct and (g.base is None or planned) and g is not grad
            else:
                waiting[to], own[to] = kernels.added(waiting[to], g, own[to]), True
    return [(waiting[slot], own[slot]) for slot, _, _ in plan.leaves]


class Replayed(Function):
    """The node of a compiled call. Its inputs are those arguments and parameters that want gradients."""

    def __init__(self, plan: "Plan", nodes: list[Any], given: Sequence[Tensor]) -> None:
        self.plan, self.nodes = plan, nodes
        self.arrived: list[tuple[Slot, Any]] = []  # the gradients of several outputs
        leaves = [given[x] if isinstance(x, int) else x for _, x, _ in plan.leaves]
        self.needs = [(x.node or x, shape) for x, (_, _, shape) in zip(leaves, plan.leaves, strict=True)]
        self.time, self.knows_one = clock[0], plan.knows_one

    def input_gradients(self, grad: Any, retain_graph: bool) -> list[tuple[Any, Any]]:
        """Those of the arguments and parameters, in memory of their own."""
        self.check()
        arrived, self.arrived = self.arrived or [(self.plan.tracked[0], grad)], []
        gradients = self.gradients(arrived, retain_graph)
        found = [(need[0], g) for need, g in zip(self.needs, gradients, strict=True) if g is not None]
        if not retain_graph and len(self.plan.tracked) == 1:  # else the other outputs may go other ways
            self.free()
        return found

    def gradients(self, arrived: list[tuple[Slot, Any]], retain_graph: bool) -> list[Any]:
        """Those of the plan's leaves; None where there is none."""
        nodes = self.nodes.copy() if retain_graph else self.nodes
        found = walk_back(self.plan, nodes, arrived, self.freed)
        return [g if own or g is None else g.copy() for g, own in found]

    def _check_kept(self) -> None:
        for node in filter(None, self.nodes):
            node.time = self.time
            node._check_kept()

    def name(self) -> str:
        return "Compiled"


class Part(Function):
    """One of several outputs: it brings its gradient to the node of the call."""

    def __init__(self, whole: Replayed, slot: Slot) -> None:
        self.whole, self.slot = whole, slot
        self.needs, self.time = [(whole, ())], clock[0]

    def input_gradients(self, grad: Any, retain_graph: bool) -> list[tuple[Any, Any]]:
        self.check()
        whole = self.whole
        whole.arrived.append((self.slot, grad))
        if not retain_graph:
            self.free()
        return [(whole, np.zeros(()))]  # the engine adds up gradients of one shape

    def name(self) -> str:
        return "Compiled"
