"""minicnn: a small CNN engine that speaks PyTorch's dialect.

    import minicnn as mc
    import minicnn.nn as nn
    import minicnn.nn.functional as F
    import minicnn.optim as optim

Data sets, models, the Trainer and the tools load at their first use, so that importing minicnn stays quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn import nn, optim
from minicnn.autograd import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from minicnn.random import manual_seed
from minicnn.tensor import (
    Tensor,
    arange,
    cat,
    empty,
    from_numpy,
    full,
    matmul,
    maximum,
    minimum,
    ones,
    ones_like,
    rand,
    randint,
    randn,
    randperm,
    stack,
    tensor,
    where,
    zeros,
    zeros_like,
)

if TYPE_CHECKING:
    from minicnn import data, inspect, interop, models, testing, training
    from minicnn.inspect.summary import summary
    from minicnn.training import History, Trainer

# public name -> the module it comes from, when somebody asks for it
LATER = {
    **{name: name for name in ("data", "inspect", "interop", "models", "testing", "training")},
    "History": "training",
    "Trainer": "training",
    "summary": "inspect",
}

# dtypes, with PyTorch's second names
float32 = float = np.dtype(np.float32)
float64 = double = np.dtype(np.float64)
int64 = long = np.dtype(np.int64)
int32 = int = np.dtype(np.int32)
uint8 = np.dtype(np.uint8)
bool = np.dtype(np.bool_)

# methods as functions: mc.flatten(x, 1) is x.flatten(1)
abs = Tensor.abs
argmax = Tensor.argmax
argmin = Tensor.argmin
clamp = Tensor.clamp
exp = Tensor.exp
flatten = Tensor.flatten
log = Tensor.log
log_softmax = Tensor.log_softmax
max = Tensor.max
mean = Tensor.mean
min = Tensor.min
permute = Tensor.permute
pow = Tensor.pow
relu = Tensor.relu
reshape = Tensor.reshape
sigmoid = Tensor.sigmoid
softmax = Tensor.softmax
sqrt = Tensor.sqrt
squeeze = Tensor.squeeze
std = Tensor.std
sum = Tensor.sum
tanh = Tensor.tanh
transpose = Tensor.transpose
unsqueeze = Tensor.unsqueeze
var = Tensor.var

# without the names of Python's builtins, so that a star import leaves those alone
__all__ = [
    "History", "Tensor", "Trainer", "arange", "argmax", "argmin", "cat", "clamp", "data", "double", "empty",
    "enable_grad", "exp", "flatten", "float32", "float64", "from_numpy", "full", "inspect", "int32",
    "int64", "interop", "is_grad_enabled", "load", "log", "log_softmax", "long", "manual_seed", "matmul",
    "maximum", "mean", "minimum", "models", "nn", "no_grad", "ones", "ones_like", "optim", "permute",
    "rand", "randint", "randn", "randperm", "relu", "reshape", "save", "set_grad_enabled", "sigmoid",
    "softmax", "sqrt", "squeeze", "stack", "std", "summary", "tanh", "tensor", "testing", "training",
    "transpose", "uint8", "unsqueeze", "var", "where", "zeros", "zeros_like",
]  # fmt: skip


def save(obj: Any, path: Any) -> None:
    """Save a Module, or a dict of names to Tensors, as a safetensors file.

    An earlier file of that name is replaced whole or not at all.
    """
    from minicnn.interop import save_file

    save_file(obj.state_dict() if isinstance(obj, nn.Module) else obj, path)


def load(path: Any) -> dict[str, Tensor]:
    """The Tensors in a safetensors file, for ``model.load_state_dict``; nothing in a file is ever run."""
    from minicnn.interop import load_file

    return load_file(path)


if not TYPE_CHECKING:  # where this function is seen, every name is taken for one that exists

    def __getattr__(name):
        if name not in LATER:
            raise AttributeError(f"module 'minicnn' has no attribute {name!r}")
        module = importlib.import_module(f"minicnn.{LATER[name]}")
        value = module if LATER[name] == name else getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *LATER})
