"""Who runs a kernel: one thread, or all of them where there is enough to do.

A kernel is written for a part of its work, and `share_NAME` beside it gives each thread a part.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import get_num_threads

SHARE = 1 << 15  # fewer numbers than this are not worth another thread
PRODUCTS = 4  # products of a matrix product that take as long as one number of other kernels


def flat(a: np.ndarray) -> np.ndarray:
    """All numbers of an array in one row: its own memory if they lie like that, else a copy."""
    return a.reshape(-1)


def run(alone: Callable, shared: Callable, arrays: list[np.ndarray], *numbers: Any) -> None:
    """Call alone(*arrays, *numbers), or shared(*arrays, threads, *numbers) if the flat arrays are large."""
    parts = arrays[0].size // SHARE
    if parts > 1 and get_num_threads() > 1:
        shared(*arrays, min(get_num_threads(), parts), *numbers)
    else:
        alone(*arrays, *numbers)


def run_jobs(alone: Callable, shared: Callable, jobs: int, numbers: int, *args: Any) -> None:
    """Call alone(*args, 0, jobs), or shared(*args, jobs, threads) if they go through many numbers."""
    if numbers >= 2 * SHARE and jobs > 1 and get_num_threads() > 1:
        shared(*args, jobs, get_num_threads())
    else:
        alone(*args, 0, jobs)
