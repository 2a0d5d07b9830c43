"""The one source of random numbers: weights, dropout masks, shuffles."""

import numpy as np

_generator = np.random.default_rng()


def manual_seed(seed: int) -> np.random.Generator:
    """Make every later random number reproducible.

    Parameters
    ----------
    seed : int
        Any non-negative integer.

    Returns
    -------
    numpy.random.Generator
        The generator from now on in use.
    """
    global _generator
    _generator = np.random.default_rng(seed)
    return _generator


def generator() -> np.random.Generator:
    """The generator in use."""
    return _generator
