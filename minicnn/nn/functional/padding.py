"""Cells around lines and pictures."""

from collections.abc import Sequence

import numpy as np

from minicnn import ops
from minicnn.nn.arguments import check_tensors, integer
from minicnn.tensor import Tensor, apply


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Cells around input, in its last dimensions.

    Parameters
    ----------
    pad : sequence of int
        How many cells before and after, in pairs from the last dimension on: (left, right, top, bottom) of
        pictures. Less than 0 cuts cells off.
    mode : "constant", "reflect", "replicate" or "circular"
        What the cells hold: `value`; a mirror image without the edge; the edge's value; the other side's.
        All but "constant" want pairs for all dimensions but batch and channel.
    value : float, optional
        0 unless given.
    """
    check_tensors("pad", input=input)
    if not isinstance(pad, tuple | list):
        raise TypeError(f"pad: expected pad as a sequence of ints, got {pad!r}")
    numbers = [integer("pad", "pad", n, -(2**62)) for n in pad]
    if len(numbers) % 2 or len(numbers) > 2 * input.ndim:
        raise RuntimeError(f"pad: expected pairs for at most {input.ndim} dimensions, got {tuple(pad)}")
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))[::-1]
    if mode == "constant":
        widths = [(0, 0)] * (input.ndim - len(pairs)) + pairs
        return apply(ops.Pad, input, widths=widths, value=0.0 if value is None else value)
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(
            f'pad: expected mode "constant", "reflect", "replicate" or "circular", got {mode!r}'
        )
    if value not in (None, 0):
        raise RuntimeError(f"pad: mode {mode!r} takes no value, got {value}")
    if not 1 <= len(pairs) <= 3 or input.ndim not in (len(pairs) + 1, len(pairs) + 2):
        raise NotImplementedError(
            f"pad: mode {mode!r} expects pairs for all dimensions of input but batch and channel, "
            f"got {tuple(pad)} for {input.shape}"
        )
    sizes = input.shape[-len(pairs) :]
    indices = [border(n, *widths, mode) for n, widths in zip(sizes, pairs, strict=True)]
    return apply(ops.Pick, input, indices=indices)


def border(size: int, before: int, after: int, mode: str) -> np.ndarray:
    """Which of `size` cells each cell of the padded axis shows."""
    most = {"reflect": size - 1, "circular": size, "replicate": 2**62 if size else 0}[mode]
    if max(before, after) > most or size + before + after < 1 or min(before, after) < -size:
        raise RuntimeError(f"pad: ({before}, {after}) cells do not fit around {size} with mode {mode!r}")
    places = np.arange(-before, size + after)
    if mode == "replicate":
        return places.clip(0, size - 1)
    if mode == "circular":
        return places % size
    return size - 1 - abs(size - 1 - abs(places))
