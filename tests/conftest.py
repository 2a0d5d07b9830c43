"""What every test starts from."""

import sys

import pytest
from hypothesis import settings

# The first example to reach a kernel compiles it, so a deadline for each example would only measure that.
settings.register_profile("minicnn", deadline=None)
settings.load_profile("minicnn")


@pytest.fixture(autouse=True)
def fixed_start() -> None:
    """The same random numbers for every test, alone or in the whole run, in minicnn and in PyTorch.

    PyTorch keeps to one thread: its OpenMP runtime and Numba's in one process spin against each other.
    Whichever of the two a test does not use stays unimported.
    """
    for name in ("minicnn", "torch"):
        if name in sys.modules:
            sys.modules[name].manual_seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
