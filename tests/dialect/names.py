"""The names of the dialect: in which namespaces they stand, and which of them have no row."""

import functools
import inspect
from types import ModuleType
from typing import Any

import torch

import minicnn as mc

# how names of a namespace begin -> where it is
PREFIXES = {
    "": "",
    "Tensor.": "Tensor",
    "nn.": "nn",
    "F.": "nn.functional",
    "nn.Module.": "nn.Module",
    "nn.init.": "nn.init",
    "nn.utils.": "nn.utils",
    "optim.": "optim",
    "lr_scheduler.": "optim.lr_scheduler",
    "cuda.": "cuda",
}

# PyTorch's names that have no row -> where they are tested, and why not here
NOT_COVERED = {
    "save load": "test_checkpoint.py: they write files",
    "Tensor.cuda nn.Module.cuda": "test_device.py: they need a GPU with PyTorch",
    "nn.Module.half nn.Module.bfloat16": "test_dialect_outside.py: they are refused",
    "nn.Module.register_backward_hook": "test_hooks.py: it warns, as its grad_input is another in PyTorch",
    "nn.utils.spectral_norm nn.utils.remove_spectral_norm nn.utils.weight_norm nn.utils.remove_weight_norm": (
        "test_reparametrize.py: PyTorch draws vectors for the one, and warns of the other"
    ),
    "F.upsample": "test_resizing.py: it warns, as it is an old name of F.interpolate",
    "optim.Optimizer lr_scheduler.LRScheduler": "test_optim.py, test_lr_scheduler.py: bases of others",
    "set_float32_matmul_precision use_deterministic_algorithms": "test_dialect_outside.py: they set a GPU",
    "cuda.is_available cuda.device_count cuda.manual_seed cuda.manual_seed_all cuda.synchronize "
    "cuda.empty_cache": "test_dialect_outside.py: PyTorch may find a GPU",
    "cuda.OutOfMemoryError cuda.current_device cuda.get_device_capability cuda.get_device_name "
    "cuda.get_device_properties cuda.max_memory_allocated cuda.mem_get_info cuda.memory_allocated "
    "cuda.memory_reserved cuda.memory_summary cuda.reset_peak_memory_stats cuda.set_device": (
        "test_device.py: they need a GPU"
    ),
    "compile": "test_compile.py: PyTorch needs a C++ compiler for it",
    "cuda.graph": "test_capture.py: a call that makes a CUDA graph of a step; PyTorch's records a with block",
}

# minicnn's own names -> what they are
OWN = {
    "Trainer History": "training in a line: `Trainer(model, optimizer).fit(train, epochs=5)`",
    "summary": "a table of the layers of a model",
    "Tensor.array": "the NumPy array of a Tensor",
    "nn.StochasticDepth F.stochastic_depth": "torchvision's `StochasticDepth`",
    "nn.LocalContrastNorm F.local_contrast_norm": "Jarrett et al. 2009: subtractive and divisive",
    "Tensor.std_mean Tensor.var_mean": "the functions of the same name as methods",
    "cuda.CaptureError": "why a training step cannot be one CUDA graph",
    "cuda.Properties": "what `cuda.get_device_properties` gives",
    "cuda.why_unavailable": "why `cuda.is_available` says no",
}

# attributes of Tensors that only minicnn's own code uses
INTERNAL = (
    "Tensor.assign Tensor.hooks Tensor.kind Tensor.node Tensor.origin Tensor.put Tensor.tracked Tensor.wrap"
)

IGNORED = {"TYPE_CHECKING", "Any", "nn.init.Tensor", "cuda.Any", "cuda.Device"}  # what modules import


def at(library: ModuleType, path: str) -> Any:
    """What stands at a dotted path."""
    return functools.reduce(getattr, path.split("."), library) if path else library


def exists(library: ModuleType, name: str) -> bool:
    """Whether a library has what a row calls by this name."""
    prefix = name[: name.rfind(".") + 1]
    return hasattr(at(library, PREFIXES[prefix]), name.removeprefix(prefix))


def public(prefix: str) -> set[str]:
    """The names in a namespace of minicnn: its ``__all__``, and what PyTorch has there, too."""
    ours, theirs = (at(library, PREFIXES[prefix]) for library in (mc, torch))
    here = [name for name in dir(ours) if hasattr(ours, name)]
    listed = here if isinstance(ours, type) else getattr(ours, "__all__", ())
    names = {*listed, *(name for name in here if hasattr(theirs, name))}
    shown = {name for name in names if name[0] != "_" and not inspect.ismodule(getattr(ours, name))}
    return {prefix + name for name in shown} - IGNORED


def spread(table: dict[str, str]) -> set[str]:
    """The single names in the keys."""
    return {name for names in table for name in names.split()}
