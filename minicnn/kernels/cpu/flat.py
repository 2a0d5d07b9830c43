"""Passes over arrays, number by number: by one thread, or shared among the threads where that is worth it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import get_num_threads

SHARE = 1 << 15  # fewer numbers than this are not worth another thread


def flat(a: np.ndarray) -> np.ndarray:
    """All numbers of an array in one row: its own memory if they lie like that, else a copy."""
    return np.asarray(a, order="C").reshape(-1)


def run(alone: Callable, shared: Callable, arrays: list[np.ndarray], *numbers: Any) -> None:
    """Call alone(*arrays, *numbers), or shared(*arrays, threads, *numbers) if the flat arrays are large."""
    threads = min(get_num_threads(), arrays[0].size // SHARE)
    if threads > 1:
        shared(*arrays, threads, *numbers)
    else:
        alone(*arrays, *numbers)
