"""A layer and the activation after it as one operation: on a GPU one launch instead of two."""

from collections.abc import Sequence
from typing import Any

from minicnn import ops
from minicnn.nn.activation import ReLU, Sigmoid, Tanh
from minicnn.nn.arguments import remembered
from minicnn.nn.conv import Conv2d
from minicnn.nn.functional.conv import conv_window
from minicnn.nn.linear import Linear
from minicnn.nn.module import Module
from minicnn.tensor import Tensor, apply

ACTIVATIONS = {ReLU: "relu", Sigmoid: "sigmoid", Tanh: "tanh"}  # whose gradients follow from their results
KINDS: list[type[Module]] = [Conv2d, Linear, *ACTIVATIONS]
FORWARD = {kind: kind.forward for kind in KINDS}  # as written here


def in_a_row(modules: Sequence[Module], input: Any) -> Any:
    """What modules return that are called one after the other, each with what the one before returned."""
    done = None  # the place of an activation that the layer before has applied
    for place, module in enumerate(modules):
        if place == done:
            continue
        out = None if place + 1 == len(modules) else together(module, modules[place + 1], input)
        done = None if out is None else place + 1
        input = module(input) if out is None else out
    return input


def together(layer: Module, after: Module, input: Any) -> Tensor | None:
    """A layer's activated result, or None if this is not for one operation."""
    name = ACTIVATIONS.get(type(after))
    if name is None or type(input) is not Tensor or not input.is_cuda:
        return None
    if not (untouched(layer) and untouched(after)):
        return None
    if type(layer) is Linear:
        return apply(ops.Linear, input, layer.weight, layer.bias, activation=name)
    if type(layer) is Conv2d and input.ndim == 4:
        input, padding = layer._padded(input)
        window = remembered(conv_window, *layer.kernel_size, layer.stride, padding, layer.dilation)
        settings = {"window": window, "groups": layer.groups, "activation": name}
        return apply(ops.Conv2d, input, layer.weight, layer.bias, **settings)
    return None


def untouched(module: Module) -> bool:
    """Whether a module runs as it was written, and no hook looks at what comes and goes."""
    return module._hooks is None and getattr(module.forward, "__func__", None) is FORWARD.get(type(module))
