"""What programs set for PyTorch's libraries. Most of it can be set, and changes nothing.

minicnn computes float32 in full precision, unless a GPU is allowed TF32: its tensor cores are faster, and
round the factors of products to 10 bits. `cuda.matmul.allow_tf32` is about products of matrices,
`cudnn.allow_tf32` about convolutions; unlike PyTorch's, both are False until a program says True.
`cpu.winograd`, which PyTorch does not have, is about convolutions on the CPU.
"""

from types import SimpleNamespace
from typing import SupportsIndex

from minicnn.backends import cudnn
from minicnn.cuda import is_available
from minicnn.device import telling
from minicnn.kernels import threads

PRECISIONS = ("highest", "high", "medium")


class Matmul:
    """How a GPU multiplies matrices."""

    @property
    def allow_tf32(self) -> bool:
        """Whether in TF32."""
        return telling("cuda.gemm").allow_tf32["linear"]

    @allow_tf32.setter
    def allow_tf32(self, on: bool) -> None:
        telling("cuda.gemm").allow_tf32["linear"] = bool(on)


class CPU:
    """How the CPU computes convolutions."""

    @property
    def winograd(self) -> str | bool:
        """Whether 3x3 filters with stride 1 take Winograd's way, which multiplies less and rounds more.

        "auto" (where it is faster, and precise enough), "f2" (always, two by two pixels at a time: 2.25 times
        fewer products), "f4" (four by four: 4 times fewer) or False (never). Errors are a share of the
        largest number nearby, 2e-5 with "f4" and 3e-6 with "f2": see kernels/cpu/winograd.py.
        """
        return telling("cpu.winograd").choice

    @winograd.setter
    def winograd(self, choice: str | bool) -> None:
        kernels = telling("cpu.winograd")
        if choice not in kernels.CHOICES:
            raise RuntimeError(f"backends.cpu.winograd: expected one of {kernels.CHOICES}, got {choice!r}")
        vars(kernels)["choice"] = choice


cpu = CPU()
cuda = SimpleNamespace(matmul=Matmul(), is_built=is_available)
mps = SimpleNamespace(is_available=lambda: False, is_built=lambda: False)


def set_float32_matmul_precision(precision: str) -> None:
    """Let a GPU multiply matrices in TF32 ("high", "medium"), or not ("highest")."""
    if precision not in PRECISIONS:
        raise RuntimeError(f"set_float32_matmul_precision: expected one of {PRECISIONS}, got {precision!r}")
    cuda.matmul.allow_tf32 = precision != "highest"


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Nothing: all algorithms are deterministic."""


def set_num_threads(number: SupportsIndex) -> None:
    """How many threads a CPU kernel may use; results do not depend on it, bit by bit.

    At the start it is the number in NUMBA_NUM_THREADS, MKL_NUM_THREADS or OMP_NUM_THREADS, else one for each
    core. There are never more than the process has started with: NUMBA_NUM_THREADS, else one for each core.
    """
    if isinstance(number, bool) or not hasattr(number, "__index__"):
        raise RuntimeError(f"set_num_threads: expected an int, got {type(number).__name__}")
    if number.__index__() < 1:
        raise RuntimeError(f"set_num_threads: expected a positive integer, got {number}")
    threads.count = number.__index__()


def get_num_threads() -> int:
    """How many threads a CPU kernel may use."""
    return threads.count


__all__ = [
    "cpu", "cuda", "cudnn", "get_num_threads", "mps", "set_float32_matmul_precision", "set_num_threads",
    "use_deterministic_algorithms",
]  # fmt: skip
