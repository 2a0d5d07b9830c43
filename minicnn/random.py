"""The one source of random numbers: weights, dropout masks, shuffles, augmentation.

Each worker of a `DataLoader` has a generator of its own. Drawing from the common one, it would race with the
training loop for the numbers, and the same seed would not give the same run.
"""

import operator
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minicnn.device import placed, seed_on_gpu
from minicnn.tape import looked


class Generator:
    """A source of random numbers of its own, for the ``generator=`` argument of random functions.

    On a GPU, too: numbers are drawn on the CPU and moved, so that a seed gives the same ones everywhere. Only
    the masks of dropout, new ones at each step, are drawn there, from the same seed.

    Attributes
    ----------
    numpy : numpy.random.Generator
        What the numbers come from.
    """

    def __init__(self, device: Any = "cpu") -> None:
        self.device = placed("Generator", device)
        self.on_gpu: Any = None  # where the GPU's numbers come from, once some are drawn
        self.manual_seed(67280421310721)  # PyTorch's default

    def manual_seed(self, seed: int) -> "Generator":
        """Start anew from a seed, any integer of 64 bits; a negative one counts from 2 ** 64 down."""
        seed = operator.index(seed)
        if not -(2**63) <= seed < 2**64:
            raise RuntimeError(f"manual_seed: expected a seed of 64 bits, got {seed}")
        self.seed_used = seed
        self.numpy = np.random.default_rng(seed % 2**64)
        if self.on_gpu is not None:  # in its place, where captured steps find it
            self.on_gpu[...] = seed_on_gpu(seed % 2**64)
        return self

    def seed(self) -> int:
        """Start anew from a seed drawn from the system, and return it."""
        self.manual_seed(int(np.random.SeedSequence().generate_state(1, np.uint64)[0]))
        return self.seed_used

    def initial_seed(self) -> int:
        """The seed it started from."""
        return self.seed_used


default_generator = Generator()
default_generator.seed()
_thread = threading.local()


def _current() -> Generator:
    return getattr(_thread, "generator", default_generator)


def manual_seed(seed: int) -> Generator:
    """Make every later random number reproducible.

    Parameters
    ----------
    seed : int
        Any integer of 64 bits.

    Returns
    -------
    Generator
        The one that is in use.
    """
    looked("sets the seed")
    return _current().manual_seed(seed)


def initial_seed() -> int:
    """The seed that the generator in use started from."""
    return _current().initial_seed()


def generator(chosen: Any = None) -> np.random.Generator:
    """NumPy's generator in use, or that of the `Generator` a caller chose."""
    if chosen is None:
        return _current().numpy
    if isinstance(chosen, Generator):
        return chosen.numpy
    if isinstance(chosen, np.random.Generator):
        return chosen
    raise TypeError(f"generator: expected a Generator, got {type(chosen).__name__}")


def source(x: Any) -> Any:
    """Where random numbers for an array come from: NumPy's generator in use, or its like on the GPU."""
    chosen = _current()
    if type(x) is np.ndarray:
        return chosen.numpy
    if chosen.on_gpu is None:
        chosen.on_gpu = seed_on_gpu(chosen.seed_used % 2**64)
    return chosen.on_gpu


def spawned(parent: np.random.Generator) -> Generator:
    """A new Generator that its parent determines; nothing is drawn from that."""
    (child,) = parent.bit_generator.seed_seq.spawn(1)  # type: ignore[attr-defined]
    return Generator().manual_seed(int(child.generate_state(1, np.uint64)[0]))


@contextmanager
def drawing_from(own: Generator) -> Iterator[None]:
    """Use the generator `own` in this thread."""
    before = _current()
    _thread.generator = own
    try:
        yield
    finally:
        _thread.generator = before
