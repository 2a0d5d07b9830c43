"""What programs ask of a GPU, and set for it."""

from typing import Any, NamedTuple

from minicnn.capture import CaptureError, graph
from minicnn.device import device as Device
from minicnn.device import gpu, placed, start
from minicnn.memory import OutOfMemoryError, peak


class Properties(NamedTuple):
    """What a GPU is."""

    name: str
    major: int
    minor: int
    total_memory: int
    multi_processor_count: int


def is_available() -> bool:
    """Whether Tensors can live on a GPU."""
    return not start()


def why_unavailable() -> str:
    """Why `is_available` says no; nothing if it says yes."""
    return start()


def device_count() -> int:
    """The number of GPUs that Tensors can live on."""
    return gpu("device_count").cuda.runtime.getDeviceCount() if is_available() else 0


def current_device() -> int:
    """The number of the GPU that is in use."""
    return gpu("current_device").cuda.runtime.getDevice()


def set_device(device: Any) -> None:
    """Use another GPU from now on; a process works on one at a time."""
    index = number("set_device", device)
    gpu("set_device").cuda.Device(index).use()


def get_device_properties(device: Any = None) -> Properties:
    """Name, compute capability (major, minor), bytes of memory and multiprocessors of a GPU."""
    index = number("get_device_properties", device)
    found = gpu("get_device_properties").cuda.runtime.getDeviceProperties(index)
    return Properties(
        found["name"].decode(),
        found["major"],
        found["minor"],
        found["totalGlobalMem"],
        found["multiProcessorCount"],
    )


def get_device_name(device: Any = None) -> str:
    """What a GPU is called."""
    return get_device_properties(device).name


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """Its compute capability, (9, 0) for sm_90."""
    found = get_device_properties(device)
    return found.major, found.minor


def number(name: str, device: Any) -> int:
    """The number of a GPU; of the one in use for None and "cuda"."""
    chosen = device if isinstance(device, Device) else Device("cuda" if device is None else device)
    if chosen.type != "cuda":
        raise ValueError(f"{name}: expected a GPU, got {device}")
    current, count = gpu(name).cuda.runtime.getDevice(), device_count()
    index = current if chosen.index is None else chosen.index
    if index >= count:
        raise RuntimeError(f"{name}: cuda:{index} is not available: there are {count} GPUs, from cuda:0 on")
    return index


def manual_seed(seed: int) -> None:
    """Nothing: the numbers of all devices come from `minicnn.manual_seed`."""


def manual_seed_all(seed: int) -> None:
    """Nothing: the numbers of all devices come from `minicnn.manual_seed`."""


def synchronize(device: Any = None) -> None:
    """Wait until the GPU has done all that was asked of it; without a GPU there is nothing to wait for."""
    if is_available():
        gpu("synchronize").cuda.Device(number("synchronize", device)).synchronize()


def empty_cache() -> None:
    """Give memory that no Tensor uses back to the GPU, for other programs."""
    if is_available():
        gpu("empty_cache").get_default_memory_pool().free_all_blocks()
        gpu("empty_cache").get_default_pinned_memory_pool().free_all_blocks()


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """The bytes of the GPU's memory that are free, and all there are."""
    placed("mem_get_info", "cuda" if device is None else device)
    return gpu("mem_get_info").cuda.runtime.memGetInfo()


def memory_allocated(device: Any = None) -> int:
    """The bytes that Tensors and what is computed on the way occupy, and captured steps for theirs.

    Counted are blocks of CuPy's pools, multiples of 512 bytes. What CUDA itself and other programs need is
    not, see `mem_get_info`.
    """
    return peak.count() if is_available() else 0


def max_memory_allocated(device: Any = None) -> int:
    """The most that `memory_allocated` would have said at any time, or since `reset_peak_memory_stats`."""
    if not is_available():
        return 0
    peak.count()
    return peak.most


def reset_peak_memory_stats(device: Any = None) -> None:
    """Let `max_memory_allocated` begin again with what is occupied now."""
    if is_available():
        peak.most = peak.count()


def memory_reserved(device: Any = None) -> int:
    """The bytes that this program holds: those of Tensors, and what they gave back and the next ones get."""
    if not is_available():
        return 0
    return peak.pool.total_bytes() + peak.of_graphs()


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """A table of these, and of what captured steps hold of the first."""
    free, total = mem_get_info(device)
    rows = {
        "occupied by Tensors": memory_allocated(),
        "of that by graphs": peak.of_graphs(),
        "at the most": max_memory_allocated(),
        "held by this program": memory_reserved(),
        "free on the GPU": free,
        "all there is": total,
    }
    return "\n".join(f"{name:<20} {count / 2**20:12.1f} MiB" for name, count in rows.items())


__all__ = [
    "CaptureError", "OutOfMemoryError", "Properties", "current_device", "device_count", "empty_cache",
    "get_device_capability", "get_device_name", "get_device_properties", "graph", "is_available",
    "manual_seed", "manual_seed_all", "max_memory_allocated", "mem_get_info", "memory_allocated",
    "memory_reserved", "memory_summary", "reset_peak_memory_stats", "set_device", "synchronize",
    "why_unavailable",
]  # fmt: skip
