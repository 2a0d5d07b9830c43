"""Switches of NVIDIA's library, which minicnn does not use."""

enabled = benchmark = deterministic = allow_tf32 = False


def is_available() -> bool:
    """Whether the library is used."""
    return False


def version() -> None:
    """The version of the library: none."""
