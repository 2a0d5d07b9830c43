"""Switches of NVIDIA's library, which minicnn does not use: of effect is `allow_tf32` alone."""

import sys
from types import ModuleType

from minicnn.device import telling

enabled = benchmark = deterministic = False


def is_available() -> bool:
    """Whether the library is used."""
    return False


def version() -> None:
    """The version of the library: none."""


class Switches(ModuleType):
    """A module that passes on what is set."""

    @property
    def allow_tf32(self) -> bool:
        """Whether a GPU's convolutions round their factors to 10 bits, so that tensor cores multiply them."""
        return telling("cuda.gemm").allow_tf32["conv"]

    @allow_tf32.setter
    def allow_tf32(self, on: bool) -> None:
        telling("cuda.gemm").allow_tf32["conv"] = bool(on)


sys.modules[__name__].__class__ = Switches
