"""Receptive fields: how far apart the pixels are that one number of a layer's output can depend on.

They are found on the graph of a recorded forward pass. A window of extent k and stride s makes of a field of
r pixels, whose neighbours are j pixels apart, one of r + (k - 1) j pixels with neighbours s j apart; of
several inputs the largest counts. After an upsampling, not all outputs see quite as much. What statistics of
a normalisation depend on does not count.

Source: Araujo, Norris and Sim, Computing receptive fields of convolutional neural networks, Distill, 2019.
"""

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

from minicnn.autograd import Function
from minicnn.autograd.graph import order
from minicnn.kernels.geometry import Window, shares

Shape = tuple[int, ...]


class Field(NamedTuple):
    """A receptive field, down and across.

    Attributes
    ----------
    size : (Fraction or inf, Fraction or inf)
        Pixels of the input from the first to the last; inf where all of the input is seen.
    step : (Fraction, Fraction)
        Pixels between the fields of neighbouring outputs.
    """

    size: tuple[Any, Any]
    step: tuple[Fraction, Fraction]

    def pixels(self) -> tuple[float, float]:
        """The size in whole pixels."""
        down, across = (side if side == math.inf else math.ceil(side) for side in self.size)
        return down, across


PIXEL = Field((Fraction(1), Fraction(1)), (Fraction(1), Fraction(1)))
EVERYTHING = (math.inf, math.inf)


def receptive_fields(input: Any, nodes: dict[Function, Shape]) -> dict[Function, Field | None]:
    """The fields of all operations below some nodes of the graph.

    Parameters
    ----------
    input : leaf of the graph
        The picture, (N, C, H, W) or (N, C, L).
    nodes : dict of Function to tuple of int
        Where to start, with the shapes of the results.

    Returns
    -------
    dict of Function to Field or None
        None where the window of an operation is not known; what does not depend on the input is left out.
    """
    shapes = dict(nodes)
    fields: dict[Any, Field | None] = {input: PIXEL}
    below = order(list(nodes))
    for node in below:
        if isinstance(node, Function):
            shapes.update(need for need in node.needs if need is not None)
    for node in reversed(below):
        needs = node.needs if isinstance(node, Function) else ()
        sources = [need for need in needs if need is not None and need[0] in fields]
        known = [field for target, _ in sources if (field := fields[target]) is not None]
        if sources and len(known) == len(sources):
            reads = len(sources), sources[0][1]
            fields[node] = after(node, largest(known), *reads, shapes[node])
        elif sources:
            fields[node] = None
    del fields[input]
    return fields


def largest(fields: list[Field]) -> Field:
    """What several inputs see together."""
    sizes, steps = zip(*fields, strict=True)
    return Field(pairwise(max, sizes), pairwise(max, steps))


def pairwise(function: Any, pairs: Iterable[tuple[Any, Any]]) -> tuple[Any, Any]:
    down, across = zip(*pairs, strict=True)
    return function(down), function(across)


def after(node: Function, field: Field, inputs: int, before: Shape, shape: Shape) -> Field | None:
    """The field of an operation's result, from that of what it reads."""
    kind, whole = node.name(), field._replace(size=EVERYTHING)
    if kind in ("Conv2d", "MaxPool2d", "AvgPool2d", "Unfold", "ConvTranspose2d"):
        window = window_of(node)
        if window is None:
            return None
        if kind == "ConvTranspose2d":
            read = [-(-k // s) for k, s in zip(window.extent(), window.stride, strict=True)]
            return slide(field, read, [Fraction(1, s) for s in window.stride])
        return slide(field, window.extent(), window.stride)
    if len(before) == 4 and math.prod(before[2:]) > 1 and (len(shape) == 2 or shape[2:] == (1, 1)):
        return whole  # flattened, or one number for all places
    if kind == "MatMul" and inputs > 1:
        return whole  # attention
    if kind in ("AdaptiveMaxPool2d", "AdaptiveAvgPool2d", "Pick", "Blend"):
        sizes = list(zip(before[2:], shape[2:], strict=True))[-2:]
        sizes = [(1, 1)] * (2 - len(sizes)) + sizes
        read = [taps(kind, many, count) for many, count in sizes]
        return slide(field, read, [Fraction(many, count) for many, count in sizes])
    return field


def taps(kind: str, many: int, count: int) -> int:
    """How many of `many` cells in a row one of `count` results reads."""
    if kind == "Blend":
        return 1 if many == count else 2
    return 1 if kind == "Pick" else max(end - begin for begin, end in shares(many, count))


def slide(field: Field, extent: Iterable[int], stride: Iterable[Any]) -> Field:
    """The field of a window that slides over outputs with this field."""
    sizes = (r + (k - 1) * j for r, k, j in zip(field.size, extent, field.step, strict=True))
    steps = (s * j for s, j in zip(stride, field.step, strict=True))
    return Field(tuple(sizes), tuple(steps))


def window_of(node: Function) -> Window | None:
    """The window among what an operation keeps for its gradient, by itself or in a tuple."""
    for kept in vars(node).values():
        for value in kept if type(kept) is tuple else (kept,):
            if isinstance(value, Window):
                return value
    return None
