"""docs/dialect.md, made from the table."""

import html
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import minicnn as mc
from minicnn.outside.names import DATA_GROUPS, GROUPS

from . import FAMILIES
from .names import NOT_COVERED, OWN
from .row import ALL, FLOATS, INTEGERS, NUMBERS, Row

PATH = Path(__file__).parents[2] / "docs" / "dialect.md"

HEAD = """\
# The dialect

What minicnn shares with PyTorch. A program changes its import lines and goes on:

```python
import minicnn as torch
import minicnn.nn as nn
import minicnn.nn.functional as F
import minicnn.optim as optim
from minicnn.optim import lr_scheduler
from minicnn.utils.data import DataLoader  # torch.utils.data
from minicnn.data import datasets, transforms  # torchvision
```

Every call below is a test: it runs with PyTorch and with minicnn, and gives the same values, shapes, dtypes
and gradients. Where the gradient column says yes, the gradient also agrees with differences of the values.
Inputs (`x`, `y`, `weight` ...) are Tensors, `i` of integers, `mask` of truth values. What is outside, and the
nearest thing to it, stands at the end.

*This page is made from the table in `tests/dialect` by `python -m tests.dialect`.*
"""

MOST = 12  # calls in a line
DATA = "Data and augmentation"
DTYPES = {FLOATS: "float", INTEGERS: "integer", NUMBERS: "float, integer", ALL: "all", ("bool",): "bool"}


def document() -> str:
    """The page."""
    titles = [*map(title, FAMILIES), DATA, "Tested elsewhere", "minicnn's own", "Outside the dialect"]
    contents = "\n".join(f"- [{title}](#{anchor(title)})" for title in titles)
    sections = [line for family in FAMILIES for line in section(family)]
    return "\n".join([HEAD, contents, *sections, *data(), *elsewhere(), *own(), *outside()]) + "\n"


def data() -> Iterator[str]:
    """Names that are torchvision's, or need files: no row can call them."""
    yield f"\n## {DATA}\n"
    yield "Names, arguments and results of PyTorch and torchvision. They are compared with PyTorch, and with"
    yield "answers that torchvision gave, in `test_loader_arguments.py`, `test_transforms.py` and others.\n"
    yield "| module | PyTorch's | names |"
    yield "| --- | --- | --- |"
    for theirs, module in {
        "torch.utils.data": mc.utils.data,
        "torchvision.datasets": mc.data.datasets,
        "torchvision.transforms": mc.data.transforms,
        "torchvision.utils": mc.data.utils,
        "torchvision.io": mc.data.io,
    }.items():
        yield f"| `{module.__name__}` | `{theirs}` | {quoted(module.__all__)} |"


def elsewhere() -> Iterator[str]:
    yield "\n## Tested elsewhere\n"
    yield "| name | tests and the reason |"
    yield "| --- | --- |"
    for names, reason in NOT_COVERED.items():
        yield f"| {quoted(names.split())} | {reason} |"


def own() -> Iterator[str]:
    yield "\n## minicnn's own\n"
    yield "Names that PyTorch does not have.\n"
    yield "| name | what it is |"
    yield "| --- | --- |"
    for names, what in OWN.items():
        yield f"| {quoted(names.split())} | {what} |"


def outside() -> Iterator[str]:
    yield "\n## Outside the dialect\n"
    yield "These names of PyTorch raise an error that is a `NotImplementedError` and an `AttributeError`,"
    yield "and says what to write instead. Where `x.f_()` is missing, write `x = x.f()`.\n"
    yield "| PyTorch's name | instead |"
    yield "| --- | --- |"
    for instead, names in GROUPS + DATA_GROUPS:
        yield f"| {quoted(names.split())} | {instead} |"


def anchor(title: str) -> str:
    """GitHub's name for a heading."""
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-")


def title(family: ModuleType) -> str:
    """The first line of its docstring."""
    return (family.__doc__ or "").partition("\n")[0]


def section(family: ModuleType) -> Iterator[str]:
    yield f"\n## {title(family)}\n"
    remark = (family.__doc__ or "").partition("\n\n")[2].strip()
    if remark:
        yield remark + "\n"
    yield "| name | called as | dtypes | gradient |"
    yield "| --- | --- | --- | --- |"
    merged: dict[tuple[str, str, str], list[str]] = {}
    shown: dict[str, tuple[str, str, str]] = {}  # name -> the line where it stands first
    for row in family.ROWS:
        line = (names(row), dtypes(row), "yes" if row.grad else "")
        first = shown.setdefault(row.names[0], line)
        same = (
            first[1:] == line[1:] and not row.remark and all(shown.get(name) == first for name in row.names)
        )
        for name in row.names:
            shown.setdefault(name, line)
        merged.setdefault(first if same else line, []).extend(
            map(code, row.calls[: len(row.calls) - row.derived])
        )
    for (name, kinds, grad), calls in merged.items():
        calls = [*dict.fromkeys(calls)]
        more = [f"and {len(calls) - MOST} more"] if len(calls) > MOST else []
        yield f"| {name} | {'<br>'.join(calls[:MOST] + more)} | {kinds} | {grad} |"


def names(row: Row) -> str:
    """Its names, but not a method beside the function of the same name; and what to know."""
    methods = {f"Tensor.{name}" for name in row.names}
    kept = quoted([name for name in row.names if name not in methods])
    return f"{kept}<br>{row.remark}" if row.remark else kept


def dtypes(row: Row) -> str:
    """Those of the inputs that have the row's."""
    if row.kind == "call" and all(draw.dtype for case in row.cases for draw in case.values()):
        return ""
    return DTYPES.get(row.dtypes) or ", ".join(row.dtypes)


def quoted(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def code(call: str) -> str:
    """As code in a cell."""
    if "\n" in call:
        return f"<pre>{html.escape(call, quote=False).replace(chr(10), '<br>').replace('|', '&#124;')}</pre>"
    return "`" + call.replace("|", "\\|") + "`"
