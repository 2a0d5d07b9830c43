"""Watching the layers of a model while it runs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from minicnn import nn
from minicnn.device import wait

Record = Callable[[str, nn.Module, tuple, Any, float], None]


@contextmanager
def observed(model: nn.Module, record: Record) -> Iterator[None]:
    """In evaluation mode tell `record` of every call of a layer: one without children, or with parameters.

    It gets the layer's dotted name, the layer, its inputs, its output, and the seconds that the call took
    without those of recorded layers within.
    """
    modes = [(module, module.training) for module in model.modules()]
    layers = [
        (name, module)
        for name, module in model.named_modules()
        if not any(module.children()) or any(True for _ in module.parameters(recurse=False))
    ]
    own = [(module, vars(module).get("forward")) for _, module in layers]
    within = [0.0]  # the seconds of recorded calls, for each call that has not come to its end
    try:
        for name, module in layers:
            vars(module)["forward"] = recording(name, module, module.forward, record, within)
        model.eval()
        yield
    finally:
        for module, forward in own:
            vars(module).pop("forward", None)
            if forward is not None:
                vars(module)["forward"] = forward
        for module, mode in modes:
            module.training = mode


def recording(
    name: str, module: nn.Module, forward: Callable, record: Record, within: list[float]
) -> Callable:
    """A forward that also records its result."""

    def call(*args: Any, **kwargs: Any) -> Any:
        within.append(0.0)
        start = time.perf_counter()
        output = forward(*args, **kwargs)
        wait()
        seconds = time.perf_counter() - start
        inner = within.pop()
        within[-1] += seconds
        record(name, module, args, output, seconds - inner)
        return output

    return call
