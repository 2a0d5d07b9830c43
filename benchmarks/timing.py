"""Fair timings of several functions in one process."""

import statistics
import time
from collections.abc import Callable, Sequence

PAUSE = 0.03  # seconds: PyTorch's and Numba's idle threads spin a while and would disturb the other


def alternate(
    functions: Sequence[Callable[[], object]], seconds: float = 4.0, rounds: int = 10
) -> list[list[float]]:
    """Time functions in alternating blocks, so that a change of the machine's speed meets all of them.

    Parameters
    ----------
    functions : sequence of callables
        What to time; each is called a few times before.
    seconds : float
        Time for each of them, about.
    rounds : int
        Blocks for each of them.

    Returns
    -------
    list of list of float
        For each function the seconds of every call.
    """
    for function in functions:
        for _ in range(3):
            function()
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, kept in zip(functions, times, strict=True):
            time.sleep(PAUSE)
            function()
            end = time.perf_counter() + seconds / rounds
            while time.perf_counter() < end:
                start = time.perf_counter()
                function()
                kept.append(time.perf_counter() - start)
    return times


def median_ms(times: Sequence[float]) -> float:
    """The median in milliseconds."""
    return statistics.median(times) * 1e3


def spread_ms(times: Sequence[float]) -> str:
    """The quartiles in milliseconds, as text."""
    low, _, high = statistics.quantiles(times, n=4)
    return f"{low * 1e3:.2f}-{high * 1e3:.2f}"
