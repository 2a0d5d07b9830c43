"""A summary as text: one line a layer, in aligned columns."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minicnn.inspect.summary import Row, Summary

WIDTH = 110  # a table is as wide at the most, if shorter names make it so


def table(summary: "Summary") -> str:
    """The rows under a heading, the sums, and what the columns do not say."""
    timed = summary.seconds is not None
    heading = [
        ("", "", "receptive", "", "output", "", ""),
        ("layer", "output shape", "field", "parameters", "bytes", "MACs", "ms"),
    ]
    rows = [cells(row) for row in summary.rows]
    total = (
        "total", "", "", f"{summary.parameters:,}", short(summary.memory), short(summary.macs),
        milliseconds(summary.seconds),
    )  # fmt: skip
    lines = [line[: 7 if timed else 6] for line in (*heading, *rows, total)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    room = WIDTH - sum(widths[1:]) - 2 * (len(widths) - 1)
    if widths[0] > room:
        lines = [(fitted(name, room), *rest) for name, *rest in lines]
        widths[0] = max(len(line[0]) for line in lines)
    text = [aligned(line, widths) for line in lines]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    text = [f"input {summary.input_size}", rule, *text[:2], rule, *text[2:-1], rule, text[-1]]
    text.append(f"{short(summary.parameter_memory)} bytes of parameters")
    frozen = summary.parameters - summary.trainable
    if frozen:
        text.append(f"{frozen:,} of the parameters are frozen")
    return "\n".join(text)


def cells(row: "Row") -> tuple[str, ...]:
    """One layer; nothing where there is nothing to tell."""
    return (
        f"{row.name} ({row.kind})" if row.name else row.kind,
        str(tuple(row.shape)),
        pixels(row.receptive_field),
        f"{row.parameters:,}" if row.parameters else "",
        short(row.memory),
        short(row.macs),
        milliseconds(row.seconds),
    )


def short(count: int) -> str:
    """A count with four digits: 840, 117.6k, 1.814G; nothing for 0."""
    if count < 1000:
        return str(count) if count else ""
    power = min((len(str(count)) - 1) // 3, 5)
    number = count / 1000**power
    if f"{number:.4g}" in ("1000", "1e+03") and power < 5:
        power, number = power + 1, number / 1000
    return f"{number:#.4g}{'kMGTP'[power - 1]}"


def pixels(field: tuple[float, float] | None) -> str:
    """A receptive field: one number if it is as high as wide."""
    if field is None:
        return ""
    height, width = ("all" if math.isinf(side) else str(side) for side in field)
    return height if height == width else f"{height}x{width}"


def milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1e3:.2f}"


def fitted(name: str, room: int) -> str:
    """A layer's name without its first parts, or letters, if it is too long."""
    while len(name) > room and "." in name.partition(" ")[0].lstrip("."):
        name = "..." + name.lstrip(".").partition(".")[2]
    return name if len(name) <= room else f"...{name[3 - room :]}"


def aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Two columns of text, then numbers."""
    text = [cell.ljust(width) for cell, width in zip(cells[:2], widths[:2], strict=True)]
    numbers = [cell.rjust(width) for cell, width in zip(cells[2:], widths[2:], strict=True)]
    return "  ".join(text + numbers).rstrip()
