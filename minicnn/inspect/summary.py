"""A model's layers in a table: what comes out of each, its parameters, its multiply-accumulates."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from minicnn import nn
from minicnn.autograd import no_grad
from minicnn.tensor import Tensor, zeros


@dataclass(frozen=True)
class Row:
    """One call of one layer.

    Attributes
    ----------
    name, kind : str
        Dotted name in the model, and class.
    shape : tuple of int
        Of the output; () if that is no Tensor.
    parameters : int
        Numbers in its parameters; 0 where they were counted in a row above.
    macs : int
        Multiply-accumulates of this call.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    macs: int


@dataclass(frozen=True)
class Summary:
    """What `summary` found; printed, it is a table.

    Attributes
    ----------
    rows : tuple of Row
        The layers in the order of their calls.
    input_size : tuple of int
        Shape of the input, with its batch dimension.
    parameters, trainable : int
        Numbers in all parameters of the model, and in those that require grad; shared ones count once.
    macs : int
        Multiply-accumulates of all rows.
    """

    rows: tuple[Row, ...]
    input_size: tuple[int, ...]
    parameters: int
    trainable: int
    macs: int

    def __str__(self) -> str:
        cells = [("layer", "output shape", "parameters", "MACs")]
        cells += [
            (f"{r.name} ({r.kind})" if r.name else r.kind, str(tuple(r.shape)), *counts(r)) for r in self.rows
        ]
        total = ("total", "", f"{self.parameters:,}", f"{self.macs:,}")
        widths = [max(map(len, column)) for column in zip(*cells, total, strict=True)]
        lines = [line(row, widths) for row in cells]
        rule = "-" * len(lines[0])
        frozen = self.parameters - self.trainable
        lines = [f"input {self.input_size}", rule, lines[0], rule, *lines[1:], rule, line(total, widths)]
        if frozen:
            lines.append(f"{frozen:,} of the parameters are frozen")
        return "\n".join(lines)


def counts(row: Row) -> tuple[str, str]:
    """Parameters and MACs as text; nothing where there are none."""
    return f"{row.parameters:,}" if row.parameters else "", f"{row.macs:,}" if row.macs else ""


def line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Two columns of text, then numbers, aligned."""
    text = [cell.ljust(width) for cell, width in zip(cells[:2], widths[:2], strict=True)]
    numbers = [cell.rjust(width) for cell, width in zip(cells[2:], widths[2:], strict=True)]
    return "  ".join(text + numbers).rstrip()


def summary(model: nn.Module, input_size: Sequence[int]) -> Summary:
    """Run a model once on zeros, in evaluation mode, and list its layers.

    Parameters
    ----------
    model : Module
        It is as before afterwards, also after an error.
    input_size : sequence of int
        (C, H, W) or (features) for one sample, or with a batch dimension, (N, C, H, W) or (N, features): one
        or three numbers have none.

    Returns
    -------
    Summary
        A table when printed. A convolution's MACs are N * O * OH * OW * C / groups * KH * KW, a linear
        layer's N * out * in; attention adds its projections and its two products, scores and means.
        Additions of the bias and other layers count nothing.

    Raises
    ------
    RuntimeError
        The layers' own errors, if the input does not fit.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"summary: expected a Module, got {type(model).__name__}")
    if isinstance(input_size, int):
        raise TypeError(f"summary: expected input_size as a sequence of ints, got {input_size}")
    size = tuple(input_size)
    if not 1 <= len(size) <= 4 or any(n < 1 for n in size):
        raise ValueError(f"summary: expected input_size as one to four sizes of at least 1, got {input_size}")
    if len(size) % 2:
        size = (1, *size)
    rows: list[Row] = []
    seen: set[nn.Parameter] = set()

    def record(name: str, module: nn.Module, args: tuple, output: Any) -> None:
        new = [p for p in module.parameters(recurse=False) if p not in seen]
        seen.update(new)
        first = output[0] if isinstance(module, nn.MultiheadAttention) else output
        shape = tuple(first.shape) if isinstance(first, Tensor) else ()
        kind = type(module).__name__
        rows.append(Row(name, kind, shape, sum(p.numel() for p in new), macs_of(module, args, shape)))

    parameters = list(model.parameters())
    x = zeros(size, dtype=parameters[0].dtype if parameters else np.float32)
    with no_grad(), observed(model, record):
        model(x)
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    return Summary(
        tuple(rows), size, sum(p.numel() for p in parameters), trainable, sum(r.macs for r in rows)
    )


def macs_of(module: nn.Module, args: tuple, shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of one call: for each number of a product those of its sum."""
    if isinstance(module, nn.MultiheadAttention):
        query, key, value = (x.numel() for x in args[:3])  # of all pictures and places, times the width
        width, keys = module.embed_dim, args[1].shape[-2 if module.batch_first or args[1].ndim == 2 else 0]
        return (query + key + value + 2 * query // width * keys) * width
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
        return math.prod(shape) * math.prod(module.weight.shape[1:])
    return 0


@contextmanager
def observed(model: nn.Module, record: Callable[[str, nn.Module, tuple, Any], None]) -> Iterator[None]:
    """In evaluation mode tell `record` of every call of a layer: one without children, or with parameters."""
    modes = [(module, module.training) for module in model.modules()]
    layers = [
        (name, module)
        for name, module in model.named_modules()
        if not any(module.children()) or any(True for _ in module.parameters(recurse=False))
    ]
    own = [(module, vars(module).get("forward")) for _, module in layers]
    try:
        for name, module in layers:
            vars(module)["forward"] = recording(name, module, module.forward, record)
        model.eval()
        yield
    finally:
        for module, forward in own:
            vars(module).pop("forward", None)
            if forward is not None:
                vars(module)["forward"] = forward
        for module, mode in modes:
            module.training = mode


def recording(name: str, module: nn.Module, forward: Callable, record: Callable) -> Callable:
    """A forward that also records its result."""

    def call(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        record(name, module, args, output)
        return output

    return call
