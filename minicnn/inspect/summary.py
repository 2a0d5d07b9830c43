"""A model's layers in a table: what comes out of each, what it sees of the picture, and what it costs."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from minicnn import nn
from minicnn.autograd import Function, enable_grad, no_grad
from minicnn.device import array_module
from minicnn.inspect.calls import observed
from minicnn.inspect.receptive import receptive_fields
from minicnn.inspect.table import table
from minicnn.tensor import Tensor, zeros

RUNS = 5  # timed ones


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
    memory : int
        Bytes of the output; 0 if it is in the memory of an input, as of a layer that works in place.
    receptive_field : (float, float) or None
        Height and width, in pixels of the input, of what one number of the output depends on; inf where that
        is all of it. None for outputs that are not (N, C, H, W) or (N, C, L), and where it cannot be told.
    seconds : float or None
        Median time of the call; None if it was not measured.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    macs: int
    memory: int
    receptive_field: tuple[float, float] | None = None
    seconds: float | None = None


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
    parameter_memory : int
        Bytes of all parameters.
    macs, memory : int
        Of all rows.
    seconds : float or None
        Median time of the whole model; None if it was not measured.
    """

    rows: tuple[Row, ...]
    input_size: tuple[int, ...]
    parameters: int
    trainable: int
    parameter_memory: int
    macs: int
    memory: int
    seconds: float | None = None

    def __str__(self) -> str:
        return table(self)


def summary(model: nn.Module, input_size: Sequence[int], time: bool = False) -> Summary:
    """Run a model on zeros, in evaluation mode, and list its layers.

    Parameters
    ----------
    model : Module
        It is as before afterwards, also after an error.
    input_size : sequence of int
        (C, H, W) or (features) for one sample, or with a batch dimension, (N, C, H, W) or (N, features): one
        or three numbers have none.
    time : bool
        Also run it five times more, without recording gradients, and tell how long each layer took.

    Returns
    -------
    Summary
        A table when printed. A convolution's MACs are N * O * OH * OW * C / groups * KH * KW, a linear
        layer's N * out * in; attention adds its projections and its two products, scores and means.
        Additions of the bias and other layers count nothing. Receptive fields are told in
        `minicnn.inspect.receptive`.

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
    parameters = list(model.parameters())
    first = parameters[0] if parameters else zeros(0)
    x = zeros(size, dtype=first.dtype, device=first.device)
    rows = rows_of(model, x)
    seconds = None
    if time:
        rows, seconds = timed(rows, model, x)
    return Summary(
        tuple(rows),
        size,
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
        sum(p.array.nbytes for p in parameters),
        sum(r.macs for r in rows),
        sum(r.memory for r in rows),
        seconds,
    )


def rows_of(model: nn.Module, x: Tensor) -> list[Row]:
    """The calls of layers in one forward pass, which is recorded, for the receptive fields."""
    rows: list[Row] = []
    seen: set[nn.Parameter] = set()
    nodes: list[Function | None] = []  # of the rows' outputs

    def record(name: str, module: nn.Module, args: tuple, output: Any, _: float) -> None:
        new = [p for p in module.parameters(recurse=False) if p not in seen]
        seen.update(new)
        first = output[0] if isinstance(module, nn.MultiheadAttention) else output
        shape, memory, node = (), 0, None
        if isinstance(first, Tensor):
            shape, node = tuple(first.shape), first.grad_fn
            within = array_module(first.array).may_share_memory
            if not any(isinstance(x, Tensor) and within(x.array, first.array) for x in args):
                memory = first.array.nbytes
        nodes.append(node if len(shape) > 2 else None)
        kind, count = type(module).__name__, sum(p.numel() for p in new)
        rows.append(Row(name, kind, shape, count, macs_of(module, args, shape), memory))

    x = x.detach().requires_grad_()
    with enable_grad(), observed(model, record):
        model(x + 0)  # a leaf would not allow a model to begin in place
    starts = {node: row.shape for node, row in zip(nodes, rows, strict=True) if node is not None}
    fields = receptive_fields(x, starts)
    found = (None if node is None else fields.get(node) for node in nodes)
    return [
        replace(row, receptive_field=None if field is None else field.pixels())
        for row, field in zip(rows, found, strict=True)
    ]


def timed(rows: list[Row], model: nn.Module, x: Tensor) -> tuple[list[Row], float]:
    """The rows with the median times of their calls, and that of the model."""
    runs: list[list[float]] = []
    whole = []
    for _ in range(RUNS):
        times: list[float] = []
        with no_grad(), observed(model, lambda *call, times=times: times.append(call[-1])):
            start = perf_counter()
            model(x)
            whole.append(perf_counter() - start)
        runs.append(times)
    medians = map(statistics.median, zip(*runs, strict=True))
    rows = [replace(row, seconds=seconds) for row, seconds in zip(rows, medians, strict=True)]
    return rows, statistics.median(whole)


def macs_of(module: nn.Module, args: tuple, shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of one call: for each number of a product those of its sum."""
    if isinstance(module, nn.MultiheadAttention):
        query, key, value = (x.numel() for x in args[:3])  # of all pictures and places, times the width
        width, keys = module.embed_dim, args[1].shape[-2 if module.batch_first or args[1].ndim == 2 else 0]
        return (query + key + value + 2 * query // width * keys) * width
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
        return math.prod(shape) * math.prod(module.weight.shape[1:])
    return 0
