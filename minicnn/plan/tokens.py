"""What a plan does otherwise in transformers, in evaluation, where no gradient needs the values between.

| steps | instead |
| --- | --- |
| scores of queries and keys, softmax, product with values | attention by heads: kernels/cpu/attention.py |
| linear layer, GELU | the activation of what the layer has in cache |
| linear layer, sum with another value | the layer adds to it |
"""

from typing import Any

import numpy as np

from minicnn import ops
from minicnn.autograd import Function
from minicnn.device import kernels_for, telling
from minicnn.plan.fused import Dense
from minicnn.plan.step import Slot, Step

TURNED = (0, 1, 3, 2)  # the axes of keys, as the product with queries takes them


class Attention(Function):
    """softmax(scale q k') v, for queries, keys and values (N, H, tokens, features)."""

    def forward(self, q: Any, k: Any, v: Any, scale: float) -> Any:
        return telling("cpu").attention(q, k, v, scale)


def fuse_tokens(steps: list[Step], shapes: list[tuple[int, ...]], readers: Any) -> list[Step]:
    """The steps after the rules above."""
    if not hasattr(kernels_for(np.empty(0)), "attention"):  # only the fast kernels have it
        return steps
    makers = {step.out: step for step in steps}
    gone: set[Slot] = set()
    for step in steps:
        if step.function is ops.MatMul and not step.tracked:
            gone |= attention_from(step, shapes, readers, makers)
        elif step.function is ops.Linear and not step.tracked and not step.settings:
            gone |= layer_with_more(step, shapes, readers)
    return [step for step in steps if step.out not in gone]


def attention_from(scores: Step, shapes: list[tuple[int, ...]], readers: Any, makers: dict) -> set[Slot]:
    """Attention, if it begins with this product: where the last step of it stands. Which others are gone."""
    softmax = readers.only(scores.out)
    if softmax is None or softmax.function is not ops.Softmax or softmax.args[1] != 3:
        return set()
    last = readers.only(softmax.out)
    if last is None or last.tracked or last.function is not ops.MatMul or last.args[0] != softmax.out:
        return set()
    left, right = (makers.get(x) if isinstance(x, Slot) else None for x in scores.args)
    if right is None or right.function is not ops.Permute or right.args[1] != TURNED:
        return set()
    q, scale, (k, _), v, gone = scores.args[0], 1.0, right.args, last.args[1], {scores.out, softmax.out}
    if left is not None and left.function is ops.Mul and readers.only(q) and type(left.args[1]) is float:
        (q, scale), gone = left.args, {*gone, q}
    known = all(isinstance(x, Slot) for x in (q, k, v))
    if not known or not telling("cpu.attention").fits(shapes[q], shapes[k], shapes[v]):
        return set()
    last.function, last.args, last.settings = Attention, (q, k, v), {"scale": scale}
    last.notes.append("scores and softmax, head by head")
    return gone if readers.only(right.out) is None else {*gone, right.out}


def layer_with_more(linear: Step, shapes: list[tuple[int, ...]], readers: Any) -> set[Slot]:
    """A linear layer and the GELU or the sum after it, if there is one, where that stands."""
    last = readers.only(linear.out)
    if last is None or last.tracked or last.function not in (ops.GELU, ops.Add):
        return set()
    x, weight, bias, *_ = *linear.args, None
    if last.function is ops.GELU:
        last.args, activation = (x, weight, bias), "gelu"
    else:
        others = [x for x in last.args if isinstance(x, Slot) and x != linear.out]
        if [shapes[x] for x in others] != [linear.shape]:
            return set()
        last.args, activation = (x, weight, bias, *others), ""
    last.notes.append(f"linear and {activation or 'add'}")
    last.function, last.settings, last.needs = Dense, {"activation": activation}, (None,) * len(last.args)
    return {linear.out}
