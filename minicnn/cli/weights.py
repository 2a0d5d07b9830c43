"""``minicnn weights convert FILE.pth``."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minicnn.interop import load, save_file
from minicnn.tensor import Tensor

WRAPPERS = ("state_dict", "model_state_dict", "model")  # where checkpoints keep a model's weights


def run(args: argparse.Namespace) -> int:
    """Write the weights in a file of torch.save as safetensors; nothing in it is run."""
    source = Path(args.file)
    target = Path(args.out) if args.out else source.with_suffix(".safetensors")
    if target.exists() and not args.overwrite:
        raise ValueError(f"{target} exists; pass --overwrite to replace it, or --out with another name")
    weights = weights_in(load(source), source)
    save_file(weights, target)
    count = sum(tensor.numel() for tensor in weights.values())
    print(f"{target}: {len(weights)} tensors, {count:,} numbers")
    return 0


def weights_in(content: Any, path: Any) -> dict[str, Tensor]:
    """The state_dict that a file holds, by itself or among other things."""
    places = [content]
    if isinstance(content, Mapping):
        places += [content[name] for name in WRAPPERS if name in content]
    for place in places:
        if isinstance(place, Mapping) and place and all(isinstance(x, Tensor) for x in place.values()):
            return dict(place)
    raise ValueError(
        f"{path}: expected a dict of names to Tensors, by itself or as {', '.join(WRAPPERS)}; "
        "save model.state_dict() in PyTorch"
    )
