"""Where a plan lays pictures out in groups, a lane each (kernels/cpu/interleaved), and back as they were.

A convolution of few channels takes the activation and the pooling after it along. Its result stays laid out
like this as long as such convolutions read it, and what else does not mind (`in_groups`).
"""

import math
from typing import Any, NamedTuple

import numpy as np

from minicnn import ops
from minicnn.autograd import Function
from minicnn.device import kernels_for, telling
from minicnn.kernels.geometry import Window
from minicnn.ops.activation import Activation
from minicnn.plan.fusion import Readers
from minicnn.plan.interleaved_pool import (
    InterleavedAdaptiveAvgPool2d,
    InterleavedAvgPool2d,
    InterleavedMaxPool2d,
)
from minicnn.plan.step import Custom, Slot, Step, Write, slots_in
from minicnn.tensor import Tensor

MOST = 128  # channels; with more of them the other methods leave few lanes idle, too
FILLED = 3 / 4  # of the groups' places must hold a picture, or the others are too much work
FEW = 32  # channels; with more of them turning pictures is not worth it for batch norm and convolutions alone
ACTIVATIONS = {ops.ReLU: 1, ops.Tanh: 2, ops.Sigmoid: 3}  # as kernels/cpu/interleaved/finish.py numbers them
PIXELS = 1 << 24  # of a picture: poolings keep places as float32
NO_POOL, MAXIMUM, MEAN = 0, 1, 2
NAMES = {
    ops.ReLU: "ReLU", ops.Tanh: "tanh", ops.Sigmoid: "sigmoid",
    ops.MaxPool2d: "max pooling", ops.AvgPool2d: "mean pooling",
}  # fmt: skip
POOLINGS = {
    ops.MaxPool2d: InterleavedMaxPool2d,
    ops.AvgPool2d: InterleavedAvgPool2d,
    ops.AdaptiveAvgPool2d: InterleavedAdaptiveAvgPool2d,
}
How = tuple[int, int, int, int]  # activation, pooling, and the rows and columns that are pooled


class Interleave(Function):
    """(B, C, H, W, L), groups of pictures, from x (N, C, H, W)."""

    def forward(self, x: Any) -> Any:
        self.pictures = len(x)
        return telling("cpu").interleaved.interleave(x)

    def backward(self, grad: Any) -> Any:
        return telling("cpu").interleaved.separate(grad, self.pictures)


class Separate(Function):
    """(N, C, H, W) from x (B, C, H, W, L)."""

    def forward(self, x: Any, pictures: int) -> Any:
        return telling("cpu").interleaved.separate(x, pictures)

    def backward(self, grad: Any) -> Any:
        return telling("cpu").interleaved.interleave(grad)


class InterleavedConv2d(Function):
    """A convolution of x (B, C, H, W, L), and the activation and pooling of its result."""

    def forward(self, x: Any, weight: Any, bias: Any, window: Window, how: How) -> Any:
        self.x = x if self.needs[1] else None
        self.weight = weight if self.needs[0] else None
        self.shape, self.window, self.how = x.shape, window, how
        given = x, weight, bias, window, how, any(self.needs)
        self.out, self.y, self.index = telling("cpu").interleaved.conv2d(*given)
        return self.out

    def backward(self, grad: Any) -> Any:
        kept = self.out, self.y, self.index
        given = self.x, self.weight, self.shape, self.window
        return telling("cpu").interleaved.conv2d_gradients(grad, kept, self.how, *given)


class Chain(NamedTuple):
    """A convolution, and what is done to its result at once."""

    parts: list[Step]
    how: How


def interleave(
    steps: list[Step], shapes: list[tuple[int, ...]], origins: list[Any], outputs: Any
) -> list[Step]:
    """The steps with pictures in groups where that is worth it; steps change, and shapes get longer."""
    interleaved = getattr(kernels_for(np.empty(0)), "interleaved", None)  # only the fast kernels have them
    if interleaved is None or any(step.function in (Write, Custom) for step in steps):
        return steps
    readers = Readers(steps, outputs)
    chains = {
        step.out: chain_from(step, readers)
        for step in steps
        if fits(step, shapes, origins, interleaved.LANES)
    }
    grouping = Grouping(shapes, interleaved.LANES)
    ends: dict[Slot, Chain] = {}  # of the chains that are taken
    for step in steps:
        chain = chains.get(step.out)
        if chain is not None and (step.args[0] in grouping.inside or starts(chain, chains, readers, shapes)):
            ends[chain.parts[-1].out] = chain
        if step.out in ends:
            grouping.convolve(ends[step.out])
        elif not any(step is part for end in ends.values() for part in end.parts):
            grouping.other(step)
    for slot in slots_in(outputs):
        grouping.separate(slot)
    return grouping.steps


def fits(step: Step, shapes: list[tuple[int, ...]], origins: list[Any], lanes: int) -> bool:
    """Whether a step is a convolution of few channels in float32, of pictures that fill their groups."""
    if step.function is not ops.Conv2d or step.settings["groups"] != 1:
        return False
    x, weight, _ = step.args
    parameter = origins[weight]
    single = isinstance(parameter, Tensor) and parameter.array.dtype == np.float32
    small = max(shapes[weight][:2]) <= MOST and math.prod(shapes[x][2:]) <= PIXELS
    return single and small and fills(shapes[x][0], lanes) and min(step.shape) > 0


def fills(pictures: int, lanes: int) -> bool:
    """Whether so many pictures fill their groups, about."""
    return pictures >= FILLED * -(-pictures // lanes) * lanes


def chain_from(conv: Step, readers: Readers) -> Chain:
    """The convolution with the activation and the pooling that alone read its result.

    ReLU may also come after max pooling, where it gives the same.
    """
    parts, activation, pool, size = [conv], 0, NO_POOL, (1, 1)
    while (step := readers.only(parts[-1].out)) is not None and step.tracked == conv.tracked:
        late = pool == MAXIMUM and step.function is ops.ReLU
        if step.function in ACTIVATIONS and not activation and (pool == NO_POOL or late):
            activation = ACTIVATIONS[step.function]
        elif pool == NO_POOL and (cell := cell_of(step)):
            pool, size = MAXIMUM if step.function is ops.MaxPool2d else MEAN, cell
        else:
            break
        parts.append(step)
    return Chain(parts, (activation, pool, *size))


def cell_of(step: Step) -> tuple[int, int] | None:
    """The size of the cells that a step pools, if they lie side by side."""
    window = divisor = None
    if step.function is ops.MaxPool2d and not step.settings and len(step.args) == 2:
        window = step.args[1]
    elif step.function is ops.AvgPool2d:
        window, _, divisor = step.args[1]
    return (
        window.kernel if window and not divisor and window == Window(window.kernel, window.kernel) else None
    )


def starts(chain: Chain, chains: dict[Slot, Chain], readers: Readers, shapes: list[tuple[int, ...]]) -> bool:
    """Whether it is worth turning pictures for: it is pooled at once, or read by another of its kind.

    With very few channels also if another comes after steps that stay with the groups.
    """
    conv, end = chain.parts[0], chain.parts[-1].out
    reader = readers.only(end)
    if chain.how[1] != NO_POOL or (reader is not None and reader.out in chains):
        return True
    seen = [end] if max(shapes[conv.args[1]][:2]) <= FEW else []
    for slot in seen:  # grows on the way
        for step in filter(None, readers.of.get(slot, [])):
            if step.out in chains:
                return True
            if step.out not in seen and stays(step, shapes):
                seen.append(step.out)
    return False


def stays(step: Step, shapes: list[tuple[int, ...]]) -> bool:
    """Whether a step goes on with groups, and is not one that a convolution can do (see fusion.py)."""
    folded = step.function is ops.BatchNorm and not step.settings["batch"]
    return in_groups(step, shapes) is not None and not folded


def on_elements(step: Step, shapes: list[tuple[int, ...]]) -> bool:
    """Whether a step works on each element alone, so that it does not matter how they are laid out."""
    plain = issubclass(step.function, Activation) or step.function in (ops.ReLU, ops.Add, ops.Sub, ops.Mul)
    return plain and {shapes[x] for x in step.reads()} == {step.shape}


def in_groups(step: Step, shapes: list[tuple[int, ...]]) -> tuple[type[Function], dict[str, Any]] | None:
    """What does a step where the pictures are in groups, and its settings; None if nothing does."""
    function, settings = step.function, step.settings
    if needs_all_places(step) and math.prod(step.shape[:1]) % telling("cpu").interleaved.LANES:
        return None
    if function is ops.BatchNorm or on_elements(step, shapes):
        return function, settings
    if function in POOLINGS and len(step.args) == 2 and not settings:
        return POOLINGS[function], settings
    if function is ops.Pad and settings["widths"][0] == (0, 0):
        return function, settings | {"widths": [*settings["widths"], (0, 0)]}
    if function is ops.Slice:
        pictures, *parts = step.args[1] if isinstance(step.args[1], tuple) else (step.args[1],)
        rest = parts[:-1] if parts[-1:] == [...] else parts
        if pictures == slice(None) and all(isinstance(part, slice) for part in rest):
            return function, settings
    return None


def needs_all_places(step: Step) -> bool:
    """Whether groups with empty places would spoil a step: its statistics, or slopes that are not finite."""
    return step.function is ops.Exp or (step.function is ops.BatchNorm and step.settings["batch"])


class Grouping:
    """The plan's steps, as they are written anew.

    Attributes
    ----------
    steps : list of Step
    inside : dict
        For each value that is there in groups, the value that holds them.
    """

    def __init__(self, shapes: list[tuple[int, ...]], lanes: int) -> None:
        self.shapes, self.lanes = shapes, lanes
        self.steps: list[Step] = []
        self.inside: dict[Slot, Slot] = {}
        self.separated: set[Slot] = set()  # those of them that are there as they were, too

    def group(self, slot: Slot) -> Slot:
        """A new value for the same in groups."""
        N, *rest = self.shapes[slot]
        self.inside[slot] = grouped = Slot(len(self.shapes))
        self.shapes.append((-(-N // self.lanes), *rest, self.lanes))
        return grouped

    def interleave(self, slot: Slot, wanted: bool) -> None:
        """Let a value be there in groups."""
        if slot not in self.inside:
            grouped, needs = self.group(slot), (slot if wanted else None,)
            self.steps.append(Step(Interleave, (slot,), {}, needs, grouped, wanted, self.shapes[grouped]))
            self.separated.add(slot)

    def separate(self, slot: Slot) -> None:
        """Let a value be there as the program has it."""
        if slot in self.inside and slot not in self.separated:
            grouped = self.inside[slot]
            tracked = any(step.tracked for step in self.steps if step.out == grouped)
            needs = (grouped if tracked else None,)
            shape = self.shapes[slot]
            self.steps.append(Step(Separate, (grouped, shape[0]), {}, needs, slot, tracked, shape))
            self.separated.add(slot)

    def change(self, step: Step, args: tuple[Any, ...], needs: tuple[Slot | None, ...]) -> None:
        """Let a step work on groups."""
        x, *rest = args
        step.args = (self.inside[x], *(self.inside.get(y, y) if isinstance(y, Slot) else y for y in rest))
        step.needs = tuple(to if to is None else self.inside.get(to, to) for to in needs)
        step.out = self.group(step.out)
        step.shape = self.shapes[step.out]
        self.steps.append(step)

    def convolve(self, chain: Chain) -> None:
        """One step for a convolution and what follows; it stands where the last of them stood."""
        conv, last = chain.parts[0], chain.parts[-1]
        needs, args, window = conv.needs, conv.args, conv.settings["window"]
        self.interleave(args[0], needs[0] is not None)
        last.notes += [NAMES[step.function] for step in chain.parts[1:]]
        last.function, last.settings = InterleavedConv2d, {"window": window, "how": chain.how}
        self.change(last, args, needs)

    def other(self, step: Step) -> None:
        """A step that is none of these convolutions."""
        read, done = step.reads(), in_groups(step, self.shapes)
        pictures = read if on_elements(step, self.shapes) else read[:1]
        if done is not None and all(x in self.inside for x in pictures):
            step.function, step.settings = done
            self.change(step, step.args, step.needs)
        else:
            for slot in read:
                self.separate(slot)
            self.steps.append(step)


def backward_with(steps: list[Step], backward: list[Step]) -> list[Step]:
    """The backward pass with the steps that were added, each after all that read its result."""
    there = {id(step) for step in steps}
    order = [step for step in backward if id(step) in there]
    known = {id(step) for step in order}
    for step in reversed(steps):
        if step.tracked and id(step) not in known:
            readers = [place for place, other in enumerate(order) if step.out in other.needs]
            order.insert(max(readers, default=-1) + 1, step)
    return order
