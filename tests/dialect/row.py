"""A row of the table: operations of PyTorch, the calls that show them, and what the calls are given.

A call is written as in a program for PyTorch. It is run twice: with PyTorch behind the names of its import
lines (`torch`, `nn`, `F` ...), and with minicnn behind them. It may be several statements, separated by
semicolons; the last is the result.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

FLOATS = ("float32", "float64")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
NUMBERS = (*FLOATS, *INTEGERS)
ALL = (*NUMBERS, "bool")


@dataclass(frozen=True)
class Draw:
    """An input: its shape and the kind of its values; without a dtype of its own it has the row's."""

    shape: tuple[int, ...]
    kind: str = "any"
    dtype: str = ""
    constant: bool = False
    limit: int = 0

    def array(self, dtype: str, name: str = "x") -> np.ndarray:
        """Values well apart from each other and from whole numbers, so that a small step crosses no kink."""
        dtype = self.dtype or dtype
        rng = np.random.default_rng([*self.shape, *name.encode()])  # x and y of one shape differ
        size = int(np.prod(self.shape))
        places = rng.permutation(size).reshape(self.shape)
        if dtype == "bool":
            return places % 3 < 2
        if dtype not in FLOATS:
            low = 0 if dtype == "uint8" or self.limit or self.kind != "any" else -(size // 2)
            return (places % (self.limit or 100) + low + (self.kind == "positive")).astype(dtype)
        shares = (places + 0.53) / max(size, 1)  # between 0 and 1
        sign = rng.choice([-1.0, 1.0], self.shape)
        values = {
            "any": (shares * 2.3 + 0.07) * sign,
            "positive": shares * 2.3 + 0.07,
            "sign": sign,
            "unit": shares * 0.93 * sign,
            "share": shares * 0.93 + 0.02,
            "distribution": shares / shares.sum(-1, keepdims=True) if size else shares,
        }[self.kind]
        return values.astype(dtype)


def positive(*shape: int) -> Draw:
    """Above 0."""
    return Draw(shape, "positive")


def unit(*shape: int) -> Draw:
    """Between -1 and 1."""
    return Draw(shape, "unit")


def share(*shape: int) -> Draw:
    """Between 0 and 1."""
    return Draw(shape, "share")


def distribution(*shape: int) -> Draw:
    """Above 0, with the sum 1 along the last dimension."""
    return Draw(shape, "distribution")


def places(*shape: int, below: int) -> Draw:
    """int64, from 0 on."""
    return Draw(shape, dtype="int64", limit=below)


def sign(*shape: int) -> Draw:
    """-1 or 1, of which nobody wants the gradient."""
    return Draw(shape, "sign", constant=True)


def truth(*shape: int) -> Draw:
    """True or False."""
    return Draw(shape, dtype="bool")


def constant(*shape: int, kind: str = "any", dtype: str = "") -> Draw:
    """An input of which nobody wants the gradient."""
    return Draw(shape, kind, dtype, constant=True)


@dataclass(frozen=True)
class Row:
    """Names, calls, inputs.

    Attributes
    ----------
    names : tuple of str
        What the row covers: "clamp" is torch.clamp, others have the prefix that import lines give them
        ("Tensor.view", "nn.Conv2d", "F.conv2d", "nn.init.zeros_", "optim.SGD", "lr_scheduler.StepLR").
    calls : tuple of str
        All of them are run with all cases in all dtypes.
    cases : tuple of dict
        Inputs by the names that calls have for them.
    dtypes : tuple of str
        Those of inputs without one of their own.
    grad : bool
        Whether a result of floating point inputs requires grad.
    kind : str
        How calls are run and compared: a key of ``run.RUNNERS``.
    remark : str
        What to know; above all, where minicnn differs on purpose.
    derived : int
        How many calls at the end are the first ones under other names.
    differences : bool
        Whether gradients are those of the values; not so, for example, where a hook changes them.
    """

    names: tuple[str, ...]
    calls: tuple[str, ...]
    cases: tuple[dict[str, Draw], ...]
    dtypes: tuple[str, ...] = FLOATS
    grad: bool = True
    kind: str = "call"
    remark: str = ""
    derived: int = 0
    differences: bool = True

    def __str__(self) -> str:
        return f"{self.names[0]}: {self.calls[0]}"


Shape = Draw | tuple[int, ...]


def row(
    names: str,
    *calls: str,
    dtypes: tuple[str, ...] = FLOATS,
    grad: bool = True,
    kind: str = "call",
    remark: str = "",
    derived: int = 0,
    differences: bool = True,
    **inputs: Shape | Sequence[Shape],
) -> Row:
    """A Row; an input is a shape or a Draw, or a list of them for several cases."""
    lists = {name: given if isinstance(given, list) else [given] for name, given in inputs.items()}
    count = max((len(given) for given in lists.values()), default=1)
    cases = tuple(
        {name: as_draw(given[i] if len(given) > 1 else given[0]) for name, given in lists.items()}
        for i in range(count)
    )
    return Row(tuple(names.split()), calls, cases, dtypes, grad, kind, remark, derived, differences)


def as_draw(given: Any) -> Draw:
    return given if isinstance(given, Draw) else Draw(given)


def method(names: str, *calls: str, **settings: Any) -> Row:
    """A method of x that is a function, too: ``x.sum(0)`` is called as ``torch.sum(x, 0)`` as well.

    Further names are PyTorch's second ones; they are called in the same way.
    """
    first, *others = names.split()
    every = [*calls]
    for name in (first, *others):
        for call in calls:
            found = re.fullmatch(rf"x\.{first}\((.*)\)", call)
            if found:
                given = found[1]
                every += [f"torch.{name}(x{', ' if given else ''}{given})"]
                every += [f"x.{name}({given})"] if name != first else []
    assert len(every) > len(calls), f"no call of x.{first}"
    both = [whole for name in (first, *others) for whole in (name, f"Tensor.{name}")]
    return row(" ".join(both), *every, derived=len(every) - len(calls), **settings)
