"""What benchmarks on a GPU share: whether there is one, fair timings, PyTorch's faster modes, a report."""

import argparse
import datetime
import platform
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import minicnn as mc

RESULTS = Path(__file__).parent / "results"
CALLS = 20  # in one timing: a call takes less time than two events tell apart
Call = Callable[[], Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--device`` and ``--tf32``."""
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--tf32", action="store_true", help="on a GPU let both round factors to TF32")


def check_device(parser: argparse.ArgumentParser, device: str, tf32: bool) -> None:
    """Leave the program if the device is not there; else let both libraries round alike."""
    if device == "cpu":
        if tf32:
            parser.error("--tf32 is for --device cuda")
        return
    reason = mc.cuda.why_unavailable()
    if reason:
        parser.error(f"--device cuda: minicnn has no GPU: {reason}")
    if not torch.cuda.is_available():
        parser.error(f"--device cuda: PyTorch {torch.__version__} has no GPU")
    for library in (mc, torch):
        library.backends.cuda.matmul.allow_tf32 = library.backends.cudnn.allow_tf32 = tf32


class OurEvent:
    """A moment on the GPU, as minicnn's work has it; `torch.cuda.Event` is PyTorch's."""

    def __init__(self) -> None:
        import cupy

        self.cupy, self.event = cupy, cupy.cuda.Event()

    def record(self) -> None:
        """It is when all before is done."""
        self.event.record()

    def synchronize(self) -> None:
        """Wait for it."""
        self.event.synchronize()

    def elapsed_time(self, end: "OurEvent") -> float:
        """Milliseconds to another."""
        return self.cupy.cuda.get_elapsed_time(self.event, end.event)


def their_event() -> torch.cuda.Event:
    """PyTorch's."""
    return torch.cuda.Event(enable_timing=True)


def alternate_on_gpu(
    functions: Sequence[tuple[Call, Callable[[], Any]]], rounds: int = 30, calls: int = CALLS
) -> list[list[float]]:
    """Seconds a call, by the GPU's own clock, in blocks in turn; each function with its library's event."""
    times: list[list[float]] = [[] for _ in functions]
    for number in range(rounds + 1):
        for (function, event), kept in zip(functions, times, strict=True):
            if number == 0:  # compiles, captures
                for _ in range(5):
                    function()
            start, end = event(), event()
            start.record()
            for _ in range(calls):
                function()
            end.record()
            end.synchronize()
            if number:
                kept.append(start.elapsed_time(end) / 1e3 / calls)
    return times


def captured_by_torch(step: Call) -> Call:
    """The step as a CUDA graph of PyTorch's, by the recipe of its documentation."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


class Report:
    """Lines that are printed, and in the end kept in ``results/``."""

    def __init__(self, title: str) -> None:
        self.lines = [f"# {title}", ""]

    def add(self, line: str = "") -> None:
        """One more line."""
        print(line, flush=True)
        self.lines.append(line)

    def save(self, name: str) -> None:
        """Keep them, in place of an earlier run's."""
        path = RESULTS / name
        path.write_text("\n".join(self.lines) + "\n")
        print(f"kept in {path}")


def setting(device: str, tf32: bool, threads: int) -> str:
    """Date, machine and versions, in a sentence."""
    told = f"{datetime.date.today()}, Python {platform.python_version()}, NumPy {np.__version__}, "
    told += f"PyTorch {torch.__version__}"
    if device == "cpu":
        return f"{told}; {platform.machine()}, {threads} threads."
    import cupy

    driver, runtime = (getattr(cupy.cuda.runtime, f"{name}GetVersion")() for name in ("driver", "runtime"))
    name = mc.cuda.get_device_name()
    return (
        f"{told} (CUDA {torch.version.cuda}), CuPy {cupy.__version__} (CUDA {runtime}, driver {driver}); "
        f"{name}, TF32 {'allowed' if tf32 else 'not allowed'} on both sides. Medians of CUDA events."
    )


def milliseconds(times: Sequence[float]) -> float:
    """The median."""
    return statistics.median(times) * 1e3
