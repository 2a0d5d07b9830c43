"""What programs ask before they choose a device of any make."""

from minicnn import cuda
from minicnn.device import device


def is_available() -> bool:
    """Whether Tensors can live anywhere but on the CPU."""
    return cuda.is_available()


def device_count() -> int:
    """The number of such devices."""
    return cuda.device_count()


def current_accelerator(check_available: bool = False) -> device | None:
    """The device to use instead of the CPU, if there is one."""
    return device("cuda") if is_available() else None
