"""What a plan does otherwise than the program, with the same result: in fewer passes over memory.

Each rule below is a function that looks for a few steps in a row and changes them where they stand; it may do
so only where nobody else reads the values between them.
"""

import math
from typing import Any

import numpy as np

from minicnn import ops
from minicnn.device import kernels_for
from minicnn.plan.fused import (
    RELU,
    Dense,
    FoldedConv2d,
    FusedAdd,
    FusedBatchNorm,
    Limits,
    PooledConv2d,
    ScaledChannels,
)
from minicnn.plan.interleaved_pool import InterleavedMaxPool2d
from minicnn.plan.step import Custom, Slot, Step, Write, slots_in
from minicnn.plan.tokens import fuse_tokens

ACTIVATIONS = {ops.ReLU: "relu", ops.Tanh: "tanh", ops.Sigmoid: "sigmoid"}
MAXIMA = ops.MaxPool2d, ops.AdaptiveMaxPool2d, InterleavedMaxPool2d
NAMES = {ops.Add: "add", ops.Mul: "scaling", ops.ReLU: "ReLU", ops.HardTanh: "limits"}
WORTH = 2  # a result as many times as large as the weight makes folding into the weight worth its time


class Readers:
    """Who reads each value.

    Parameters
    ----------
    steps : list of Step
    outputs : nested tuples, lists and dicts
        With Slots, of values that the caller reads.
    """

    def __init__(self, steps: list[Step], outputs: Any) -> None:
        self.of: dict[int, list[Step | None]] = {}
        for step in steps:
            for slot in step.reads():
                self.of.setdefault(slot, []).append(step)
        for slot in slots_in(outputs):
            self.of.setdefault(slot, []).append(None)

    def only(self, slot: Slot) -> Step | None:
        """The step that alone reads a value, and once."""
        readers = self.of.get(slot, [])
        return readers[0] if len(readers) == 1 else None


def fuse(steps: list[Step], shapes: list[tuple[int, ...]], outputs: Any) -> list[Step]:
    """The steps after all rules; steps and shapes are changed.

    A rule may do something later than the program does, so there must be nothing that writes in between.
    """
    if any(step.function in (Write, Custom) for step in steps):
        return steps
    pool_before_relu(steps, shapes, Readers(steps, outputs))
    steps = pool_with_convolution(steps, Readers(steps, outputs))
    steps = fold_batch_norm(steps, shapes, Readers(steps, outputs))
    steps = with_limits(steps, shapes, Readers(steps, outputs))
    steps = fuse_tokens(steps, shapes, Readers(steps, outputs))
    return linear_with_activation(steps, Readers(steps, outputs))


def pool_before_relu(steps: list[Step], shapes: list[tuple[int, ...]], readers: Readers) -> None:
    """Let max(relu(x)) be relu(max(x)): then ReLU has a quarter of the numbers to do, forward and back.

    The largest number is at the same place, unless none is above 0, when no gradient passes. (Of several
    zeros the first may have another sign.)
    """
    for relu in steps:
        pool = readers.only(relu.out)
        if relu.function is not ops.ReLU or pool is None:
            continue
        if pool.function not in MAXIMA or pool.settings:
            continue
        first, second = relu, pool  # where they stand; from here on the other way round
        first.function, second.function = pool.function, relu.function
        first.args, second.args = (first.args[0], *second.args[1:]), (first.out,)
        first.shape = shapes[first.out] = second.shape
        second.notes.append("after the pooling")


def pool_with_convolution(steps: list[Step], readers: Readers) -> list[Step]:
    """Let a convolution and the max pooling of its result be one step."""
    kept = list(steps)
    for conv in steps:
        pool = readers.only(conv.out)
        if conv.function is not ops.Conv2d or pool is None or pool.function is not ops.MaxPool2d:
            continue
        if pool.settings or conv.tracked != pool.tracked:
            continue
        pool.function, pool.needs = PooledConv2d, conv.needs
        pool.args, pool.settings = (*conv.args, pool.args[1]), conv.settings
        pool.notes.append("convolution and max pooling")
        kept.remove(conv)
    return kept


def fold_batch_norm(steps: list[Step], shapes: list[tuple[int, ...]], readers: Readers) -> list[Step]:
    """Let a convolution do the batch normalisation after it, in evaluation, where no gradient is wanted."""
    kept = list(steps)
    for conv in steps:
        norm = readers.only(conv.out)
        if conv.function is not ops.Conv2d or norm is None or norm.function is not ops.BatchNorm:
            continue
        x, weight, bias = conv.args
        small = WORTH * math.prod(shapes[weight]) <= math.prod(conv.shape)
        if norm.settings["batch"] or conv.tracked or norm.tracked or norm.args[0] != conv.out or not small:
            continue
        norm.function = FoldedConv2d
        norm.args = (x, weight, bias, *norm.args[1:])
        norm.settings = conv.settings | {key: norm.settings[key] for key in ("running", "eps")}
        norm.notes.append("batch norm")
        kept.remove(conv)
    return kept


def with_limits(steps: list[Step], shapes: list[tuple[int, ...]], readers: Readers) -> list[Step]:
    """Let ReLU, and an addition before it, be one step with the batch norm or folded convolution before them.

    In a residual block two of them may be added: the later one takes the addition along.
    """
    if not hasattr(kernels_for(np.empty(0)), "normalise"):  # only the fast kernels have it
        return steps
    chains = Chains(shapes, readers)
    for step in reversed(steps):
        if step.function in (ops.BatchNorm, FoldedConv2d):
            chains.from_norm(step)
    for step in steps:
        if step.function is ops.Add and step.out not in chains.gone and len(step.shape) > 2:
            chains.from_sum(step)
        elif step.function is ops.Conv2d:
            chains.from_convolution(step)
        elif step.function is ops.Sigmoid:
            chains.from_gate(step)
    return [step for step in steps if step.out not in chains.gone]


class Chains:
    """Steps that are read by the next one alone, and become one where the last of them stands.

    Attributes
    ----------
    gone : set of Slot
        The results of those that are now part of another.
    """

    def __init__(self, shapes: list[tuple[int, ...]], readers: Readers) -> None:
        self.shapes, self.readers = shapes, readers
        self.gone: set[Slot] = set()

    def after(self, step: Step) -> Step | None:
        """The step that alone reads a result."""
        reader = self.readers.only(step.out)
        return reader if reader and reader.out not in self.gone and reader.tracked == step.tracked else None

    def equal(self, add: Step) -> bool:
        """Whether both summands are arrays of the sum's shape."""
        return [isinstance(x, Slot) and self.shapes[x] == add.shape for x in add.args] == [True, True]

    def limits_after(self, step: Step) -> tuple[list[Step], Limits | None]:
        """The ReLU after a step, or another of its kind, if there is one; and its limits."""
        after = self.after(step)
        if after is not None and after.function is ops.ReLU:
            return [after], RELU
        if after is not None and after.function is ops.HardTanh:
            return [after], (after.settings["low"], after.settings["high"])
        return [], None

    def from_norm(self, norm: Step) -> None:
        """Batch norm, or a folded convolution, with what follows it."""
        chain, other, need, limits = [norm], None, None, None
        # running statistics that several steps share have to move in the program's order
        if all(self.readers.only(slot) is norm for slot in slots_in(norm.settings)):
            add = self.after(norm)
            if add is not None and add.function is ops.Add and self.equal(add):
                place = 1 if add.args[0] == norm.out else 0
                chain, other, need = [norm, add], add.args[place], add.needs[place]
            some, limits = self.limits_after(chain[-1])
            chain += some
        last = self.joined(chain)
        last.args, last.needs = (*norm.args, other), (*norm.needs, need)
        alone = norm.function is FoldedConv2d and limits is RELU and other is None
        how = {"activation": "relu"} if alone else {"limits": limits}  # what the convolution does itself
        last.settings = norm.settings | how
        last.function = FusedBatchNorm if norm.function is ops.BatchNorm else FoldedConv2d

    def from_sum(self, add: Step) -> None:
        """An addition and the ReLU after it."""
        some, limits = self.limits_after(add)
        if some and self.equal(add):
            last = self.joined([add, *some])
            last.function, last.args, last.settings = FusedAdd, add.args, {"limits": limits}
            last.needs = add.needs

    def from_convolution(self, conv: Step) -> None:
        """A convolution and the ReLU after it."""
        some, limits = self.limits_after(conv)
        if limits is RELU and not conv.settings.get("activation"):
            last = self.joined([conv, *some])
            last.function, last.args, last.needs = ops.Conv2d, conv.args, conv.needs
            last.settings = conv.settings | {"activation": "relu"}

    def from_gate(self, gate: Step) -> None:
        """The sigmoid of a number for each channel, and the product with the channel, in evaluation."""
        product = self.after(gate)
        if product is None or product.function is not ops.Mul or gate.tracked or len(product.shape) != 4:
            return
        others = [x for x in product.args if x != gate.out]
        fits = isinstance(others[0], Slot) and self.shapes[others[0]] == product.shape
        if fits and gate.shape == (*product.shape[:2], 1, 1):
            last = self.joined([gate, product])
            last.function, last.args, last.needs = ScaledChannels, (gate.args[0], others[0]), ()

    def joined(self, chain: list[Step]) -> Step:
        """The last step of a chain, of which the others are now part."""
        *others, last = chain
        last.notes = [*chain[0].notes, *[NAMES[step.function] for step in chain[1:]]]
        self.gone |= {step.out for step in others}
        return last


def linear_with_activation(steps: list[Step], readers: Readers) -> list[Step]:
    """Let a linear layer and the activation after it, if there is one, be one step."""
    if not hasattr(kernels_for(np.empty(0)), "linear_gradients"):  # only the fast kernels have it
        return steps
    kept = list(steps)
    for linear in [step for step in steps if step.function is ops.Linear and not step.settings]:
        last, after = linear, readers.only(linear.out)
        if after is not None and after.function in ACTIVATIONS and after.tracked == linear.tracked:
            last = after
            last.args, last.needs = linear.args, linear.needs
            last.notes.append(f"linear and {ACTIVATIONS[after.function]}")
            kept.remove(linear)
        last.settings = {"activation": ACTIVATIONS.get(last.function, "")}
        last.function = Dense
    return kept
