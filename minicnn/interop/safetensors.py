"""Weights in safetensors files: names, shapes, dtypes and plain bytes; loading one never runs any code.

The format: https://github.com/huggingface/safetensors
"""

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from minicnn.device import host
from minicnn.interop.atomic import write_files
from minicnn.tensor import Tensor


def to_bytes(state_dict: Any, metadata: dict[str, str] | None = None) -> bytes:
    """The content of a safetensors file with the tensors (or arrays) of ``state_dict``, and `metadata`."""
    if not isinstance(state_dict, Mapping):
        hint = "; pass its state_dict()" if hasattr(state_dict, "state_dict") else ""
        raise TypeError(f"save: expected a dict of names to tensors, got {type(state_dict).__name__}{hint}")
    arrays = {}
    for name, value in state_dict.items():
        array = host(value.array) if isinstance(value, Tensor) else value
        if not isinstance(name, str) or not isinstance(array, np.ndarray):
            raise TypeError(f"save: expected names and tensors, got {name!r}: {type(value).__name__}")
        arrays[name] = np.asarray(array, order="C")  # safetensors writes memory as it lies, strides or not
    try:
        return save(arrays, metadata)
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
    return from_bytes(Path(path).read_bytes(), path)


def from_bytes(content: bytes, path: Any) -> dict[str, Tensor]:
    """The tensors in the content of a safetensors file; errors name `path`."""
    try:
        arrays = load(content)
    except (SafetensorError, KeyError, ValueError) as error:  # KeyError: a dtype NumPy does not have
        if content.startswith(b"PK\x03\x04"):
            raise ValueError(
                f"load: {path} looks like a file of torch.save; minicnn.load reads those"
            ) from error
        if content.startswith(b"\x80\x02"):
            raise ValueError(
                f"load: {path} looks like a pickle, which may run code and is not opened; "
                "if PyTorch wrote it, load it there and save its state_dict with torch.save"
            ) from error
        raise ValueError(f"load: {path} is no safetensors file, or is damaged: {error}") from error
    # In the order of the file; the library gives them in none.
    names = [name for name in _header(content) if name in arrays]
    return {name: Tensor(np.require(arrays[name], requirements="W")) for name in names}


def metadata_of(content: bytes) -> dict[str, str]:
    """The free text in the content of a safetensors file, which has been found sound."""
    return _header(content).get("__metadata__", {})


def _header(content: bytes) -> dict[str, Any]:
    (length,) = struct.unpack_from("<Q", content)
    return json.loads(content[8 : 8 + length])
