"""Fair timings of several functions in turn, PyTorch's in a process of their own."""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

import numba
import torch

import minicnn as mc

LEAST = 0.1  # seconds for a function: with less, calls would be told that found cold caches
KEEP_MEMORY = "MINICNN_KEEP_MEMORY"  # see minicnn/kernels/cpu/memory.py
PAUSE = 0.03  # seconds: PyTorch's and Numba's idle threads spin a while and would disturb the other
Call = Callable[[], object]


def set_threads(threads: int) -> None:
    """For both libraries; ValueError if minicnn's would silently be fewer."""
    most = numba.config.NUMBA_NUM_THREADS
    if threads > most:
        raise ValueError(
            f"{threads} threads: this process has {most}; set NUMBA_NUM_THREADS before it starts"
        )
    torch.set_num_threads(threads)
    mc.set_num_threads(threads)


def loss_of(model: Any, loss_fn: Any) -> Callable[[Any, Any], Any]:
    """A function of inputs and targets."""
    return lambda inputs, targets: loss_fn(model(inputs), targets)


def training_step(measure: Callable[[Any, Any], Any], optimizer: Any, inputs: Any, targets: Any) -> Call:
    """A function that trains on one batch and gives the loss that it measures, in minicnn or in PyTorch."""

    def step() -> Any:
        optimizer.zero_grad()
        loss = measure(inputs, targets)
        loss.backward()
        optimizer.step()
        return loss

    return step


def seconds_of(function: Call) -> float:
    """Of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def block(function: Call, seconds: float, longest: float) -> list[float]:
    """Seconds of each call, for so many together; `longest` is about the most that one may take."""
    end = time.perf_counter() + seconds
    if seconds > 4 * longest:
        function()  # wakes the threads
    times = [seconds_of(function)]
    while time.perf_counter() < end - longest / 2:
        times.append(seconds_of(function))
    return times


class Apart:
    """A process for PyTorch alone, as its users' programs have one.

    Beside minicnn it would find what that has set for the whole process: a malloc that keeps freed memory,
    and threads. What functions are given to it and return is pickled.
    """

    def __init__(self, process: ProcessPoolExecutor) -> None:
        self.process = process

    def calls(self, make: Callable[..., Sequence[Call]], *arguments: Any) -> "list[There]":
        """The functions that make(*arguments) returns there; those of the last time are dropped."""
        return [There(self.process, i) for i in range(self.process.submit(keep, make, arguments).result())]


@contextmanager
def apart() -> Iterator[Apart]:
    """The process, which ends with the block."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        with mock.patch.dict(os.environ, {KEEP_MEMORY: "0"}):
            process.submit(os.getpid).result()
        yield Apart(process)


class There:
    """A function in the other process. A call returns a number if the function does, else None."""

    def __init__(self, process: ProcessPoolExecutor, number: int) -> None:
        self.process, self.number = process, number

    def __call__(self) -> float | None:
        return self.process.submit(called, self.number).result()

    def block(self, seconds: float, longest: float) -> list[float]:
        """As the function of that name, timed there."""
        return self.process.submit(timed, self.number, seconds, longest).result()


kept: list[Call] = []  # in the process for PyTorch


def keep(make: Callable[..., Sequence[Call]], arguments: tuple) -> int:
    """Make the functions; how many there are."""
    mc.set_num_threads(1)  # more would start OpenMP's, which are PyTorch's, too
    kept.clear()
    kept.extend(make(*arguments))
    return len(kept)


def called(number: int) -> float | None:
    """Call one of them."""
    result = kept[number]()
    return result if isinstance(result, float) else None


def timed(number: int, seconds: float, longest: float) -> list[float]:
    """The `block` of one of them."""
    return block(kept[number], seconds, longest)


def alternate(functions: Sequence[Call], seconds: float = 4.0, rounds: int = 10) -> list[list[float]]:
    """Time functions in alternating blocks, so that a change of the machine's speed meets all of them.

    Parameters
    ----------
    functions : sequence of callables
        What to time, here or There; each is called three times before: compiled models are recorded in the
        first two.
    seconds : float
        Time for each of them, about; three calls take place in any case.
    rounds : int
        Blocks for each of them; fewer where so many calls take longer than the time.

    Returns
    -------
    list of list of float
        For each function the seconds of every call, but of the first one in a block of many.
    """
    for _ in range(2):
        for function in functions:
            function()
    longest = max(map(seconds_of, functions))
    rounds = max(3, min(rounds, int(seconds / longest)))
    blocks = [f.block if isinstance(f, There) else partial(block, f) for f in functions]
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for run, found in zip(blocks, times, strict=True):
            time.sleep(PAUSE)
            found += run(seconds / rounds, longest)
    return times


class Budget:
    """Minutes that are shared among measurements: those to come get equal parts of what is left."""

    def __init__(self, minutes: float, measurements: int) -> None:
        self.end, self.left = time.perf_counter() + 60 * minutes, measurements

    def seconds(self, functions: int) -> float:
        """For each function of the next measurement: half of its part, as checks take some."""
        part = max(0.0, self.end - time.perf_counter()) / max(1, self.left)
        self.left -= 1
        return max(LEAST, part / 2 / functions)


def median_ms(times: Sequence[float]) -> float:
    """The median in milliseconds."""
    return statistics.median(times) * 1e3


def spread_ms(times: Sequence[float]) -> str:
    """The quartiles in milliseconds, as text."""
    low, _, high = statistics.quantiles(times, n=4)
    return f"{figure(low * 1e3)}-{figure(high * 1e3)}"


def told_ms(times: Sequence[float]) -> str:
    """Median and quartiles in milliseconds, as text."""
    return f"{figure(median_ms(times))} ({spread_ms(times)})"


def figure(x: float) -> str:
    """A number with three digits, as far as they stand behind the point."""
    return f"{x:.{2 if x < 10 else 1 if x < 100 else 0}f}" if x >= 1 else f"{x:.3f}"
