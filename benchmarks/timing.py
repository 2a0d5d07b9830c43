"""Fair timings of several functions in one process."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numba
import torch

import minicnn as mc

LEAST = 0.1  # seconds for a function: with less, calls would be told that found cold caches
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


def training_step(model: Any, optimizer: Any, loss_fn: Any, inputs: Any, targets: Any) -> Call:
    """A function that trains on one batch and gives the loss, in minicnn or in PyTorch."""

    def step() -> Any:
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    return step


def seconds_of(function: Call) -> float:
    """Of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def alternate(functions: Sequence[Call], seconds: float = 4.0, rounds: int = 10) -> list[list[float]]:
    """Time functions in alternating blocks, so that a change of the machine's speed meets all of them.

    Parameters
    ----------
    functions : sequence of callables
        What to time; each is called three times before: compiled models are recorded in the first two.
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
    block = seconds / rounds
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, kept in zip(functions, times, strict=True):
            time.sleep(PAUSE)
            end = time.perf_counter() + block
            if block > 4 * longest:
                function()  # wakes the threads
            kept.append(seconds_of(function))
            while time.perf_counter() < end - longest / 2:
                kept.append(seconds_of(function))
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
