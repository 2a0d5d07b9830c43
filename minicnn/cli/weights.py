"""``minicnn weights convert FILE.pth``."""

import argparse
from pathlib import Path

from minicnn.interop import load, save_file
from minicnn.interop.state import weights_in


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
