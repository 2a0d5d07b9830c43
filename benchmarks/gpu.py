"""What benchmarks on a GPU share: whether there is one, fair timings, PyTorch's faster modes."""

import argparse
import datetime
import gc
import platform
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

import minicnn as mc
from benchmarks.report import add_results

BLOCK = 5e-3  # seconds at least that two events enclose, or one call: less they do not tell apart
SECONDS = 1.0  # for each function
ROUNDS = 50  # at most
Call = Callable[[], Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--device``, ``--tf32`` and ``--results``."""
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--tf32", action="store_true", help="on a GPU let both round factors to TF32")
    add_results(parser)


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
    round_factors(tf32)


def round_factors(tf32: bool) -> None:
    """Let both libraries round the factors of float32 products to TF32, or neither."""
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
    functions: Sequence[tuple[Call, Callable[[], Any]]], seconds: float = SECONDS, rounds: int = ROUNDS
) -> list[list[float]]:
    """Seconds a call, by the GPU's own clock, in blocks in turn, so that its clock rate meets all alike.

    Parameters
    ----------
    functions : sequence of pairs
        What to time, and what makes an event of its library.
    seconds : float
        Time for each of them, about, after five calls in which it compiles and captures.
    rounds : int
        Blocks for each of them, at most; there are three at least.

    Returns
    -------
    list of list of float
        For each function the mean of every block.
    """
    calls = []
    for function, event in functions:
        for _ in range(4):
            function()
        once = max(timed(function, event, 1), 1e-6)
        block = min(max(round(BLOCK / once), 1), 1000)
        calls.append(block)
        rounds = min(rounds, max(int(seconds / (block * once)), 3))
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for (function, event), block, kept in zip(functions, calls, times, strict=True):
            kept.append(timed(function, event, block))
    return times


def timed(function: Call, event: Callable[[], Any], calls: int) -> float:
    """Seconds a call between two events around some calls."""
    start, end = event(), event()
    start.record()
    for _ in range(calls):
        function()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3 / calls


def captured_by_torch(step: Call, warmup: int = 3) -> Call:
    """The step as a CUDA graph of PyTorch's, by the recipe of its documentation.

    Warmed up on the stream that is captured: PyTorch's backward pass runs where its forward pass ran.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(warmup):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    gc.collect()  # no memory may be freed by the driver while a stream captures, whoever's it is
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        outputs = step()

    def replay(step: Call = step) -> Any:  # a step that is kept keeps what the graph works on
        graph.replay()
        return outputs

    return replay


def give_back() -> None:
    """Free the memory that both libraries keep for later."""
    gc.collect()
    mc.cuda.empty_cache()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def setting(device: str, tf32: bool) -> str:
    """Date, machine and versions, in a sentence or two."""
    told = f"{datetime.date.today()}, Python {platform.python_version()}, NumPy {np.__version__}, "
    told += f"PyTorch {torch.__version__}"
    if device == "cpu":
        return f"{told}; {platform.machine()}."
    import cupy

    driver, runtime = (getattr(cupy.cuda.runtime, f"{name}GetVersion")() for name in ("driver", "runtime"))
    return (
        f"{told} (CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}), "
        f"CuPy {cupy.__version__} (CUDA {runtime}, driver {driver}); {mc.cuda.get_device_name()}. "
        f"TF32 is {'allowed' if tf32 else 'not allowed'} on both sides."
    )


def milliseconds(times: Sequence[float]) -> float:
    """The median."""
    return statistics.median(times) * 1e3
