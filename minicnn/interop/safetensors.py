"""Weights in safetensors files: names, shapes, dtypes and plain bytes; loading one never runs any code.

The format: https://github.com/huggingface/safetensors
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from minicnn.interop.atomic import write_files
from minicnn.tensor import Tensor


def to_bytes(state_dict: Any) -> bytes:
    """The content of a safetensors file with the tensors (or NumPy arrays) of ``state_dict``."""
    if not isinstance(state_dict, Mapping):
        hint = "; pass its state_dict()" if hasattr(state_dict, "state_dict") else ""
        raise TypeError(f"save: expected a dict of names to tensors, got {type(state_dict).__name__}{hint}")
    arrays = {}
    for name, value in state_dict.items():
        array = value.array if isinstance(value, Tensor) else value
        if not isinstance(name, str) or not isinstance(array, np.ndarray):
            raise TypeError(f"save: expected names and tensors, got {name!r}: {type(value).__name__}")
        arrays[name] = np.asarray(array, order="C")  # safetensors writes memory as it lies, strides or not
    try:
        return save(arrays)
    except SafetensorError as error:
        raise TypeError(f"save: {error}") from error


def save_file(state_dict: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Save tensors in a safetensors file; an earlier file of that name is replaced whole or not at all.

    Parameters
    ----------
    state_dict : mapping of str to Tensor
        As ``model.state_dict()`` gives it.
    path : path
        The file, usually named ``*.safetensors``.

    Raises
    ------
    TypeError
        Something other than names and tensors.
    OSError
        The file cannot be written (a full disk, say); an earlier file is as it was.
    """
    write_files({path: to_bytes(state_dict)})


def load_file(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Load the tensors of a safetensors file, for ``model.load_state_dict``.

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    ValueError
        It is no safetensors file, or is cut short or damaged.
    """
    content = Path(path).read_bytes()
    try:
        arrays = load(content)
    except (SafetensorError, KeyError, ValueError) as error:  # KeyError: a dtype NumPy does not have
        if content.startswith((b"PK\x03\x04", b"\x80\x02")):
            raise ValueError(
                f"load: {path} looks like a pickle of torch.save, which may run code and is not opened; "
                "save the weights from PyTorch with safetensors.torch.save_file"
            ) from error
        raise ValueError(f"load: {path} is no safetensors file, or is damaged: {error}") from error
    return {name: Tensor(np.require(array, requirements="W")) for name, array in arrays.items()}
