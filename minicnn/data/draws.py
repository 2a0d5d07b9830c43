"""Where random transforms draw their numbers: the loader's thread has a generator of its own.

A thread that prepared batches from the global generator would race with the training loop for its numbers,
and the same seed would not give the same run.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from minicnn import random

_thread = threading.local()


def draws() -> np.random.Generator:
    """The generator of this thread, or else the one that `minicnn.manual_seed` sets."""
    own = getattr(_thread, "generator", None)
    return random.generator() if own is None else own


@contextmanager
def drawing_from(generator: np.random.Generator) -> Iterator[None]:
    """Make `draws` give `generator` in this thread."""
    before = getattr(_thread, "generator", None)
    _thread.generator = generator
    try:
        yield
    finally:
        _thread.generator = before
