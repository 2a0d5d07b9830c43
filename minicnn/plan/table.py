"""How plans print: a table for each, a line for each step."""

from collections.abc import Callable, Sequence
from typing import Any

from minicnn.plan.plan import Plan
from minicnn.plan.step import Slot, Step, slots_in

HEAD = ("step", "operation", "reads", "shape", "fused")


def table(function: Callable[..., Any], plans: Sequence[Plan]) -> str:
    """The plans of a function."""
    name = getattr(function, "__name__", type(function).__name__)
    if not plans:
        return f"{name}: not recorded yet; the first two calls run as they are"
    names = named(function)
    return "\n\n".join(
        f"{name}, plan {i} of {len(plans)}\n{one(plan, names)}" for i, plan in enumerate(plans, 1)
    )


def named(function: Any) -> dict[int, str]:
    """id of a parameter or buffer -> the name of the layer that has it, or its own."""
    if not hasattr(function, "named_parameters"):
        return {}
    known = *function.named_parameters(), *function.named_buffers()
    return {id(x): name.rpartition(".")[0] or name for name, x in known}


def one(plan: Plan, names: dict[int, str]) -> str:
    """A plan: what comes in, the steps, what goes out and how many steps gradients pass."""
    known = {slot: f"input {place}" for slot, place in plan.arguments}
    known |= {slot: names.get(id(tensor), "tensor") for slot, tensor in plan.tensors}
    known |= {step.out: f"%{number}" for number, step in enumerate(plan.steps, 1)}
    rows = [HEAD, *[line(number, step, known) for number, step in enumerate(plan.steps, 1)]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    results = ", ".join(known[slot] for slot in slots_in(plan.outputs)) or "nothing"
    back = (
        f"backward passes {len(plan.backward)} of {len(plan.steps)} steps" if plan.backward else "no backward"
    )
    calls = "; kernels' calls recorded" if plan.captured is not None and plan.captured.forward else ""
    return "\n".join([*lines, f"returns {results}; {back}{calls}"])


def line(number: int, step: Step, known: dict[int, str]) -> tuple[str, ...]:
    """The cells of a step."""
    values: list[Slot] = step.reads()
    shape = " x ".join(map(str, step.shape)) or "one number"
    return (
        f"%{number}",
        step.function.__name__,
        ", ".join(dict.fromkeys(known[x] for x in values)),  # each once
        shape,
        "; ".join(step.notes),
    )
