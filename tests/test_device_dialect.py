"""The whole table of the dialect on a GPU, beside what the CPU gives: values, gradients, and where they are.

The GPU is that of the machine with ``--device cuda``, and else the emulated one.
"""

import itertools
import re
from types import ModuleType
from typing import Any

import pytest

import minicnn as mc
import minicnn.nn as nn
from dialect import ROWS, run
from dialect.check import compare
from dialect.row import Row

MAKERS = [
    "arange", "as_tensor", "empty", "eye", "full", "linspace", "logspace", "normal", "ones", "rand",
    "randint", "randn", "randperm", "tensor", "zeros",
]  # fmt: skip
OF_A_PLACE = re.compile(  # calls that make something on the CPU, or show where something is
    r"numpy|np\.(as)?array\(|np\.exp|memoryview|dlpack|cpu\b|Tensor\(|(repr|str)\(|device|is_cuda"
)
EVERYWHERE = [
    (row, calls)
    for row in ROWS
    if row.kind != "schedule"  # of learning rates
    and not any("rop" in name or "tochastic" in name for name in row.names)  # drawn there: test_device.py
    and (calls := [c for c in row.calls[: len(row.calls) - row.derived] if not OF_A_PLACE.search(c)])
]


class There:
    """minicnn, but what it makes is made on a device: Tensors, and layers."""

    def __init__(self, library: ModuleType, device: str) -> None:
        self.__dict__ |= {"library": library, "made_on": device}

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.library, name)
        if isinstance(value, ModuleType):
            return There(value, self.made_on)
        if isinstance(value, type) and issubclass(value, nn.Module) and value is not nn.Module:
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


@pytest.mark.parametrize(("row", "calls"), EVERYWHERE, ids=lambda x: "" if isinstance(x, list) else str(x))
def test_gives_what_the_cpu_gives(row: Row, calls: list[str], there: There, places: set[str]) -> None:
    runner = run.RUNNERS[row.kind]
    for call, dtype, case in itertools.product(calls, row.dtypes, row.cases):
        try:
            mc.manual_seed(0)
            expected = runner(mc, call, case, dtype)
            mc.manual_seed(0)
            places.clear()
            got = runner(there, call, case, dtype)
            compare(got, expected, dtype, "")
            assert places <= {"cuda"}
        except Exception as error:
            error.add_note(f"in {call!r}, {dtype}, {case}")
            raise
