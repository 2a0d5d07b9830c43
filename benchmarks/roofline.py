"""The most that this machine can compute and move, and a picture of kernels below it: the roofline model.

A kernel that does I operations for each byte it reads or writes reaches min(peak, I * bandwidth) at most.
The peak is that of a loop which multiplies and adds in registers alone, the bandwidth that of a copy of
COPIED bytes; what fits into the last cache is faster.
Counted are the plain algorithm's operations: a faster one, such as Winograd's, may come out above the roof.

Source: Williams, Waterman and Patterson, Roofline: an insightful visual performance model, 2009.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.timing import seconds_of
from minicnn.kernels.cpu.gemm import MR, NV
from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.simd import lanes, load, store, tile

COPIED = 1 << 28  # bytes, more than caches hold
TIMES = 20  # each is measured; the best counts


class Roof(NamedTuple):
    """What a number of threads reaches: GFLOP/s and GB/s."""

    threads: int
    peak: float
    bandwidth: float

    def over(self, intensity: np.ndarray) -> np.ndarray:
        """The most GFLOP/s at so many operations a byte."""
        return np.minimum(self.peak, intensity * self.bandwidth)


class Point(NamedTuple):
    """A kernel in the picture: FLOP a byte, and GFLOP/s of both libraries."""

    net: str
    intensity: float
    ours: float
    theirs: float


@jit
def multiply_and_add(starts, count):
    """count times in registers: tile = tile * factor + summand; starts (MR NV + 2, L) has them all."""
    factor, summand = load(starts, MR * NV, 0), load(starts, MR * NV + 1, 0)
    acc = tile(MR, NV, starts)
    for r in range(MR):
        for c in range(NV):
            acc[r, c] = load(starts, r * NV + c, 0)  # were they equal, the compiler would compute one
    for _ in range(count):
        for r in range(MR):
            for c in range(NV):
                acc[r, c] = acc[r, c] * factor + summand
    for r in range(MR):
        for c in range(NV):
            store(starts, r * NV + c, 0, acc[r, c])


def measured_roof(threads: int, count: int = 1_000_000, copied: int = COPIED, times: int = TIMES) -> Roof:
    """Of this machine."""
    lanes_of = lanes(np.empty(0, np.float32))
    rng = np.random.default_rng(0)
    operands = [rng.random((MR * NV + 2, lanes_of), np.float32) for _ in range(threads)]
    target, source = np.zeros((2, copied), np.uint8)
    with ThreadPoolExecutor(threads) as pool:

        def fastest(function: Callable, *arguments: Sequence) -> float:
            list(pool.map(function, *arguments))  # compiles, touches memory
            return min(seconds_of(lambda: list(pool.map(function, *arguments))) for _ in range(times))

        computing = fastest(multiply_and_add, operands, [count] * threads)
        parts = [
            zip(*(np.array_split(a, count) for a in (target, source)), strict=True) for count in {1, threads}
        ]
        copying = min(fastest(np.copyto, *zip(*pairs, strict=True)) for pairs in parts)  # one may have it all
    flop = 2 * MR * NV * lanes_of * count * threads
    return Roof(threads, flop / computing / 1e9, 2 * target.nbytes / copying / 1e9)


def draw(path: Path, roofs: Sequence[Roof], points: dict[int, list[Point]]) -> None:
    """A panel for each number of threads: the roof, minicnn's kernels as dots, PyTorch's as rings."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["svg.hashsalt"] = "minicnn"  # the same file for the same figures
    figure = Figure(figsize=(5.5 * len(roofs), 4.2), layout="constrained")
    nets = dict.fromkeys(point.net for here in points.values() for point in here)
    colours = {net: f"C{i}" for i, net in enumerate(nets)}
    for roof, axes in zip(roofs, figure.subplots(1, len(roofs), squeeze=False)[0], strict=True):
        here = points[roof.threads]
        ridge = roof.peak / roof.bandwidth
        reach = [ridge, *(p.intensity for p in here)]
        line = np.array([min(reach) / 2, ridge, max(reach) * 2])
        axes.plot(line, roof.over(line), color="black")
        for net, colour in colours.items():
            own = [p for p in here if p.net == net]
            x = [p.intensity for p in own]
            axes.scatter(x, [p.ours for p in own], color=colour, label=net, zorder=3)
            axes.scatter(x, [p.theirs for p in own], facecolors="none", edgecolors=colour, zorder=2)
        axes.set(xscale="log", yscale="log", xlabel="FLOP a byte", ylabel="GFLOP/s")
        axes.set_title(
            f"{roof.threads} thread{'s' * (roof.threads > 1)}: {roof.peak:.0f} GFLOP/s, "
            f"{roof.bandwidth:.0f} GB/s",
            fontsize="medium",
        )
        axes.grid(alpha=0.3)
    axes.legend(title="dots: minicnn\nrings: PyTorch", fontsize="small", loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    print(f"picture: {path}")
