"""Who is told of every operation while it is done: nobody, or the recorder of `minicnn.compile`.

Operations ask for it by ``if listeners:``, all that this costs where nobody listens.
"""

from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")

# With the methods of `minicnn.plan.recorder.Recorder` that are for listeners.
listeners: list[Any] = []


def looked(what: str) -> None:
    """Say that a program looks at the values of a Tensor, so that what it does next may depend on them."""
    if listeners:
        listeners[-1].look(what)


def repeated(make: Callable[[], Result]) -> Result:
    """What ``make()`` gives, which is no operation on Tensors; whoever repeats the program calls it anew."""
    result = make()
    if listeners:
        listeners[-1].repeat(make, result)
    return result
