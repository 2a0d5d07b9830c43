"""The CUDA kernels under their names, on arrays of NumPy: for tests that also run those of the CPU.

An array goes to the emulator as it lies in memory, strides and all; what a kernel changes is seen outside.
Where tests run on a GPU, these do, too.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from emulator import cupy as emulated
from minicnn.kernels import reference

real = False  # whether tests run on a GPU: --device cuda


def cupy() -> ModuleType:
    """CuPy where tests run on a GPU, and else the stand-in."""
    if not real:
        emulated.install()
    return import_module("cupy")


def run(kernel: Callable, *args: Any) -> Any:
    """The results of a kernel, as arrays of NumPy."""
    xp, arrays = cupy(), []

    def placed(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append((value, xp.ndarray(value) if xp is emulated else xp.asarray(value)))
            return arrays[-1][1]
        return tuple(map(placed, value)) if type(value) in (tuple, list) else value

    def fetched(value: Any) -> Any:
        if isinstance(value, xp.ndarray):
            return xp.asnumpy(value)
        return tuple(map(fetched, value)) if isinstance(value, tuple) else value

    results = fetched(kernel(*map(placed, args)))
    for host, array in arrays:
        if xp is not emulated and host.flags.writeable:
            host[...] = array.get()
    return results


def __getattr__(name: str) -> Callable:
    """The kernel of that name."""
    family = getattr(reference, name).__module__.rpartition(".")[2]
    return partial(run, getattr(import_module(f"minicnn.kernels.cuda.{family}"), name))
