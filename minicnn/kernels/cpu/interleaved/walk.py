"""How a direct convolution goes through the taps of its window and the places of its result.

From each place (h, w) some taps (kh, kw) meet the picture, the others its padding. The same taps do from all
places of a tile: places are sorted by their taps, once for each shape. So padding is neither laid out nor
multiplied.

Which pixels of dy reach a pixel of x depends on its place modulo the stride: an input gradient has a walk for
each of SH x SW grids of pixels, with steps of 1.
"""

from collections import defaultdict
from typing import NamedTuple

import numpy as np

from minicnn.kernels.cpu.interleaved.layout import LANES
from minicnn.kernels.geometry import Window


class Axis(NamedTuple):
    """Down or across: from place i, tap t sees cell i * step + shifts[t], if there is such a cell."""

    taps: tuple[int, ...]  # which of the window's
    shifts: tuple[int, ...]
    step: int
    places: range  # where they lie in the result
    cells: int

    def met(self) -> list[tuple[int, int]]:
        """For each place the taps that see a cell, always neighbours: the first, the one after the last."""
        met = []
        for i in range(len(self.places)):
            seeing = [t for t, shift in enumerate(self.shifts) if 0 <= i * self.step + shift < self.cells]
            met.append((seeing[0], seeing[-1] + 1) if seeing else (0, 0))
        return met


def forward_axis(window: Window, i: int, cells: int, places: int) -> Axis:
    """Down (i = 0) or across (1), from `cells` rows or columns to `places`."""
    kernel, dilation, before = window.kernel[i], window.dilation[i], window.padding[2 * i]
    shifts = tuple(k * dilation - before for k in range(kernel))
    return Axis(tuple(range(kernel)), shifts, window.stride[i], range(places), cells)


def backward_axis(window: Window, i: int, cells: int, places: int, phase: int) -> Axis:
    """The way back to those of `places` rows or columns that are `phase` modulo the stride."""
    stride, dilation, before = window.stride[i], window.dilation[i], window.padding[2 * i]
    reach = [phase + before - k * dilation for k in range(window.kernel[i])]
    taps = tuple(k for k, cell in enumerate(reach) if cell % stride == 0)
    return Axis(taps, tuple(reach[k] // stride for k in taps), 1, range(phase, places, stride), cells)


class Walk(NamedTuple):
    """Taps and places in the order in which a kernel visits them.

    Attributes
    ----------
    down, across : (T) which taps of the window
    column : taps in a column of it, of all channels
    offsets : (K) where a tap's vector lies, seen from a place; by columns, then rows, then channels
    tiles, singles : (tiles, 3 + 2 * places) the first tap, how many columns, how many taps of each; then
        where in x the places lie, and which pixels of y they are. If single, one place
    blocks : (blocks + 1, 2) where the tiles and the singles of each block of rows begin
    rows : in a block
    size : (OH, OW) places down and across
    """

    down: np.ndarray
    across: np.ndarray
    column: int
    offsets: np.ndarray
    tiles: np.ndarray
    singles: np.ndarray
    blocks: np.ndarray
    rows: int
    size: tuple[int, int]


def walk_of(C: int, down: Axis, across: Axis, width: int, rows: int, places: int) -> Walk:
    """Over C channels, to y with rows of `width` pixels, some rows at once, in tiles of some places."""
    tiles: list[tuple[int, ...]] = []
    singles: list[tuple[int, ...]] = []
    blocks = [(0, 0)]
    lines, columns, column = down.met(), across.met(), max(len(down.taps) * C, 1)
    for first in range(0, len(lines), rows):
        alike = defaultdict(list)
        for h in range(first, min(first + rows, len(lines))):
            top, count = lines[h][0] * C, (lines[h][1] - lines[h][0]) * C
            for w, (begin, end) in enumerate(columns):
                taps = begin * column + top, end - begin, count
                if (end - begin) * count == len(across.taps) * column:  # all: as one long column
                    taps = 0, 1, len(across.taps) * column
                source = (h * down.step * across.cells + w * across.step) * LANES
                alike[taps].append((source, down.places[h] * width + across.places[w]))
        for taps, found in alike.items():
            full = len(found) // places * places
            for i in range(0, full, places):
                sources, pixels = zip(*found[i : i + places], strict=True)
                tiles.append((*taps, *sources, *pixels))
            singles += [(*taps, *place) for place in found[full:]]
        blocks.append((len(tiles), len(singles)))
    shifts = np.array(across.shifts)[:, None, None] + np.array(down.shifts)[:, None] * across.cells
    offsets = (shifts + np.arange(C) * down.cells * across.cells) * LANES
    return Walk(
        np.array(down.taps, np.int64),
        np.array(across.taps, np.int64),
        column,
        offsets.ravel().astype(np.int64),
        np.array(tiles, np.int64).reshape(-1, 3 + 2 * places),
        np.array(singles, np.int64).reshape(-1, 5),
        np.array(blocks, np.int64),
        rows,
        (len(lines), len(columns)),
    )
