"""minicnn's models in PyTorch: every layer becomes PyTorch's, and the methods between them run as they are.

They can, because they are written in PyTorch's dialect. So both libraries run one program, and PyTorch has
its own fast ways: ReLU in place, its SiLU, its attention.
"""

import inspect
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import minicnn as mc

CONTAINERS = mc.nn.Sequential, mc.nn.ModuleList, mc.nn.ModuleDict
NAMES = {"F": torch.nn.functional, "cat": torch.cat}  # all that the models' methods ask for by name


def model_for(name: str, shape: tuple[int, ...], **settings: Any) -> mc.nn.Module:
    """A named model of 10 classes, the same at each call, whose numbers keep their size from layer to layer.

    For that, its batch statistics are those of one random batch of that shape (N, C, H, W): with the ones it
    starts with, numbers would vanish on their way through fifty layers, and tiny ones are slow. And layers of
    zeros, of which nothing could be seen, get random numbers.
    """
    mc.manual_seed(0)
    model = mc.models.create(name, num_classes=10, **settings)
    norms = [layer for layer in model.modules() if isinstance(layer, mc.nn.BatchNorm2d)]
    momentum = [norm.momentum for norm in norms]
    with mc.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1 and not parameter.any():
                mc.nn.init.normal_(parameter, std=0.02)
        if norms:
            for norm in norms:
                norm.momentum = 1.0
            model(mc.randn(max(2, shape[0]), *shape[1:]))  # of one picture of 32x32 one number would be left
    for norm, before in zip(norms, momentum, strict=True):
        norm.momentum = before
    return model


def twin(model: mc.nn.Module) -> Any:
    """The same network in PyTorch, with the same weights and in the same mode."""
    theirs = in_pytorch(model)
    weights = {name: torch.from_numpy(value.numpy().copy()) for name, value in model.state_dict().items()}
    theirs.load_state_dict(weights)
    return theirs.train(model.training)


def in_pytorch(module: mc.nn.Module) -> Any:
    """A layer of torch.nn for a layer; for a model or a container, one of a class with its methods."""
    kind = type(module)
    if not of_nn(kind) or isinstance(module, CONTAINERS):
        return filled(translated(kind)(), module)
    if kind is mc.nn.StochasticDepth:  # PyTorch has none, and in inference it does nothing
        return torch.nn.Identity()
    theirs = getattr(torch.nn, kind.__name__)
    has = vars(module)
    settings = {name: has[name] for name in inspect.signature(theirs).parameters if name in has}
    if "bias" in settings:  # asked for by a bool, kept as a Parameter or None
        settings["bias"] = settings["bias"] is not None
    return theirs(**settings)


def of_nn(kind: type) -> bool:
    """Whether a class is minicnn's own building block."""
    return kind.__module__.startswith("minicnn.nn.")


def translated(kind: type) -> type:
    """The class in PyTorch: on the same base, and with the same methods but for __init__."""
    base = next(parent for parent in kind.__mro__ if of_nn(parent))
    own = {} if kind is base else vars(kind)
    methods = {
        name: with_names(value)
        for name, value in own.items()
        if inspect.isfunction(value) and name != "__init__"
    }
    return type(kind.__name__, (getattr(torch.nn, base.__name__),), methods)


def with_names(method: types.FunctionType) -> Callable:
    """The method, whose global names are PyTorch's."""
    return types.FunctionType(method.__code__, NAMES, method.__name__, method.__defaults__)


def filled(theirs: Any, module: mc.nn.Module) -> Any:
    """Give it what the module has: layers and parameters in PyTorch, all else as it is."""
    for name, value in vars(module).items():
        if isinstance(value, mc.nn.Module):
            setattr(theirs, name, in_pytorch(value))
        elif isinstance(value, mc.nn.Parameter):
            setattr(theirs, name, torch.nn.Parameter(torch.empty(value.shape)))
        elif not name.startswith("_") and name != "training":
            setattr(theirs, name, value)
    return theirs


def same(what: str, ours: Any, theirs: Any, share: float) -> None:
    """Raise AssertionError unless two Tensors differ by at most a share of their length."""
    found, expected = ours.detach().numpy(), theirs.detach().numpy()
    length = np.linalg.norm(expected)
    assert np.isfinite(length) and length > 0, f"{what}: PyTorch gives nothing but {length}"
    off = np.linalg.norm(found - expected) / length
    assert off <= share, f"{what}: off by {off:.1e} of its length"  # so is NaN
