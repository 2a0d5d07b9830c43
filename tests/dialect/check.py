"""Check a row: against PyTorch, and its gradients against differences."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import minicnn as mc

from .row import FLOATS, Row
from .run import RUNNERS, SCOPES, Chance, evaluate, load, tensors

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}  # relative to the largest number of an array


def check(row: Row) -> None:
    """Every call in every dtype with every case: minicnn does what PyTorch does."""
    for call in row.calls:
        for dtype in row.dtypes:
            for case in row.cases:
                try:
                    ours, theirs = (RUNNERS[row.kind](library, call, case, dtype) for library in (mc, torch))
                    compare(ours, theirs, dtype, "")
                    assert theirs.get("grad", row.grad) == (row.grad and dtype in FLOATS), "the row's grad"
                except Exception as error:
                    error.add_note(f"in {call!r}, {dtype}, {case}")
                    raise


def compare(ours: Any, theirs: Any, dtype: str, where: str) -> None:
    """Equal in structure, shapes and dtypes, and in numbers within the rounding."""
    assert type(ours) is type(theirs), f"{where}: {ours!r} instead of {theirs!r}"
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs), f"{where}: {list(ours)} instead of {list(theirs)}"
        for key in theirs:
            compare(ours[key], theirs[key], dtype, f"{where} {key}")
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs), f"{where}: {len(ours)} instead of {len(theirs)}"
        for i, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            compare(one, other, dtype, f"{where}[{i}]" if isinstance(theirs, list) else where)
    elif isinstance(theirs, np.ndarray):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), where
        finite = theirs[np.isfinite(theirs)]
        scale = max(np.abs(finite).max(initial=0), 0.1)  # a small result of numbers near 1 has lost digits
        bound = TOLERANCE[str(theirs.dtype)] * scale if theirs.dtype.kind == "f" else 0
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound, err_msg=where)
    elif isinstance(theirs, Chance):
        assert abs(ours - theirs) <= theirs.tolerance + 1e-6, f"{where}: {ours} instead of {theirs}"
    elif isinstance(theirs, float):
        np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE.get(dtype, 1e-6), err_msg=where)
    else:
        assert ours == theirs, f"{where}: {ours!r} instead of {theirs!r}"


def check_gradients(row: Row) -> None:
    """The gradients of minicnn against differences, in float64."""
    for call in row.calls:
        for case in row.cases:
            inputs = tensors(mc, case, "float64")
            names, values = list(inputs), list(inputs.values())
            if row.kind == "layer":
                module = evaluate(call, dict(SCOPES[mc])).to(mc.float64)
                load(mc, module)
                values += module.parameters()
                function = layer_function(module, len(names))
            else:
                function = call_function(call, names)
            try:
                if any(x.requires_grad and x.numel() for x in values):
                    assert mc.testing.gradcheck(function, values)
            except Exception as error:
                error.add_note(f"in {call!r}, {case}")
                raise


def call_function(call: str, names: list[str]) -> Callable[..., Any]:
    return lambda *values: evaluate(call, SCOPES[mc] | dict(zip(names, values, strict=True)))


def layer_function(module: Any, count: int) -> Callable[..., Any]:
    """The layer as a function of its inputs and its parameters."""
    paths = [path.rpartition(".") for path, _ in module.named_parameters()]
    owners = [(vars(module.get_submodule(owner)), name) for owner, _, name in paths]

    def function(*values: Any) -> Any:
        for (attributes, name), value in zip(owners, values[count:], strict=True):
            attributes[name] = value
        return module(*values[:count])

    return function
