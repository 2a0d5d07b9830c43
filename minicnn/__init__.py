"""minicnn: a small CNN engine that speaks PyTorch's dialect.

    import minicnn as mc
    import minicnn.nn as nn
    import minicnn.nn.functional as F
    import minicnn.optim as optim

Data sets, models, the Trainer, `compile` and the tools load at their first use, so that importing minicnn
stays quick.
"""

import builtins
import importlib
from math import e, inf, nan, pi
from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn import accelerator, autograd, backends, cuda, nn, optim, outside
from minicnn.autograd import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from minicnn.backends import (
    get_num_threads,
    set_float32_matmul_precision,
    set_num_threads,
    use_deterministic_algorithms,
)
from minicnn.device import device
from minicnn.random import Generator, initial_seed, manual_seed
from minicnn.tensor import (
    BoolTensor,
    ByteTensor,
    CharTensor,
    DoubleTensor,
    FloatTensor,
    IntTensor,
    LongTensor,
    ShortTensor,
    Size,
    Tensor,
    addmm,
    arange,
    as_tensor,
    baddbmm,
    bernoulli,
    bmm,
    broadcast_tensors,
    cat,
    dot,
    einsum,
    empty,
    empty_like,
    eye,
    finfo,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    functions,
    get_default_dtype,
    hstack,
    iinfo,
    linspace,
    logspace,
    matmul,
    maximum,
    meshgrid,
    minimum,
    mm,
    multinomial,
    mv,
    normal,
    ones,
    ones_like,
    outer,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    result_type,
    set_default_dtype,
    set_printoptions,
    stack,
    tensor,
    vstack,
    where,
    zeros,
    zeros_like,
)
from minicnn.tensor.functions import *  # noqa: F403 (its __all__ is a table of names)

if TYPE_CHECKING:
    from minicnn import data, inspect, interop, models, testing, training, utils
    from minicnn.inspect.summary import summary
    from minicnn.interop import load, save
    from minicnn.plan import compile  # noqa: F401 (not in __all__, for the sake of the builtin)
    from minicnn.training import History, Trainer

# public name -> the module it comes from, when somebody asks for it
LATER = {
    **{name: name for name in ("data", "inspect", "interop", "models", "testing", "training", "utils")},
    "History": "training",
    "Trainer": "training",
    "compile": "plan",
    "load": "interop",
    "save": "interop",
    "summary": "inspect",
}

# dtypes, with PyTorch's second names
float32 = float = np.dtype(np.float32)
float64 = double = np.dtype(np.float64)
int64 = long = np.dtype(np.int64)
int32 = int = np.dtype(np.int32)
int16 = short = np.dtype(np.int16)
int8 = np.dtype(np.int8)
uint8 = np.dtype(np.uint8)
bool = np.dtype(np.bool_)

# second names of functions
concat = concatenate = cat
ger = outer
row_stack = vstack


def is_tensor(obj: Any) -> Any:
    """Whether it is a Tensor."""
    return isinstance(obj, Tensor)


# without the names of Python's builtins, so that a star import leaves those alone
__all__ = [
    "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "Generator", "History",
    "IntTensor", "LongTensor", "ShortTensor", "Size", "Tensor", "Trainer", "accelerator", "addmm",
    "arange", "as_tensor", "backends", "baddbmm", "bernoulli", "bmm", "broadcast_tensors", "cat",
    "concat", "concatenate", "cuda", "data", "device", "dot", "double", "e", "einsum", "empty",
    "empty_like", "enable_grad", "eye", "finfo", "float32", "float64", "from_dlpack", "from_numpy",
    "full", "full_like", "get_default_dtype", "get_num_threads",
    "hstack", "iinfo", "inf", "inference_mode", "initial_seed",
    "inspect", "int16", "int32", "int64", "int8", "interop", "is_grad_enabled", "is_tensor", "linspace",
    "load", "logspace", "long", "manual_seed", "matmul", "maximum", "meshgrid", "minimum", "mm", "models",
    "multinomial", "mv", "nan", "nn", "no_grad", "normal", "ones", "ones_like", "optim", "outer", "pi",
    "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "result_type",
    "save", "set_default_dtype", "set_float32_matmul_precision", "set_grad_enabled", "set_num_threads",
    "set_printoptions",
    "stack", "summary", "tensor", "testing", "training", "uint8", "use_deterministic_algorithms", "utils",
    "vstack", "where", "zeros", "zeros_like",
    *(name for name in functions.__all__ if not hasattr(builtins, name)),
]  # fmt: skip


if not TYPE_CHECKING:  # where this function is seen, every name is taken for one that exists

    def __getattr__(name):
        if name == "__version__":
            return importlib.import_module("importlib.metadata").version("minicnn")
        if name not in LATER:
            raise outside.missing("module 'minicnn'", name, __dir__())
        module = importlib.import_module(f"minicnn.{LATER[name]}")
        value = module if LATER[name] == name else getattr(module, name)
        globals()[name] = value
        return value


outside.explain(autograd, cuda, nn, nn.functional, nn.init, nn.modules, nn.utils, optim, optim.lr_scheduler)
outside.stand_for(autograd, "function variable")
outside.stand_for(nn.utils, "clip_grad convert_parameters spectral_norm weight_norm")


def __dir__() -> list[str]:
    return sorted({*globals(), *LATER})
