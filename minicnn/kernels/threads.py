"""How many threads the CPU kernels may use. At the start the environment says it, as in PyTorch."""

import os

VARIABLES = ("NUMBA_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")  # the first that is a number counts


def cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def at_the_start() -> int:
    """The number in the environment, or one for each core."""
    for name in VARIABLES:
        value = os.environ.get(name, "").split(",")[0]  # OMP_NUM_THREADS may be a list, for nested regions
        if value.isdecimal() and int(value) > 0:
            return int(value)
    return cores()


count = at_the_start()
