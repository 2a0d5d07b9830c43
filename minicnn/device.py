"""Where an array lives and which kernels work on it: the two seams between operations and devices."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

TYPES = ("cpu", "cuda")
NO_GPU = "this version of minicnn has no GPU kernels"
_chosen: ContextVar[str] = ContextVar("kernels", default="cpu")


class device:  # noqa: N801 (PyTorch's name)
    """Where Tensors live: ``device("cpu")``, ``device("cuda:0")``, ``device("cuda", 0)``.

    Parameters
    ----------
    type : str or device
        "cpu" or "cuda", with a number after a colon if there are several.
    index : int, optional
        Which of several, if `type` does not say it.
    """

    __slots__ = ("index", "type")

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = str(type), None
        if not isinstance(type, str) or not (index is None or isinstance(index, int)):
            raise TypeError(f'device: expected a name such as "cpu" and an int, got {type!r} and {index!r}')
        kind, colon, number = type.partition(":")
        if kind not in TYPES or (colon and (not number.isdecimal() or index is not None)):
            raise RuntimeError(f'device: expected "cpu", "cuda" or "cuda:0", got {type!r} (index {index})')
        self.type, self.index = kind, int(number) if colon else index
        if self.index is not None and self.index < 0:
            raise RuntimeError(f"device: expected an index of at least 0, got {index}")

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        number = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{number})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))


CPU = device("cpu")


def check_device(name: str, where: Any) -> None:
    """Raise RuntimeError unless Tensors can live there: None, "cpu", or a device of that kind."""
    if where is None or where is CPU or where == "cpu":
        return
    if (where if isinstance(where, device) else device(where)).type != "cpu":
        raise RuntimeError(f'{name}: {where} is not available, {NO_GPU}; use "cpu"')


def array_module(x: Any) -> ModuleType:
    """The module whose functions work on the array x."""
    return np


def kernels_for(x: Any) -> ModuleType:
    """The kernels that work on the array x: a module with all of them under their names.

    It is imported at the first use, so that importing minicnn stays light.
    """
    return telling(_chosen.get())


@cache
def telling(name: str) -> ModuleType:
    """The package of kernels of that name."""
    return importlib.import_module(f"minicnn.kernels.{name}")


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
