"""A plan replayed by one call each way: its kernels' calls are recorded, and done again on the same memory.

Memory is planned by keeping it: each value of the recorded replay has an array of its own, which the next
replays fill anew. So only one can be under way; another one in between, as in a GAN, goes step by step. What
the program gets is its own: a copy of the result, and gradients in memory that nobody else has. How calls are
recorded is told in kernels/cpu/graph.py.
"""

import sys
import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn import ops
from minicnn.backends import cpu
from minicnn.device import telling
from minicnn.plan.fused import Dense
from minicnn.plan.interleaving import Interleave, InterleavedConv2d, Separate
from minicnn.plan.replayed import Replayed, walk_back
from minicnn.plan.step import Slot
from minicnn.tensor import Tensor

if TYPE_CHECKING:
    from minicnn.plan.plan import Plan

WHOLLY_KERNELS = (Interleave, InterleavedConv2d, Separate, ops.Reshape, Dense)  # and nothing of NumPy's
MOST = 64 << 20  # bytes; a plan that works on more spends its time in kernels, not between them
TRIES = 4  # recordings, each for other parameters' arrays


class Captured:
    """The recorded calls of a plan, which is given each time: it has this, so this does not have it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tries = 0
        self.forward: Any = None  # Graphs
        self.backward: Any = None
        self.references: list[int] = []
        self.last: Any = lambda: None  # the node of the last replay, as long as somebody has it

    def __call__(self, plan: "Plan", given: Sequence[Tensor]) -> Tensor | None:
        """The plan's result; None if the plan has to go step by step."""
        if not self.lock.acquire(blocking=False):
            return None
        try:
            if self.under_way():
                return None
            if self.forward is not None and self.holds(plan):
                return self.replay(plan, given)
            return self.record(plan, given)
        finally:
            self.lock.release()

    def under_way(self) -> bool:
        """Whether a backward pass can still come that needs the memory."""
        node = self.last()
        return node is not None and node.needs is not None

    def holds(self, plan: "Plan") -> bool:
        """Whether all is as it was recorded for, but the arguments."""
        same = all(x.array is array for (_, x), array in zip(plan.tensors, self.parameters, strict=True))
        return same and cpu.winograd == self.winograd

    def record(self, plan: "Plan", given: Sequence[Tensor]) -> Any:
        """Go step by step, and have a graph of it for the next time if one can do it."""
        self.forward = self.backward = None
        self.tries += 1
        self.inputs = [x.array.copy() for x in given]
        with telling("cpu.graph").Graph() as graph:
            values, self.nodes = plan.run(self.inputs)
        self.out = values[plan.outputs]
        parameters = [x.array for _, x in plan.tensors]
        known = graph.repeatable and graph.nbytes <= MOST and all(x.flags.carray for x in parameters)
        if not known or self.tries > TRIES:
            plan.captured = None
            return plan.wrapped(values, self.nodes, given)
        graph.finish()
        self.forward, self.winograd, self.parameters = graph, cpu.winograd, parameters
        return self.wrapped(plan, given)

    def replay(self, plan: "Plan", given: Sequence[Tensor]) -> Any:
        """All steps in one call."""
        for own, x in zip(self.inputs, given, strict=True):
            own[...] = x.array
        return self.wrapped(plan, given) if self.forward.replay() else None

    def wrapped(self, plan: "Plan", given: Sequence[Tensor]) -> Tensor:
        """The result, and where gradients go from it."""
        if not plan.tracked:
            return Tensor.wrap(self.out.copy())
        node = CapturedCall(self, plan, given)
        self.last = weakref.ref(node)
        return Tensor.wrap(self.out.copy(), node)

    def gradients(self, plan: "Plan", grad: np.ndarray) -> list[Any] | None:
        """Those of the leaves; None if the backward pass has to go step by step."""
        if self.backward is None:
            return self.record_backward(plan, grad)
        if self.backward is False:
            return None
        self.grad[...] = grad
        self.leave_to_others()
        return self.found if self.backward.replay() else None

    def leave_to_others(self) -> None:
        """New arrays for those gradients that somebody still has from the last time."""
        now = zip(self.count_references(), self.references, strict=True)
        taken = [i for i, (count, alone) in enumerate(now) if count > alone]
        for i in taken:
            self.found[i] = np.empty_like(self.found[i])
            self.backward.move(self.places[i], self.found[i])
        if taken:
            self.references = self.count_references()

    def count_references(self) -> list[int]:
        """How often each gradient is referred to when nobody has it."""
        return [sys.getrefcount(x) for x in self.found]

    def record_backward(self, plan: "Plan", grad: np.ndarray) -> list[Any] | None:
        """As `record`."""
        self.grad = np.array(grad, order="C")
        with telling("cpu.graph").Graph() as graph:
            found = walk_back(plan, self.nodes.copy(), [(plan.outputs, self.grad)], str)
        self.found = [x for x, _ in found]
        del found
        self.backward, alone = False, all(x.base is None and x is not self.grad for x in self.found)
        if graph.repeatable and graph.nbytes <= MOST and alone:
            graph.finish()
            self.backward, self.places = graph, [graph.places(x) for x in self.found]
            self.references = self.count_references()
        return [x.copy() for x in self.found]


class CapturedCall(Replayed):
    """The node of a captured call, whose backward pass is a single call, too."""

    def __init__(self, captured: Captured, plan: "Plan", given: Sequence[Tensor]) -> None:
        super().__init__(plan, captured.nodes.copy(), given)
        self.captured = captured

    def gradients(self, arrived: list[tuple[Slot, Any]], retain_graph: bool) -> list[Any]:
        found = self.captured.gradients(self.plan, arrived[0][1])
        return super().gradients(arrived, retain_graph) if found is None else found


def fits(plan: "Plan") -> bool:
    """Whether kernels do all of a plan: one result, no value read twice, and steps that are known."""
    gone = [to for step in plan.backward for to, _ in step[2] if to is not None]
    return (
        type(plan.outputs) is Slot
        and all(step.function in WHOLLY_KERNELS for step in plan.steps)
        and len(set(gone)) == len(gone)
        and plan.tracked in ([], [plan.outputs])
        and plan.outputs == plan.steps[-1].out
    )
