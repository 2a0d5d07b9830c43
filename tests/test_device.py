"""Tensors on a GPU: the whole table of the dialect there, beside the CPU's results; and what moves between the two.

The GPU is that of the machine with ``--device cuda``, and else the emulated one.
"""

import copy
import io
import pickle
import re
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import minicnn as mc
import minicnn.nn as nn
import minicnn.nn.functional as F
from dialect import ROWS, run
from dialect.check import compare
from dialect.row import Row

MAKERS = """arange as_tensor empty eye full linspace logspace normal ones rand randint randn randperm tensor
zeros""".split()
ON_THE_CPU = re.compile(r"numpy|np\.(as)?array\(|np\.exp|memoryview|'cpu'")  # calls that are about the CPU
EVERYWHERE = [row for row in ROWS if row.kind != "schedule"]  # of learning rates


class There:
    """minicnn, but what it makes is made on a device: Tensors, and layers."""

    def __init__(self, library: ModuleType, device: str) -> None:
        self.__dict__ |= {"library": library, "made_on": device}

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.library, name)
        if isinstance(value, ModuleType):
            return There(value, self.made_on)
        if isinstance(value, type) and issubclass(value, nn.Module):
            return Layer(value, self.made_on)
        if name in MAKERS and self.library is mc:
            return lambda *args, **kwargs: value(*args, **{"device": self.made_on} | kwargs)
        return value


class Layer:
    """A kind of layer whose layers are made on a device."""

    def __init__(self, kind: type[nn.Module], device: str) -> None:
        self.kind, self.made_on = kind, device

    def __call__(self, *args: Any, **kwargs: Any) -> nn.Module:
        return self.kind(*args, **kwargs).to(self.made_on)

    def __instancecheck__(self, module: Any) -> bool:
        return isinstance(module, self.kind)


@pytest.fixture
def there(cuda: str, monkeypatch: pytest.MonkeyPatch) -> There:
    """minicnn on the GPU, as the runners of the table take a library."""
    library = There(mc, cuda)
    names = {"torch": library, **{name: getattr_path(library, path) for name, path in run.IMPORTS.items()}}
    monkeypatch.setitem(run.SCOPES, library, run.SCOPES[mc] | names)
    return library


def getattr_path(library: Any, path: str) -> Any:
    for name in path.split("."):
        library = getattr(library, name)
    return library


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Where the Tensors are that a runner of the table has told of."""
    seen, told = set(), run.told

    def spy(value: Any) -> Any:
        if isinstance(value, mc.Tensor):
            seen.add(value.device.type)
        return told(value)

    monkeypatch.setattr(run, "told", spy)
    return seen


@pytest.mark.parametrize("row", EVERYWHERE, ids=str)
def test_gives_what_the_cpu_gives(row: Row, there: There, places: set[str]) -> None:
    for call in row.calls[: len(row.calls) - row.derived]:
        for dtype in row.dtypes:
            for case in row.cases:
                try:
                    both(row, call, case, dtype, there, places)
                except Exception as error:
                    error.add_note(f"in {call!r}, {dtype}, {case}")
                    raise


def both(row: Row, call: str, case: Any, dtype: str, there: There, places: set[str]) -> None:
    runner = run.RUNNERS[row.kind]
    mc.manual_seed(0)
    expected = runner(mc, call, case, dtype)
    mc.manual_seed(0)
    places.clear()
    try:
        got = runner(there, call, case, dtype)
    except TypeError as error:
        assert ON_THE_CPU.search(call) and "can't convert cuda:0 device type tensor to numpy" in str(error)
        return
    compare(got, expected, dtype, "")
    assert places <= {"cuda"} or ON_THE_CPU.search(call)
