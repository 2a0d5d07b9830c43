"""How gradients are found: the graph of operations, and the modes in which operations run."""

from minicnn.autograd.backward import Variable, backward, grad
from minicnn.autograd.graph import Function, clock, is_one, note_write
from minicnn.autograd.modes import (
    IGNORED,
    enable_grad,
    errors,
    inference_mode,
    is_grad_enabled,
    no_grad,
    quiet,
    recording,
    set_grad_enabled,
)

__all__ = [
    "IGNORED", "Function", "Variable", "backward", "clock", "enable_grad", "errors", "grad", "inference_mode",
    "is_grad_enabled", "is_one", "no_grad", "note_write", "quiet", "recording", "set_grad_enabled",
]  # fmt: skip
