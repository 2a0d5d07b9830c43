"""Where an array lives and which kernels work on it: the two seams between operations and devices."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import numpy as np

_chosen: ContextVar[str] = ContextVar("kernels", default="cpu")


def array_module(x: Any) -> ModuleType:
    """The module whose functions work on the array x."""
    return np


def kernels_for(x: Any) -> ModuleType:
    """The kernels that work on the array x: a module with all of them under their names.

    It is imported at the first use, so that importing minicnn stays light.
    """
    return importlib.import_module(f"minicnn.kernels.{_chosen.get()}")


@contextmanager
def use_kernels(name: str) -> Iterator[None]:
    """Choose the kernels inside a ``with`` block: "reference" (plain loops, slow) or "cpu" (the default)."""
    if name not in ("reference", "cpu"):
        raise ValueError(f'use_kernels: expected "reference" or "cpu", got {name!r}')
    token = _chosen.set(name)
    try:
        yield
    finally:
        _chosen.reset(token)
