"""What programs ask before they choose a GPU."""

from minicnn.device import NO_GPU


def is_available() -> bool:
    """Whether Tensors can live on a GPU."""
    return False


def device_count() -> int:
    """The number of GPUs that Tensors can live on."""
    return 0


def why_unavailable() -> str:
    """Why `is_available` says no."""
    return NO_GPU


def manual_seed(seed: int) -> None:
    """Nothing: there is no GPU to seed."""


def manual_seed_all(seed: int) -> None:
    """Nothing: there is no GPU to seed."""


def synchronize() -> None:
    """Nothing: on the CPU every operation has ended when it returns."""


def empty_cache() -> None:
    """Nothing: there is no GPU memory to give back."""
