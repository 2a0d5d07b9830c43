"""What programs set for PyTorch's libraries: it can be set, and changes nothing.

minicnn computes float32 in full precision, and the same numbers in every run.
"""

from types import SimpleNamespace

from minicnn.backends import cudnn

cuda = SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False), is_built=lambda: False)
mps = SimpleNamespace(is_available=lambda: False, is_built=lambda: False)


def set_float32_matmul_precision(precision: str) -> None:
    """Nothing: allowing less than full precision ("high", "medium") changes nothing."""


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Nothing: all algorithms are deterministic."""


__all__ = ["cuda", "cudnn", "mps", "set_float32_matmul_precision", "use_deterministic_algorithms"]
