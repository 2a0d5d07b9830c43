"""What torchvision's models are and answer, and the formula of the weights and pictures they were given."""

import gzip
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import minicnn as mc

FILE = Path(__file__).parents[1] / "data" / "torchvision_models.json.gz"


@cache
def torchvision() -> dict[str, dict[str, Any]]:
    """By name: parameters, state_dict (name, shape, dtype), modules without children; most with logits."""
    with gzip.open(FILE, "rt", encoding="utf-8") as file:
        return json.load(file)["models"]


def uniform(ordinal: int, count: int) -> np.ndarray:
    """So many numbers in [0, 1) that depend on nothing but the ordinal: SplitMix64."""
    u = np.uint64
    z = (np.arange(1, count + 1, dtype=u)) * u(0x9E3779B97F4A7C15)
    z += u((ordinal + 1) * 0xD1B54A32D192ED03 % 2**64)
    z = (z ^ (z >> u(30))) * u(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> u(27))) * u(0x94D049BB133111EB)
    return ((z ^ (z >> u(31))) >> u(11)) * 2.0**-53


def values(name: str, shape: tuple[int, ...], ordinal: int, gain: float = 1.0) -> np.ndarray:
    """The entry of a state_dict with that name, at that position."""
    u, leaf = uniform(ordinal, math.prod(shape)), name.rpartition(".")[2]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf == "running_var" or (leaf == "weight" and len(shape) == 1):
        u = 0.5 + u
    elif leaf == "layer_scale":
        u = 0.1 + 0.4 * u
    elif leaf in ("class_token", "pos_embedding"):
        u = 2 * u - 1
    elif len(shape) == 1:  # a bias or a running mean
        u = 0.2 * (2 * u - 1)
    else:
        u = (2 * u - 1) * math.sqrt(3 * gain / math.prod(shape[1:]))
    return u.reshape(shape).astype(np.float32)


def fill(model: mc.nn.Module, gain: float) -> None:
    """Give a model the weights of the formula, in place."""
    for ordinal, (name, tensor) in enumerate(model.state_dict().items()):
        tensor.array[...] = values(name, tensor.shape, ordinal, gain)


def picture(*shape: int) -> np.ndarray:
    """A picture of noise, with mean 0 and variance 1."""
    return ((2 * uniform(1_000_000, math.prod(shape)) - 1) * math.sqrt(3)).reshape(shape).astype(np.float32)
