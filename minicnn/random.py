"""The one source of random numbers: weights, dropout masks, shuffles."""

import operator
from typing import Any

import numpy as np


class Generator:
    """A source of random numbers of its own, for the ``generator=`` argument of random functions.

    Attributes
    ----------
    numpy : numpy.random.Generator
        What the numbers come from.
    """

    def __init__(self, device: Any = "cpu") -> None:
        if str(device) != "cpu":
            raise RuntimeError(f'Generator: expected the device "cpu", got {device}')
        self.device = device
        self.manual_seed(67280421310721)  # PyTorch's default

    def manual_seed(self, seed: int) -> "Generator":
        """Start anew from a seed."""
        self.seed_used = operator.index(seed)
        self.numpy = seeded(self.seed_used)
        return self

    def seed(self) -> int:
        """Start anew from a seed drawn from the system, and return it."""
        self.manual_seed(int(np.random.SeedSequence().generate_state(1, np.uint64)[0]))
        return self.seed_used

    def initial_seed(self) -> int:
        """The seed it started from."""
        return self.seed_used


def seeded(seed: int) -> np.random.Generator:
    """NumPy's generator for a seed; as in PyTorch, a negative one counts from 2 ** 64 down."""
    seed = operator.index(seed)
    if not -(2**63) <= seed < 2**64:
        raise RuntimeError(f"manual_seed: expected a seed of 64 bits, got {seed}")
    return np.random.default_rng(seed % 2**64)


_generator = np.random.default_rng()


def manual_seed(seed: int) -> np.random.Generator:
    """Make every later random number reproducible.

    Parameters
    ----------
    seed : int
        Any integer of 64 bits.

    Returns
    -------
    numpy.random.Generator
        The generator from now on in use.
    """
    global _generator
    _generator = seeded(seed)
    return _generator


def generator(chosen: Any = None) -> np.random.Generator:
    """NumPy's generator in use, or that of the `Generator` a caller chose."""
    if chosen is None:
        return _generator
    if isinstance(chosen, Generator):
        return chosen.numpy
    if isinstance(chosen, np.random.Generator):
        return chosen
    raise TypeError(f"generator: expected a Generator, got {type(chosen).__name__}")
