"""What programs ask before they choose a device of any make."""


def is_available() -> bool:
    """Whether Tensors can live anywhere but on the CPU."""
    return False


def device_count() -> int:
    """The number of such devices."""
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """The device to use instead of the CPU: none."""
