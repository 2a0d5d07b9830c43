"""`minicnn.save` and `minicnn.load`: weights, and the dictionaries in which training loops keep them.

All become plain safetensors files: Tensors under their paths, "model_state_dict.conv1.weight", and the rest
as JSON in the file's metadata, with the Tensors' paths in their places. Reading one never runs any code.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minicnn.device import CPU, device, placed
from minicnn.interop.atomic import write_files
from minicnn.interop.pytorch import OLD, ZIP, read_pytorch
from minicnn.interop.safetensors import from_bytes, metadata_of, to_bytes
from minicnn.tensor import Tensor

STRUCTURE = "minicnn.structure"  # the key in the metadata


def save(obj: Any, f: Any) -> None:
    """Save Tensors, alone or within dictionaries, lists and tuples, together with numbers, strings and None.

    Parameters
    ----------
    obj : a Module's or an optimizer's state_dict, or a checkpoint of several.
    f : path of the file, which is replaced whole or not at all; or an open binary file.

    Raises
    ------
    TypeError : something else is in it, such as a whole Module.
    OSError : the file cannot be written; an earlier one is as it was.
    """
    tensors: dict[str, Any] = {}
    structure = json.dumps(_encode(obj, "", tensors), allow_nan=False)
    content = to_bytes(tensors, {STRUCTURE: structure})
    if hasattr(f, "write"):
        f.write(content)
    else:
        write_files({f: content})


def load(f: Any, map_location: Any = None, *, weights_only: bool = True) -> Any:
    """What `save` saved, or PyTorch's torch.save; of any other safetensors file, a dict of names to Tensors.

    Of PyTorch's files those are read that hold Tensors, numbers and text, also within dicts and lists:
    weights and checkpoints, but no whole models.

    Parameters
    ----------
    f : path of the file, or an open binary file.
    map_location : where the Tensors go, "cuda" for example; the CPU unless it says so. Files do not say where
        their Tensors were, so that a function or a dict of devices, PyTorch's other forms, moves nothing.
    weights_only : accepted; no file is ever run.

    Raises
    ------
    OSError : the file is missing or cannot be read.
    ValueError : it is no such file, or damaged.
    """
    anywhere = map_location is None or callable(map_location) or isinstance(map_location, Mapping)
    where = placed("load", None if anywhere else map_location)
    if hasattr(f, "read"):
        content, name = f.read(), getattr(f, "name", "the file")
    else:
        content, name = Path(os.fspath(f)).read_bytes(), f
    if content.startswith((ZIP, OLD)):
        return at(where, read_pytorch(content, name))
    tensors = from_bytes(content, name)
    structure = metadata_of(content).get(STRUCTURE)
    if structure is None:
        return at(where, tensors)
    try:
        return at(where, _decode(json.loads(structure), tensors))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"load: {name} has a damaged structure: {error}") from error


def at(where: device, value: Any) -> Any:
    """A value that was read, with its Tensors on a device."""
    if where == CPU:
        return value
    if isinstance(value, Tensor):
        value.data = value.data.to(where)
        return value
    if isinstance(value, dict):
        return type(value)((key, at(where, item)) for key, item in value.items())
    return type(value)(at(where, item) for item in value) if type(value) in (list, tuple) else value


# In JSON: null, true and false, strings and finite numbers are themselves; all else is {kind: value}.


def _encode(value: Any, path: str, tensors: dict[str, Any]) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, Tensor | np.ndarray):
        name = path or "tensor"
        while name in tensors:  # "a.b" in a dict, and "b" in a dict "a"
            name += "_"
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, Mapping):
        pairs = []
        for key, item in value.items():
            if not isinstance(key, str | int | float | bool | None):
                raise TypeError(f"save: keys must be strings or numbers, got {key!r} in {path or 'the dict'}")
            pairs.append([key, _encode(item, f"{path}.{key}" if path else str(key), tensors)])
        return {"dict": pairs}
    if isinstance(value, list | tuple):
        items = [
            _encode(item, f"{path}.{place}" if path else str(place), tensors)
            for place, item in enumerate(value)
        ]
        return {"list" if isinstance(value, list) else "tuple": items}
    place = f"{path!r}: " if path else ""
    hint = "; save its state_dict()" if hasattr(value, "state_dict") else ""
    raise TypeError(
        f"save: expected names and tensors, numbers, strings, None, lists and dicts of these, "
        f"got {place}{type(value).__name__}{hint}"
    )


def _decode(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "tensor":
        return tensors[inner]
    if kind == "float":
        return float(inner)
    if kind == "dict":
        return {key: _decode(item, tensors) for key, item in inner}
    if kind in ("list", "tuple"):
        return (list if kind == "list" else tuple)(_decode(item, tensors) for item in inner)
    raise ValueError(f"unknown kind {kind!r}")
