"""Networks, and their names for the command and for `create`."""

import builtins
import difflib
from collections.abc import Callable
from typing import Any

from minicnn.models.lenet import LeNet5
from minicnn.models.simple import SimpleCNN, ThreeConv, TwoLayer, simplecnn_cifar
from minicnn.nn import Module

__all__ = ["LeNet5", "SimpleCNN", "ThreeConv", "TwoLayer", "create", "list", "simplecnn_cifar"]

MODELS: dict[str, Callable[..., Module]] = {
    "lenet5": LeNet5,
    "simplecnn": SimpleCNN,
    "simplecnn_cifar": simplecnn_cifar,
    "threeconv": ThreeConv,
    "twolayer": TwoLayer,
}


def list() -> builtins.list[str]:
    """The names that `create` knows."""
    return sorted(MODELS)


def create(name: str, **kwargs: Any) -> Any:
    """A new network with random weights.

    Parameters
    ----------
    name : str
        One of `list`.
    **kwargs
        Arguments of the network, such as ``num_classes``.

    Raises
    ------
    ValueError
        There is no such name; the message suggests one.
    """
    if name not in MODELS:
        close = difflib.get_close_matches(str(name).lower(), MODELS, n=1, cutoff=0.5)
        meant = f"; did you mean {close[0]!r}?" if close else "."
        raise ValueError(
            f"models.create: there is no model {name!r}{meant} The models are {', '.join(list())}"
        )
    return MODELS[name](**kwargs)
