"""Which method of convolution is the fastest, on the CPU: every method that can compute a layer, by name.

Called by ``python -m benchmarks.kernels --crossover``. The layers lie on both sides of the thresholds in
minicnn/kernels/cpu/conv.py (`method_for`) and winograd.py (`tile_size`), one of a layer's numbers changing at
a time. Every method is validated before it is timed.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.report import Table, file_in, machine
from benchmarks.timing import Budget, alternate, figure, median_ms, set_threads
from minicnn.kernels.cpu import conv, depthwise, direct, im2col_gemm, pointwise, tap_by_tap, winograd
from minicnn.kernels.geometry import Window

DIRECTIONS = "conv2d", "conv2d_input_gradient", "conv2d_weight_gradient"
SHORT = dict(zip(DIRECTIONS, ("y", "dx", "dw"), strict=True))  # their names in conv.py
Calls = dict[str, Callable[[], np.ndarray | None]]


class Layer(NamedTuple):
    """A convolution of square pictures that keeps their size but for its stride; C and O of each group."""

    N: int
    C: int
    O: int
    size: int
    kernel: int
    stride: int = 1
    groups: int = 1

    def window(self) -> Window:
        """Its window; a kernel of even size is one of patches."""
        around = self.kernel // 2 if self.kernel % 2 else 0
        return Window((self.kernel,) * 2, (self.stride,) * 2, (around,) * 4)

    def told(self) -> str:
        """In words."""
        groups = f", {self.groups} groups" if self.groups > 1 else ""
        what = f"{self.kernel}x{self.kernel}/{self.stride} {self.C}>{self.O}{groups}"
        return f"{what} at {self.size}, batch {self.N}"


LAYERS = [
    *(Layer(8, C, 64, 28, 3) for C in (1, 3, 8, 16, 24, 32, 48)),
    *(Layer(8, 64, O, 28, 3) for O in (1, 3, 6, 8, 16, 24, 32, 48)),
    *(Layer(2, C, C, size, 3, 2) for size in (14, 28) for C in (16, 32, 64, 96, 128)),
    *(Layer(4, C, C, 28, 5) for C in (16, 32, 48, 64, 96, 128)),
    *(Layer(8, C, 2 * C, 28, 1, 2) for C in (64, 128, 256)),
    *(Layer(64, 6, 16, size, 5) for size in (5, 8, 10, 14, 20)),
    *(Layer(2, 3, 32, 64, kernel, stride) for kernel, stride in ((3, 1), (3, 2), (3, 3), (4, 4), (7, 2))),
    *(Layer(4, C, C, 14, 3, 1, 8) for C in (1, 2, 4, 8, 16)),
    *(Layer(4, 1, 1, size, kernel, 1, 64) for size in (7, 14, 56) for kernel in (3, 7)),
    *(Layer(4, 1, 1, 28, kernel, stride, 64) for kernel, stride in ((5, 2), (9, 1), (3, 3))),
    *(Layer(4, C, 64, 14, 1) for C in (1, 4, 16, 64, 256)),
    *(Layer(8, 64, 64, size, 1) for size in (1, 4, 7)),
    *(Layer(4, C, C, 14, 3) for C in (16, 32, 64)),
    *(Layer(N, 64, 64, size, 3) for N, size in ((1, 4), (1, 7), (1, 14), (8, 4), (8, 6), (8, 7))),
]


def pictures(layer: Layer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, weight and dy."""
    rng, window = np.random.default_rng(0), layer.window()
    O, OH, OW = layer.O * layer.groups, *window.output_size(layer.size, layer.size)
    return (
        rng.standard_normal((layer.N, layer.C * layer.groups, layer.size, layer.size), np.float32),
        rng.standard_normal((O, layer.C, layer.kernel, layer.kernel), np.float32),
        rng.standard_normal((layer.N, O, OH, OW), np.float32),
    )


def methods(layer: Layer) -> Iterator[tuple[str, str, Calls]]:
    """Each direction: its name, the method conv.py picks, and the calls of all methods that fit."""
    (x, weight, dy), window = pictures(layer), layer.window()
    shape = np.dtype(np.float32), layer.N, layer.groups, layer.C, layer.O, *dy.shape[2:], window
    about = conv.Layer(*shape)
    names = {im2col_gemm: "im2col", direct: "direct", depthwise: "depthwise", pointwise: "pointwise"}
    names[tap_by_tap] = "tap by tap"
    fits = [im2col_gemm]
    if layer.groups == 1 and tap_by_tap.fits(window):
        fits.append(tap_by_tap)
    if layer.stride <= 4:
        fits.append(direct)
    if layer.C == layer.O == 1 < layer.groups and layer.stride <= 2:
        fits.append(depthwise)
    if layer.groups == 1 and window == conv.POINT:
        fits.append(pointwise)
    plain = layer.kernel == 3 and layer.stride == layer.groups == 1
    arguments = {
        "conv2d": (x, weight, None, window, layer.groups),
        "conv2d_input_gradient": (dy, weight, x.shape, window, layer.groups),
        "conv2d_weight_gradient": (dy, x, window, layer.groups),
    }
    filtered = {
        "conv2d": partial(winograd.forward, x, weight, None, window.padding),
        "conv2d_input_gradient": partial(winograd.input_gradient, dy, weight, x.shape, window.padding),
        "conv2d_weight_gradient": partial(winograd.weight_gradient, dy, x, window.padding),
    }
    for direction, given in arguments.items():
        back = direction == "conv2d_input_gradient"
        chosen = names[conv.method_for(about, SHORT[direction])]
        if m := conv.winograd_tile(about):
            chosen = f"winograd F{m}"
        fitting = [method for method in fits if not (back and method is direct and layer.stride > 1)]
        calls: Calls = {names[method]: partial(getattr(method, direction), *given) for method in fitting}
        if plain:
            calls |= {f"winograd F{m}": partial(filtered[direction], m) for m in (2, 4)}
        yield direction, chosen, calls


def check(calls: Calls) -> None:
    """Raise AssertionError unless all methods give the same, but for rounding."""
    expected, *others = (call() for call in calls.values())
    assert expected is not None
    for name, got in zip(list(calls)[1:], others, strict=True):
        assert got is not None, name
        np.testing.assert_allclose(got, expected, rtol=0, atol=3e-5 * np.abs(expected).max(), err_msg=name)


def measure(results: Path | None, minutes: float, threads: int) -> bool:
    """Print the table, keep it in a folder if one is given; whether all of it succeeded."""
    set_threads(threads)
    table = Table(
        file_in(results, "crossover_cpu.md"),
        "Methods of convolution",
        [f"{machine()} {threads} threads.", "Milliseconds (medians) of a call, the fastest method first."],
        ["layer", "", "picked", "loses", "methods"],
    )
    budget = Budget(minutes, len(DIRECTIONS) * len(LAYERS))
    for layer in LAYERS:
        for direction, chosen, calls in methods(layer):
            with table.attempt(layer.told(), direction):
                check(calls)
                times = alternate(list(calls.values()), budget.seconds(len(calls)), 5)
                ms = {name: median_ms(some) for name, some in zip(calls, times, strict=True)}
                best = sorted(ms, key=ms.__getitem__)
                told = ", ".join(f"{name} {figure(ms[name])}" for name in best)
                table.add(layer.told(), direction, chosen, f"{ms[chosen] / ms[best[0]] - 1:.0%}", told)
    return not table.failed
