"""Who is told of every operation while it is done: nobody, or the recorder of `minicnn.compile`.

Operations ask for it by ``if listeners:``, all that this costs where nobody listens, and then loop, which a
list that another thread empties in between does not disturb.
"""

from typing import Any

listeners: list[Any] = []  # one at most, with the methods of `minicnn.plan.recorder.Recorder`


def tell(node: Any, args: Any, settings: dict[str, Any], out: Any) -> None:
    """Say that an operation has run."""
    for listener in listeners:
        listener.operation(node, args, settings, out)


def looked(what: str) -> None:
    """Say that a program looks at the values of a Tensor, so that what it does next may depend on them."""
    for listener in listeners:
        listener.look(what)
