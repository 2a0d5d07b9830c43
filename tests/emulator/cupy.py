"""A stand-in for what minicnn uses of CuPy: arrays that lie in NumPy's memory, and kernels of emulator/.

It is as strict as CuPy, or stricter: its arrays do not mix with NumPy's, and become one by `get` and
`asnumpy` alone; operations give arrays, never numbers; what CuPy lacks is missing. `install` puts it where
``import cupy`` finds it.

Longer than 350 lines because it is one module to those who import it.
"""

import ctypes
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import scipy.special

from emulator import gpu as cuda
from emulator.build import build
from emulator.gpu import pool
from emulator.stream import instead, noted, synchronous

__version__ = "14.0.0"
NUMBERS = (bool, int, float, np.generic)

# What CuPy 14 has under NumPy's names, of what a program might use; all else is missing here.
FUNCTIONS = """
abs absolute add all allclose amax amin any arange arccos arcsin arctan arctan2 argmax argmin argsort
argwhere array_equal ascontiguousarray atleast_1d atleast_2d bincount bitwise_and bitwise_or bitwise_xor
broadcast_to ceil clip concatenate copy cos cosh count_nonzero cumprod cumsum divide dot empty empty_like
equal exp exp2 expand_dims expm1 eye flip floor floor_divide fmax fmin fmod full full_like greater
greater_equal invert isclose isfinite isinf isnan left_shift less less_equal log log10 log1p log2 logical_and
logical_not logical_or matmul maximum may_share_memory mean minimum moveaxis multiply negative nonzero
not_equal ones ones_like pad power prod ravel reciprocal remainder repeat reshape right_shift rint sign
sin sinh split sqrt stack subtract sum swapaxes take tan tanh tensordot transpose tri tril triu
true_divide trunc where zeros zeros_like
"""
ATTRIBUTES = """
all any argmax argmin argsort astype clip copy cumprod cumsum dot dtype fill flatten item itemsize max
mean min nbytes ndim nonzero prod ravel repeat reshape shape size squeeze std strides sum swapaxes T take
tolist transpose var view
"""
FUNCTIONS, ATTRIBUTES = FUNCTIONS.split(), ATTRIBUTES.split()
LOOKING = {"nonzero", "argwhere", "item", "tolist"}  # what has to wait for numbers
CHANGING = {"fill", "at"}  # what gives nothing back
PRODUCTS = {"matmul", "dot", "tensordot"}
ADDED_AT = (np.float16, np.float32, np.float64, np.int32, np.uint32, np.uint64)  # by atomics


class ndarray:  # noqa: N801 (CuPy's name)
    """An array "on the GPU"."""

    __slots__ = ("__weakref__", "base", "host", "memory")
    __array_priority__ = 100
    __hash__ = None

    def __init__(self, host: np.ndarray, base: "ndarray | None" = None) -> None:
        self.host, self.base = host, base
        self.memory = cuda.allocator(host.nbytes) if base is None else None

    @property
    def device(self) -> cuda.Device:
        """The GPU it is on."""
        return cuda.Device(0)

    @property
    def flags(self) -> SimpleNamespace:
        """How it lies in memory; CuPy does not know arrays that may not be written."""
        flags = self.host.flags
        return SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous)

    def __getattr__(self, name: str) -> Any:
        if name not in ATTRIBUTES:
            raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}")
        value = getattr(self.host, name)
        if callable(value) and not isinstance(value, np.ndarray):
            if name in LOOKING:
                synchronous()
            return lambda *args, **kwargs: call(value, args, kwargs, self)
        return wrapped(value, [self]) if isinstance(value, np.ndarray) else value

    @property
    def data(self) -> SimpleNamespace:
        """Where it begins."""
        return SimpleNamespace(ptr=self.host.ctypes.data)

    def get(self) -> np.ndarray:
        """A copy in NumPy's world."""
        synchronous()
        return self.host.copy()

    def diagonal(self, *where: int) -> "ndarray":
        """A view; unlike NumPy's it may be written."""
        view = self.host.diagonal(*where)
        view.flags.writeable = True
        return wrapped(view, [self])

    def __dlpack__(self, **kwargs: Any) -> "ndarray":
        return self

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0

    def set(self, values: np.ndarray) -> None:
        """Take over the values of an array of NumPy's."""
        staged(values.nbytes)
        # A graph would copy from the same memory of the CPU, where long since something else is.
        if not instead(lambda: self.host.fill(0x55), self):
            self.host[...] = values

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{ufunc.__name__} of NumPy got an array on the GPU")

    def __array_function__(self, function: Any, *rest: Any) -> Any:
        raise TypeError(f"{function.__name__} of NumPy got an array on the GPU")

    def __getitem__(self, index: Any) -> Any:
        for part in index if isinstance(index, tuple) else (index,):
            if isinstance(part, ndarray) and part.dtype == bool:
                synchronous()  # how many there are
        return call(self.host.__getitem__, (index,), {}, self)

    def __setitem__(self, index: Any, value: Any) -> None:
        where, values = bare(index), bare(value)
        if not instead(lambda: self.host.__setitem__(where, values), self, *arrays_in(index, value)):
            self.host[where] = values

    def __len__(self) -> int:
        return len(self.host)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        synchronous()
        return bool(self.host)

    def __int__(self) -> int:
        synchronous()
        return int(self.host)

    def __float__(self) -> float:
        synchronous()
        return float(self.host)

    def __index__(self) -> int:
        synchronous()
        return self.host.__index__()

    def __repr__(self) -> str:
        synchronous()
        return repr(self.host)

    def __format__(self, spec: str) -> str:
        synchronous()
        return format(self.host, spec)


BINARY = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift"
OTHERS = "neg pos abs invert eq ne lt le gt ge"
for name in [
    *(f"__{prefix}{name}__" for name in BINARY.split() for prefix in ("", "r", "i")),
    *(f"__{name}__" for name in OTHERS.split()),
]:

    def method(self: ndarray, *others: Any, name: str = name) -> Any:
        others = tuple(others)
        if any(isinstance(x, np.ndarray) or not isinstance(x, (ndarray, *NUMBERS)) for x in others):
            return NotImplemented if not isinstance(others[0], np.ndarray) else unsupported(others[0])
        if "matmul" in name:
            by_library(self)
        operator, given = getattr(self.host, name), [*map(bare, others)]
        if name.startswith("__i") and name != "__invert__":
            if not instead(lambda: operator(*given), self, *arrays_in(*others)):
                operator(*given)
            return self
        return noted(wrapped(operator(*given), []), lambda: operator(*given), [self, *arrays_in(*others)])

    setattr(ndarray, name, method)


def unsupported(x: Any) -> Any:
    """As CuPy says it."""
    raise TypeError(f"Unsupported type {type(x)}")


def bare(x: Any) -> Any:
    """An argument for NumPy; arrays of its own are refused."""
    if isinstance(x, ndarray):
        return x.host
    if isinstance(x, np.ndarray):
        return unsupported(x)
    if isinstance(x, list | tuple):
        return type(x)([bare(v) for v in x])
    return x


def wrapped(result: Any, sources: list[ndarray]) -> Any:
    """A result of NumPy's; a view knows whose memory it shows."""
    if isinstance(result, np.generic):
        return ndarray(np.asarray(result))
    if isinstance(result, np.ndarray):
        for source in sources:
            if result is source.host:
                return source
            if result.base is not None and np.may_share_memory(result, source.host):
                return ndarray(result, source if source.base is None else source.base)
        return ndarray(result)
    if isinstance(result, list | tuple):
        return type(result)([wrapped(r, sources) for r in result])
    return result


def call(function: Any, args: tuple, kwargs: dict, *own: ndarray) -> Any:
    """A function of NumPy on arrays of this module."""
    if kwargs.keys() & {"initial", "where"}:
        raise TypeError(f"{function.__name__}: CuPy takes neither initial nor where")
    sources = [*own, *arrays_in(*args, *kwargs.values())]
    given, named = [*map(bare, args)], {name: bare(value) for name, value in kwargs.items()}

    def job() -> Any:
        return function(*given, **named)

    if function is np.concatenate and len(args[0]) > 8:
        staged(8 * len(args[0]))  # CuPy's kernel for many arrays gets a table of their addresses
    if function.__name__ in LOOKING:
        synchronous()
    if function.__name__ in PRODUCTS:
        by_library(sources[0])
    place = args[function.nin :] if isinstance(function, np.ufunc) else ()
    out = place[0] if place else kwargs.get("out")
    if (out is not None or function.__name__ in CHANGING) and instead(job, *sources):
        return out
    return noted(wrapped(job(), sources), job, sources, function not in (np.empty, np.empty_like))


def by_library(x: ndarray) -> None:
    """CuPy has no graph take down what cuBLAS does, which it calls for products of all but whole numbers."""
    if x.dtype.kind in "fc" and cuda.get_current_stream().is_capturing():
        raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")


def arrays_in(*values: Any) -> list[ndarray]:
    """The arrays among values, also inside lists."""
    inside = [v for value in values if isinstance(value, list | tuple) for v in arrays_in(*value)]
    return [value for value in values if isinstance(value, ndarray)] + inside


def __getattr__(name: str) -> Any:
    """What NumPy has under the same name."""
    value = getattr(np, name)
    if isinstance(value, type | float) or (isinstance(value, np.ufunc) and name in FUNCTIONS):
        return Ufunc(value) if isinstance(value, np.ufunc) else value
    if name not in FUNCTIONS:
        raise AttributeError(f"module 'cupy' has no attribute {name!r}")
    return lambda *args, **kwargs: call(value, args, kwargs)


class Ufunc:
    """A function of each element."""

    def __init__(self, ufunc: np.ufunc) -> None:
        self.ufunc, self.__name__ = ufunc, ufunc.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return call(self.ufunc, args, kwargs)

    def at(self, out: ndarray, index: Any, values: Any) -> None:
        """Each element changed as often as the index has it."""
        if self.ufunc is not np.add or out.dtype not in ADDED_AT:
            raise TypeError(f"{self.__name__}.at of {out.dtype}: CuPy adds numbers of {ADDED_AT} alone")
        call(self.ufunc.at, (out, index, values), {})


def asarray(values: Any, dtype: Any = None, **kwargs: Any) -> ndarray:
    """Numbers as an array here; those of NumPy are copied."""
    if isinstance(values, ndarray) and (dtype is None or values.dtype == dtype):
        return values
    return array(values, dtype)


def array(values: Any, dtype: Any = None, **kwargs: Any) -> ndarray:
    """A copy of numbers, here."""
    given = arrays_in(values)

    def job() -> np.ndarray:
        return np.array(bare(values) if given else values, dtype=dtype, order="C")

    out = ndarray(job())
    if not given and out.host.ndim:  # a single number comes as the argument of a kernel
        staged(out.nbytes)
        return noted(out, lambda: np.full_like(out.host, 85), [])  # see `ndarray.set`
    return noted(out, job, given)


def staged(size: int) -> None:
    """Memory of the CPU that the GPU can read, on the way of numbers from one to the other."""
    cuda.pinned(size)


def from_dlpack(x: Any) -> ndarray:
    """Another library's array, sharing its memory."""
    own = x.__dlpack__()
    return ndarray(own.host[...], own)


def asnumpy(x: Any) -> np.ndarray:
    """A copy in NumPy's world."""
    return x.get() if isinstance(x, ndarray) else np.asarray(x)


class RawModule:
    """Kernels from CUDA C++ source."""

    def __init__(self, *, code: str, options: tuple[str, ...] = (), **settings: Any) -> None:
        self.library, self.parameters = build(code, options)

    def get_function(self, name: str) -> "RawKernel":
        """One of the kernels."""
        return RawKernel(name, getattr(self.library, f"launch_{name}"), self.parameters[name])


class RawKernel:
    """One kernel: ``kernel(grid, block, arguments, shared_mem=bytes)``."""

    def __init__(self, name: str, launcher: Any, parameters: list) -> None:
        self.name, self.launcher, self.parameters = name, launcher, parameters

    def __call__(self, grid: tuple, block: tuple, args: tuple, *, shared_mem: int = 0) -> None:
        if len(args) != len(self.parameters):
            raise TypeError(f"{self.name}: expected {len(self.parameters)} arguments, got {len(args)}")
        (gx, gy, gz), (bx, by, bz) = sides = [[*size, 1, 1][:3] for size in (grid, block)]
        sizes = [(ctypes.c_uint * 3)(*size) for size in sides]
        tall = max(gy, gz) >= 1 << 16 or gx >= 1 << 31 or bz > 64 or bx * by * bz > 1024
        if tall or min(*grid, *block) < 1 or shared_mem > 48 << 10:  # more only for who asks
            raise ValueError(
                f"{self.name}: no GPU takes grid {grid}, block {block}, {shared_mem} bytes shared"
            )
        given = [*sizes, ctypes.c_size_t(shared_mem), *map(self.checked, args, self.parameters)]
        if not instead(lambda: self.launcher(*given), *arrays_in(*args)):
            self.launcher(*given)

    def checked(self, argument: Any, parameter: Any) -> Any:
        """An argument for C; CuPy would pass the wrong kind on without a word."""
        where = f"{self.name}: {parameter.name}"
        if parameter.struct:
            if (
                not isinstance(argument, np.ndarray)
                or argument.size != 1
                or argument.nbytes != parameter.size
            ):
                raise TypeError(f"{where}: expected one struct of {parameter.size} bytes, got {argument!r}")
            fields = [("bytes", ctypes.c_char * parameter.size)]
            return type("Struct", (ctypes.Structure,), {"_fields_": fields}).from_buffer_copy(argument)
        if parameter.is_pointer:
            if isinstance(argument, np.uintp) and not argument:
                return ctypes.c_void_p(None)
            if not isinstance(argument, ndarray) or argument.dtype != parameter.dtype:
                given = argument.dtype if isinstance(argument, ndarray) else type(argument)
                raise TypeError(f"{where}: expected an array of {parameter.dtype}, got {given}")
            if not argument.host.flags.c_contiguous:
                raise TypeError(f"{where}: the array does not lie row by row in memory")
            return ctypes.c_void_p(argument.host.ctypes.data)
        if not isinstance(argument, np.generic) or argument.dtype != parameter.dtype:
            raise TypeError(f"{where}: expected {parameter.dtype}, got {argument!r} ({type(argument)})")
        return np.ctypeslib.as_ctypes_type(parameter.dtype)(argument.item())


def get_default_memory_pool() -> cuda.MemoryPool:
    """Where memory comes from."""
    return pool


def get_default_pinned_memory_pool() -> SimpleNamespace:
    """Where memory of the host comes from that the GPU can read."""
    return SimpleNamespace(free_all_blocks=lambda: None, malloc=lambda size: None)


def erf(x: ndarray) -> ndarray:
    """The error function."""
    return call(scipy.special.erf, (x,), {})


def install() -> None:
    """Let ``import cupy`` find this module, and ``cupyx.scipy.special`` its special functions."""
    sys.modules["cupy"] = sys.modules[__name__]
    for name in ("cupyx", "cupyx.scipy", "cupyx.scipy.special"):
        sys.modules[name] = ModuleType(name)
    sys.modules["cupyx.scipy"].special = sys.modules["cupyx.scipy.special"]  # type: ignore[attr-defined]
    sys.modules["cupyx.scipy.special"].erf = erf  # type: ignore[attr-defined]
