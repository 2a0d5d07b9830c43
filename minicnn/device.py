"""Where an array lives and which kernels work on it: the two seams between operations and devices.

This file alone imports CuPy, at the first question for a GPU. A GPU does what it is asked in order, and
nothing waits for it until somebody looks at a number.
"""

import importlib
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache, lru_cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy import ndarray  # a look-up less for what every operation asks

from minicnn.memory import allocated, peak
from minicnn.tape import looked

TYPES = ("cpu", "cuda")
CUPY = 14  # the oldest version that will do
INSTALL = "pip install 'minicnn[cuda12]', or cuda13, by the CUDA version that nvidia-smi shows"
NAMES = {"Concatenate": "cat", "KLDivergence": "kl_div", "MatMul": "matmul", "PReLU": "prelu"}
LINE = 64  # bytes of a line of the CPU's cache
LARGE = 1 << 16  # bytes of an array for which it matters where in a line it begins
CONSTANT = 1 << 20  # bytes of a constant that does not stay on a GPU
_chosen: ContextVar[str] = ContextVar("kernels", default="cpu")
_tellings: dict[str, ModuleType] = {}  # packages of kernels that are in use
_cupy: Any = None  # CuPy, once it is in use
_holding: list[Any] | None = None  # the constants of the graph that is being captured


class device:  # noqa: N801 (PyTorch's name)
    """Where Tensors live: ``device("cpu")``, ``device("cuda:0")``, ``device("cuda", 0)``.

    Parameters
    ----------
    type : str or device
        "cpu" or "cuda", with a number after a colon if there are several. A number alone is that GPU.
    index : int, optional
        Which of several, if `type` does not say it.
    """

    __slots__ = ("index", "type")

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = str(type), None
        if isinstance(type, int) and not isinstance(type, bool) and index is None:
            type, index = "cuda", type
        if not isinstance(type, str) or not (index is None or isinstance(index, int)):
            raise TypeError(f'device: expected a name such as "cpu" and an int, got {type!r} and {index!r}')
        kind, colon, number = type.partition(":")
        if kind not in TYPES or (colon and (not number.isdecimal() or index is not None)):
            raise RuntimeError(f'device: expected "cpu", "cuda" or "cuda:0", got {type!r} (index {index})')
        self.type, self.index = kind, int(number) if colon else index
        if self.index is not None and self.index < 0:
            raise RuntimeError(f"device: expected an index of at least 0, got {index}")

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        number = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{number})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))


CPU = device("cpu")


# the seams


def array_module(x: Any) -> ModuleType:
    """The module whose functions work on the array x: numpy or cupy."""
    if type(x) is ndarray or _cupy is None:
        return np
    return _cupy if isinstance(x, _cupy.ndarray) else np


def kernels_for(x: Any) -> ModuleType:
    """The kernels that work on the array x: a module with all of them under their names.

    It is imported at the first use, so that importing minicnn stays light.
    """
    name = _chosen.get() if type(x) is ndarray or array_module(x) is np else "cuda"
    return _tellings.get(name) or telling(name)


def telling(name: str) -> ModuleType:
    """The package of kernels of that name."""
    found = _tellings.get(name)
    return found or _tellings.setdefault(name, importlib.import_module(f"minicnn.kernels.{name}"))


def kernels_chosen() -> str:
    """The CPU's kernels here and now: "cpu", or "reference" in a `use_kernels` block."""
    return _chosen.get()


@contextmanager
def use_kernels(name: str) -> Iterator[None]:
    """Choose the CPU's kernels inside a ``with`` block: "reference" (plain loops, slow) or "cpu"."""
    if name not in ("reference", "cpu"):
        raise ValueError(f'use_kernels: expected "reference" or "cpu", got {name!r}')
    token = _chosen.set(name)
    try:
        with np.errstate(all="ignore") if name == "reference" else nullcontext():  # NumPy's loops may warn
            yield
    finally:
        _chosen.reset(token)


# the GPU


@cache
def start() -> str:
    """Import CuPy and see whether there is a GPU; why not, or "" if there is."""
    global _cupy
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # CuPy's, of a CUDA that is found at another place, say
            import cupy
        if int(cupy.__version__.partition(".")[0]) < CUPY:
            return f"CuPy is {cupy.__version__}, and it takes {CUPY}: {INSTALL}"
        if not cupy.cuda.runtime.getDeviceCount():
            return "CuPy finds no GPU"
        peak.pool = pool = cupy.get_default_memory_pool()
        cupy.cuda.set_allocator(lambda size: allocated(cupy, pool, size))
        cupy.zeros(1)  # a driver that is too old shows here
    except ModuleNotFoundError as error:
        return f"CuPy is not installed ({error}): {INSTALL}"
    except Exception as error:  # without a driver, a GPU, a home folder: each dies in its own way
        return f"CuPy does not work here: {type(error).__name__}: {error}"
    _cupy = cupy
    return ""


def gpu(name: str) -> Any:
    """CuPy, for what needs a GPU; RuntimeError if there is none."""
    if start():
        raise RuntimeError(f'{name}: cuda is not available: {start()}; use "cpu"')
    return _cupy


def placed(name: str, where: Any) -> device:
    """A device from any form of it: a `device`, a name, a number. "cuda" is the GPU in use.

    Raises
    ------
    RuntimeError
        There is no such GPU, or it is not the one in use.
    """
    if where is None or where is CPU or where == "cpu":
        return CPU
    chosen = where if isinstance(where, device) else device(where)
    if chosen.type == "cpu":
        return CPU
    if start():
        raise RuntimeError(f'{name}: {where} is not available: {start()}; use "cpu"')
    current = _cupy.cuda.runtime.getDevice()
    if chosen.index in (None, current):
        return on_gpu(current)
    count = _cupy.cuda.runtime.getDeviceCount()
    if chosen.index is not None and chosen.index >= count:
        raise RuntimeError(f"{name}: {where} is not available: there are {count} GPUs, from cuda:0 on")
    raise RuntimeError(
        f"{name}: {where} is not the GPU in use, cuda:{current}: a process works on one at a time; "
        f"call cuda.set_device({chosen.index}) first"
    )


@cache
def on_gpu(index: int) -> device:
    """The device of that GPU."""
    return device("cuda", index)


def check_device(name: str, where: Any) -> None:
    """Raise RuntimeError unless Tensors can live there: None, "cpu", or a device."""
    if where is not None and where is not CPU and where != "cpu":
        placed(name, where)


def device_of(x: Any) -> device:
    """Where an array lives."""
    return CPU if type(x) is np.ndarray or array_module(x) is np else on_gpu(x.device.id)


def module_at(name: str, where: Any) -> ModuleType:
    """The module that makes arrays at a place (None: the CPU)."""
    return np if placed(name, where) is CPU else _cupy


def room(name: str, where: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """An array of any values at a place (None: the CPU), for the operation of that name.

    A large one begins where a line of the cache does, so that no vector lies in two; CuPy's do so by
    themselves. Adam's step over a million parameters takes a fifth less time then.
    """
    xp = module_at(name, where)
    array = xp.empty(shape, dtype)
    if xp is not np or array.nbytes < LARGE:
        return array
    memory = np.empty(array.nbytes + LINE, np.uint8)
    return np.ndarray(shape, dtype, memory, -memory.ctypes.data % LINE)


def is_array(x: Any) -> bool:
    """Whether it is an array of any device."""
    return isinstance(x, np.ndarray) or (_cupy is not None and isinstance(x, _cupy.ndarray))


def as_array(x: Any) -> Any:
    """Numbers as an array where they are; those that NumPy gives for 0 dimensions, too."""
    return np.asarray(x) if array_module(x) is np else x


def move(x: Any, to: device) -> Any:
    """An array in the memory of a device: itself, if it is there already.

    Raises
    ------
    RuntimeError
        A CUDA graph is being recorded: it would repeat the copy, from memory that is long gone.
    """
    if array_module(x) is np:
        if to is CPU:
            return x
        if _cupy.cuda.get_current_stream().is_capturing():
            raise RuntimeError(
                "a CUDA graph cannot hold a copy from the CPU: make the Tensor before, on the GPU"
            )
        return _cupy.asarray(x)
    return x.get() if to is CPU else x


def like(x: Any, other: Any) -> Any:
    """An array of NumPy's (an index, say) moved to where another array lives."""
    return x if type(other) is np.ndarray else move(x, device_of(other))


def constant(x: np.ndarray, where: device) -> Any:
    """An array of NumPy's that follows from shapes and settings alone, on a device.

    On a GPU it stays for the next time, unless it is large, and is not to be changed: so a step that is
    captured finds there what it has brought before, and copies nothing.
    """
    if where is CPU or x.nbytes > CONSTANT:
        return move(x, where)
    there = kept(x.tobytes(), x.dtype, x.shape, where)
    if _holding is not None:
        _holding.append(there)
    return there


@lru_cache(256)
def kept(content: bytes, dtype: np.dtype, shape: tuple[int, ...], where: device) -> Any:
    """An array on a GPU."""
    return move(np.frombuffer(content, dtype).reshape(shape), where)


@contextmanager
def holding(constants: list[Any]) -> Iterator[None]:
    """Collect the constants that are used inside a ``with`` block, for a graph that will use them again."""
    global _holding
    _holding = constants
    try:
        yield
    finally:
        _holding = None


def number(value: Any, dtype: Any, other: Any) -> Any:
    """One number as an array where another lives, which on a GPU copies nothing there."""
    one = np.asarray(value).astype(dtype, copy=False)
    return one if type(other) is np.ndarray else array_module(other).full((), one.item(), dtype)


def host(x: Any) -> np.ndarray:
    """An array as one of NumPy's, for somebody to look at: itself, or a copy of what is on the GPU."""
    looked("turns a Tensor into an array or Python's numbers")
    return x if type(x) is np.ndarray else move(x, CPU)


def wait() -> None:
    """Wait until a GPU, if one is in use, has done what was asked of it."""
    if _cupy is not None:
        _cupy.cuda.get_current_stream().synchronize()


def seed_on_gpu(seed: int) -> Any:
    """Where random numbers on the GPU begin: uint64 (3), as the kernel `dropout` wants it."""
    return _cupy.asarray(np.array([seed, 0, 0], np.uint64))


def may_look(x: Any) -> bool:
    """Whether a check may look at the values of an array; not while a CUDA graph takes down what is done."""
    return (
        type(x) is np.ndarray or array_module(x) is np or not _cupy.cuda.get_current_stream().is_capturing()
    )


def check_same(name: str, roles: Any, arrays: Any) -> None:
    """Raise RuntimeError if arrays live on different devices: ``add: x is on cuda:0 but y is on cpu``."""
    known = [(role, device_of(x)) for role, x in zip(roles, arrays, strict=False) if is_array(x)]
    for role, where in known[1:]:
        if where != known[0][1]:
            raise RuntimeError(f"{name}: {known[0][0]} is on {known[0][1]} but {role} is on {where}")


def words(name: str) -> str:
    """The name of an operation as in messages: "cross_entropy" for CrossEntropy."""
    return NAMES.get(name) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
