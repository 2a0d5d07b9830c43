"""A plan replayed by few calls each way: its kernels' are recorded, and done again on the same memory.

Memory is planned by recording: what later steps need has memory of its own, which the next replays fill anew,
and the rest shares some blocks (kernels/cpu/memory.py). So only one replay can be under way; another one in
between, as in a GAN, goes step by step. Large arguments are read where they lie, unless others need them.
What the program gets is its own: copies of the results, and gradients in memory that nobody else has. How
calls are recorded is told in kernels/cpu/graph.py; steps that are NumPy's are done again by Python, between
the kernels.
"""

import functools
import sys
import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn import ops
from minicnn.autograd import IGNORED, errors, is_one, note_write
from minicnn.backends import cpu
from minicnn.device import kernels_for, telling
from minicnn.ops.activation import Activation
from minicnn.plan.fused import (
    Dense,
    FoldedConv2d,
    FusedAdd,
    FusedBatchNorm,
    PooledConv2d,
    ScaledChannels,
)
from minicnn.plan.interleaved_pool import (
    InterleavedAdaptiveAvgPool2d,
    InterleavedAvgPool2d,
    InterleavedMaxPool2d,
)
from minicnn.plan.interleaving import Interleave, InterleavedConv2d, Separate
from minicnn.plan.replayed import Replayed, walk_back
from minicnn.plan.step import Apart, Slot, filled, slots_in
from minicnn.random import generator
from minicnn.tensor import Tensor

if TYPE_CHECKING:
    from minicnn.plan.plan import Plan

# what kernels do, and nothing of NumPy's that a recording would not know of
BY_KERNELS = {
    Dense, FoldedConv2d, FusedAdd, FusedBatchNorm, Interleave, InterleavedAdaptiveAvgPool2d,
    InterleavedAvgPool2d, InterleavedConv2d, InterleavedMaxPool2d, PooledConv2d, Separate,
    ops.AdaptiveAvgPool2d, ops.AdaptiveMaxPool2d, ops.AvgPool2d, ops.Concatenate, ops.Conv2d,
    ops.CrossEntropy, ops.MaxPool2d, ops.ReLU,
}  # fmt: skip
# what NumPy does, on few numbers or without a copy
BY_NUMPY = {
    ScaledChannels, ops.Add, ops.Dropout, ops.Expand, ops.Mean, ops.Pad, ops.Permute, ops.Reshape, ops.Slice,
}  # fmt: skip
MOST = 1 << 30  # bytes that all plans may keep from step to step
LARGE = 1 << 15  # bytes of an argument that is not sooner copied than moved
NOTHING = np.empty(0)
TRIES = 4  # recordings, each for other parameters' arrays


class Captured:
    """The recorded calls of a plan, which is given each time: it has this, so this does not have it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tries = 0
        self.forward: Any = None  # Graphs
        self.backward: Any = None
        self.references: list[int] = []  # how often each gradient is referred to when nobody has it
        self.last: Any = lambda: None  # the node of the last replay, as long as somebody has it

    def __call__(self, plan: "Plan", given: Sequence[Tensor]) -> Any:
        """The plan's outputs; None if the plan has to go step by step."""
        if not self.lock.acquire(blocking=False):
            return None
        try:
            if self.under_way() or kernels_for(NOTHING) is not telling("cpu"):
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
        telling("cpu.memory").return_freed_memory()
        with telling("cpu.graph").Graph() as graph:
            values, self.nodes = plan.run(self.inputs, noted)
        self.outs = {slot: values[slot] for slot in slots_in(plan.outputs)}
        parameters = [x.array for _, x in plan.tensors]
        known = (
            graph.repeatable and graph.blocks.planned() <= MOST and all(x.flags.carray for x in parameters)
        )
        if not known or self.tries > TRIES:
            plan.captured = None
            return plan.wrapped(values, self.nodes, given)
        graph.finish()
        self.forward, self.winograd, self.parameters = graph, cpu.winograd, parameters
        self.moving = moving(plan)
        self.draws = any(step.function is ops.Dropout for step in plan.steps)
        del values
        graph.forget(self.inputs)
        # where large arguments stand, to which nobody else refers, such as a node: others are copied
        (alone,), counts = count_references([np.empty(0)]), count_references(self.inputs)
        self.entries = [
            graph.places(x) if count == alone and x.nbytes >= LARGE else None
            for x, count in zip(self.inputs, counts, strict=True)
        ]
        return self.wrapped(plan, given)

    def replay(self, plan: "Plan", given: Sequence[Tensor]) -> Any:
        """All steps in one call."""
        for own, entry, argument in zip(self.inputs, self.entries, given, strict=True):
            if entry is not None and argument.array.flags.carray:
                self.forward.move(entry, argument.array)
                continue
            own[...] = argument.array
            if entry is not None:
                self.forward.move(entry, own)
        before = [x.copy() for x in self.moving] if self.forward.flags else []
        drawn = generator().bit_generator.state if self.forward.flags and self.draws else None
        token = errors.set(IGNORED)
        try:
            done = self.forward.replay()
        finally:
            errors.reset(token)
        note_write(*self.moving)
        if done:
            return self.wrapped(plan, given)
        for x, kept in zip(self.moving, before, strict=False):
            x[...] = kept
        if drawn is not None:
            generator().bit_generator.state = drawn
        return None

    def wrapped(self, plan: "Plan", given: Sequence[Tensor]) -> Any:
        """The outputs, and where gradients go from the one that has any."""
        node = None
        if plan.tracked:
            node = CapturedCall(self, plan, given)
            self.last = weakref.ref(node)

        def tensor(slot: Slot) -> Tensor:
            return Tensor.wrap(self.outs[slot].copy(), None if type(slot) is Apart else node)

        return filled(plan.outputs, tensor)

    def gradients(self, plan: "Plan", grad: np.ndarray) -> list[Any] | None:
        """Those of the leaves; None if the backward pass has to go step by step."""
        if self.backward is False or (plan.knows_one and not is_one(grad)):
            return None
        if self.backward is None:
            return self.record_backward(plan, grad)
        if not plan.knows_one:
            self.grad[...] = grad
        self.leave_to_others()
        return self.given() if self.backward.replay() else None

    def given(self) -> list[Any]:
        """The gradients that were found, for the program."""
        return [x if own or x is None else x.copy() for x, own in zip(self.found, self.own, strict=True)]

    def leave_to_others(self) -> None:
        """New arrays for those gradients that somebody still has from the last time."""
        now = zip(count_references(self.found), self.references, self.own, strict=True)
        taken = [i for i, (count, alone, own) in enumerate(now) if own and count > alone]
        for i in taken:
            self.found[i] = np.empty_like(self.found[i])
            self.backward.move(self.places[i], self.found[i])
        if taken:
            self.references = count_references(self.found)

    def record_backward(self, plan: "Plan", grad: np.ndarray) -> list[Any] | None:
        """As `record`."""
        self.grad = grad if plan.knows_one else np.array(grad, order="C")
        with telling("cpu.graph").Graph(self.forward.blocks) as graph:
            found = walk_back(plan, self.nodes.copy(), [(plan.tracked[0], self.grad)], str, noted)
        self.found = [x for x, _ in found]
        self.own = [own and x.base is None for x, own in found]
        del found
        self.backward = False
        if graph.repeatable and graph.blocks.planned() <= MOST:
            graph.finish()
            graph.forget(self.found)  # which may become the program's
            self.backward, self.places = (
                graph,
                [graph.places(x) if x is not None else None for x in self.found],
            )
            self.references = count_references(self.found)
        return self.given()


def count_references(arrays: list[Any]) -> list[int]:
    """How often each array is referred to."""
    return [sys.getrefcount(x) for x in arrays]


def noted(function: Any, args: Sequence[Any], settings: dict[str, Any]) -> Any:
    """function(*args, **settings), the forward or backward pass of a node, as a recording can know it."""
    again = telling("cpu.graph").again
    if type(function.__self__) in BY_KERNELS or isinstance(function.__self__, Activation):
        args = [
            again(np.ndarray.copy, x) if type(x) is np.ndarray and not x.flags.carray else x for x in args
        ]
        return function(*args, **settings)
    return again(functools.partial(function, **settings), *args)


def moving(plan: "Plan") -> list[np.ndarray]:
    """The running statistics that change at each step."""
    steps = [step for step in plan.steps if step.settings.get("batch")]
    slots = {slot for step in steps for slot in slots_in(step.settings["running"])}
    return [x.array for slot, x in plan.tensors if slot in slots]


class CapturedCall(Replayed):
    """The node of a captured call, whose backward pass is a single call, too."""

    def __init__(self, captured: Captured, plan: "Plan", given: Sequence[Tensor]) -> None:
        super().__init__(plan, captured.nodes.copy(), given)
        self.captured = captured

    def gradients(self, arrived: list[tuple[Slot, Any]], retain_graph: bool) -> list[Any]:
        found = self.captured.gradients(self.plan, arrived[0][1])
        return super().gradients(arrived, retain_graph) if found is None else found


def fits(plan: "Plan") -> bool:
    """Whether the results come from steps that are known, and gradients through one of them at most."""
    known = BY_KERNELS | BY_NUMPY
    made = {step.out for step in plan.steps}
    outputs = [*slots_in(plan.outputs)]
    # their backward passes are recorded for the gradient 1, which is that of a loss alone
    losses = [step for step in plan.steps if step.function.knows_one]
    return (
        len(outputs) > 0
        and all(type(slot) in (Slot, Apart) and slot in made for slot in outputs)
        and all(step.function in known or issubclass(step.function, Activation) for step in plan.steps)
        and len(plan.tracked) <= 1
        and all(step.out in plan.tracked for step in losses if plan.tracked)
    )
