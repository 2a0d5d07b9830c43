"""A recorded function, repeated in a plain loop over arrays. The way back is in replayed.py."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn.autograd import IGNORED, errors
from minicnn.plan.captured import Captured, fits
from minicnn.plan.fusion import fuse
from minicnn.plan.interleaving import backward_with, interleave
from minicnn.plan.replayed import Do, Part, Replayed
from minicnn.plan.step import Same, Slot, Step, filled, slots_in
from minicnn.tensor import Tensor


class Plan:
    """The steps of a function for arguments of one kind.

    Parameters
    ----------
    steps : list of Step
        In the order of the forward pass.
    backward : list of Step
        Those that gradients pass, in the order of the backward pass.
    origins : list
        For each Slot the place of an argument, a Tensor, or None for the result of a step.
    shapes : list of tuple of int
        Of each value.
    outputs : nested tuples, lists and dicts
        With a Slot for each Tensor; `Same` for one that goes in and out, `Apart` for one without gradient.
    """

    def __init__(
        self,
        steps: list[Step],
        backward: list[Step],
        origins: list[Any],
        shapes: list[tuple[int, ...]],
        outputs: Any,
    ) -> None:
        self.gains = len(steps) > 1  # one operation is as fast without a plan
        self.steps = steps = fuse(interleave(steps, shapes, origins, outputs), shapes, outputs)
        self.outputs = outputs
        self.used = 0  # the number of the call that repeated it last
        self.arguments = [(slot, x) for slot, x in enumerate(origins) if isinstance(x, int)]
        self.tensors = [(slot, x) for slot, x in enumerate(origins) if isinstance(x, Tensor)]
        self.blank: list[Any] = [None] * len(shapes)  # values before a replay: constants, and nothing
        sources = {Slot(i): x for i, x in enumerate(origins) if x is not None}
        kept = {*sources, *slots_in(outputs)}
        last = {slot: step.out for step in steps for slot in (step.out, *step.reads())}
        self.forward = [
            (
                step,
                *self.call(step),
                [slot for slot, end in last.items() if end == step.out and slot not in kept],
            )
            for step in steps
        ]
        number = {step.out: i for i, step in enumerate(steps)}
        backward = backward_with(steps, backward)
        self.backward = [
            (number[step.out], step.out, [(to, () if to is None else shapes[to]) for to in step.needs])
            for step in backward
        ]
        wanted = sorted({to for step in backward for to in step.needs if to in sources})
        self.leaves = [(slot, sources[slot], shapes[slot]) for slot in wanted]
        passed = {step.out for step in backward}
        self.inputs = sources  # for outputs that are inputs
        self.tracked = [slot for slot in slots_in(outputs) if type(slot) is Slot and slot in passed]
        self.knows_one = any(step.function.knows_one for step in steps if step.out in self.tracked)
        self.captured = Captured() if fits(self) else None

    def call(self, step: Step) -> tuple[tuple, list[int] | None, bool]:
        """How a step is called: `needs`, the places of its arguments, whether its settings have Slots.

        A constant gets a place of its own. None: an argument has Slots inside, as `cat` has.
        """
        needs = tuple(None if to is None else True for to in step.needs)
        if any(not isinstance(x, Slot) and any(True for _ in slots_in(x)) for x in step.args):
            return needs, None, True
        places = []
        for x in step.args:
            places.append(x if isinstance(x, Slot) else len(self.blank))
            if not isinstance(x, Slot):
                self.blank.append(x)
        return needs, places, any(True for _ in slots_in(step.settings))

    def __call__(self, given: Sequence[Tensor]) -> Any:
        """The outputs for these arguments."""
        out = None if self.captured is None else self.captured(self, given)
        return self.wrapped(*self.run([x.array for x in given]), given) if out is None else out

    def run(self, given: Sequence[Any], do: Do | None = None) -> tuple[list[Any], list[Any]]:
        """Step by step: all values that outputs may be, and a node for each step, None without gradient.

        do(forward, args, settings), if given, calls each step's `forward`.
        """
        values = self.blank.copy()
        for slot, place in self.arguments:
            values[slot] = given[place]
        for slot, tensor in self.tensors:
            values[slot] = tensor.array
        find = values.__getitem__
        nodes: list[Any] = []
        before = errors.set(IGNORED)
        try:
            for step, needs, places, inner, done in self.forward:
                node = step.function()
                node.needs = needs
                args = filled(step.args, find) if places is None else [values[i] for i in places]
                settings = filled(step.settings, find) if inner else step.settings
                out = node.forward(*args, **settings) if do is None else do(node.forward, args, settings)
                values[step.out] = out if out is None or type(out) is np.ndarray else np.asarray(out)
                nodes.append(node if step.tracked else None)
                for slot in done:
                    values[slot] = None
        finally:
            errors.reset(before)
        return values, nodes

    def wrapped(self, values: list[Any], nodes: list[Any], given: Sequence[Tensor]) -> Any:
        """The outputs as Tensors; those that gradients reach know the one node of the whole call."""
        node = Replayed(self, nodes, given) if self.tracked else None
        if node is not None and type(self.outputs) is Slot:
            return Tensor.wrap(values[self.outputs], node)
        alone = len(self.tracked) == 1

        def tensor(slot: Slot) -> Tensor:
            if type(slot) is Same:
                same = self.inputs[slot]
                return given[same] if isinstance(same, int) else same
            if node is None or type(slot) is not Slot or slot not in self.tracked:
                return Tensor.wrap(values[slot])
            return Tensor.wrap(values[slot], node if alone else Part(node, slot))

        return filled(self.outputs, tensor)
