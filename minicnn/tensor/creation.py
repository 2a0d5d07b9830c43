"""New Tensors: from data, and constant."""

from typing import Any

import numpy as np

from minicnn.autograd import quiet
from minicnn.device import CPU, constant, device_of, host, is_array, module_at, move, placed, room
from minicnn.tensor.arithmetic import DEFAULT
from minicnn.tensor.shape import sizes
from minicnn.tensor.tensor import Tensor

CUDA_IN_DLPACK = 2  # its number for memory of a GPU


@quiet
def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A Tensor with a copy of the data. Python floats become float32, arrays keep their dtype."""
    where = placed("tensor", device)
    if isinstance(data, Tensor):
        where = device_of(data.array) if device is None else where
        array = data.array.astype(dtype or data.array.dtype)
    elif isinstance(data, np.ndarray | np.generic):
        array = np.array(data, dtype)
    else:
        if isinstance(data, list | tuple):
            data = plain(data)
        array = np.array(data)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"tensor: expected numbers in equal rows, got {data!r:.80}")
        if dtype is None and array.dtype == np.float64 and not has_double(data):
            dtype = DEFAULT
        array = array.astype(dtype or array.dtype, copy=False)
    return Tensor(move(array, where), requires_grad)


def plain(data: Any) -> Any:
    """Nested sequences as nested lists, with Tensors of one element turned into numbers of their dtype."""
    if isinstance(data, list | tuple):
        rows = [plain(x) for x in data]
        lengths = {len(row) if isinstance(row, list) else None for row in rows}
        if len(lengths) > 1:
            raise ValueError(f"tensor: expected rows of equal length, got {sorted(str(n) for n in lengths)}")
        return rows
    if isinstance(data, Tensor):
        if data.array.size != 1:
            raise ValueError(
                f"tensor: only Tensors of one element can stand in a list, got shape {data.array.shape}; "
                "use stack() for others"
            )
        return host(data.array).flat[0]
    return data


def has_double(data: Any) -> bool:
    """Whether a float64 of NumPy's is among the numbers in nested lists; a Python float is none."""
    if isinstance(data, list):
        return any(map(has_double, data))
    return getattr(data, "dtype", None) == np.float64


def from_numpy(array: np.ndarray) -> Tensor:
    """A Tensor that shares the array's memory."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected an ndarray, got {type(array).__name__}")
    return Tensor(array)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """The data as a Tensor, not copied where it is an array or a Tensor of that dtype and place already."""
    where = placed("as_tensor", device)
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device)
    if is_array(data):
        where = device_of(data) if device is None else where
        return Tensor(move(data.astype(kind("as_tensor", dtype, data.dtype), copy=False), where))
    return tensor(data, dtype, where)


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A Tensor that shares the memory of another library's array, by DLPack."""
    if not hasattr(ext_tensor, "__dlpack__"):
        raise RuntimeError(
            f"from_dlpack: expected an object with __dlpack__, got {type(ext_tensor).__name__}"
        )
    on_gpu = hasattr(ext_tensor, "__dlpack_device__") and ext_tensor.__dlpack_device__()[0] == CUDA_IN_DLPACK
    return Tensor(module_at("from_dlpack", "cuda" if on_gpu else None).from_dlpack(ext_tensor))


def zeros(
    *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **shape: Any
) -> Tensor:
    """All zero."""
    xp = module_at("zeros", device)
    return Tensor(xp.zeros(*shape_and_dtype("zeros", size, dtype, shape)), requires_grad)


def ones(
    *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **shape: Any
) -> Tensor:
    """All one."""
    xp = module_at("ones", device)
    return Tensor(xp.ones(*shape_and_dtype("ones", size, dtype, shape)), requires_grad)


def empty(
    *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **shape: Any
) -> Tensor:
    """Whatever was in the memory."""
    return Tensor(room("empty", device, *shape_and_dtype("empty", size, dtype, shape)), requires_grad)


def full(
    size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """All `fill_value`."""
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    default = (
        np.bool_ if isinstance(fill_value, bool) else np.int64 if isinstance(fill_value, int) else DEFAULT
    )
    xp = module_at("full", device)
    sizes, dtype = shape_and_dtype("full", (size,), dtype, default=default)
    return Tensor(xp.full(sizes, np.asarray(fill_value).astype(dtype).item(), dtype), requires_grad)


def eye(
    n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Ones on the diagonal of a matrix (n, m), zeros elsewhere."""
    xp = module_at("eye", device)
    sizes, dtype = shape_and_dtype("eye", (n, n if m is None else m), dtype)
    return Tensor(xp.eye(*sizes, dtype=dtype), requires_grad)


def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The numbers from start (0 if only `end` is given) up to, without, end."""
    where = placed("arange", device)
    start, end, step = (n.item() if isinstance(n, Tensor) else n for n in (start, end, step))
    start, end = (0, start) if end is None else (start, end)
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: steps of {step} do not lead from {start} to {end}")
    whole = all(isinstance(n, int | np.integer) for n in (start, end, step))
    dtype = kind("arange", dtype, np.int64 if whole else DEFAULT)
    exact = float(start).is_integer() and float(step).is_integer()  # all devices agree on the numbers
    if exact and where is not CPU:
        return Tensor(module_at("arange", where).arange(start, end, step, dtype), requires_grad)
    return settled(np.arange(start, end, step, dtype=dtype), where, requires_grad)


def settled(array: np.ndarray, where: Any, requires_grad: bool = False) -> Tensor:
    """A Tensor on a device of numbers that follow from settings alone, which a captured step may make."""
    there = constant(array, where)
    return Tensor(there if there is array else there.copy(), requires_grad)  # a constant is not to be changed


def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers from start to end, both included, at equal distances."""
    where = placed("linspace", device)
    if steps < 0:
        raise RuntimeError(f"linspace: expected at least 0 steps, got {steps}")
    out = np.linspace(start, end, steps).astype(kind("linspace", dtype, DEFAULT))
    return settled(out, where, requires_grad)


def logspace(
    start: float, end: float, steps: int, base: float = 10.0, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """`steps` powers of `base`, with exponents from start to end at equal distances."""
    where = placed("logspace", device)
    if steps < 0:
        raise RuntimeError(f"logspace: expected at least 0 steps, got {steps}")
    out = np.logspace(start, end, steps, base=base).astype(kind("logspace", dtype, DEFAULT))
    return settled(out, where)


def zeros_like(
    input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """All zero, in the shape and dtype of another Tensor."""
    device = input.device if device is None else device
    return zeros(input.shape, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """All one, in the shape and dtype of another Tensor."""
    device = input.device if device is None else device
    return ones(input.shape, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def empty_like(
    input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Whatever was in the memory, in the shape and dtype of another Tensor."""
    device = input.device if device is None else device
    return empty(input.shape, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """All `fill_value`, in the shape and dtype of another Tensor."""
    dtype, device = dtype or input.dtype, input.device if device is None else device
    return full(input.shape, fill_value, dtype=dtype, device=device, requires_grad=requires_grad)


def shape_and_dtype(
    name: str, size: tuple, dtype: Any, named: Any = (), default: Any = DEFAULT
) -> tuple[tuple[int, ...], Any]:
    """What NumPy's functions take first, after the checks: sizes, of which none is negative, and a dtype.

    Sizes may be ints, one sequence, or the keyword `size`, which comes in `named`.
    """
    if named:
        if size or "size" not in named or len(named) > 1:
            raise TypeError(f"{name}: unexpected argument {next(iter(named))!r}")
        size = (named["size"],)
    out = sizes(size)
    if min(out, default=0) < 0:
        raise RuntimeError(f"{name}: expected sizes of at least 0, got {out}")
    return out, kind(name, dtype, default)


def kind(name: str, dtype: Any, default: Any = DEFAULT) -> np.dtype:
    """A dtype of numbers or truth values; the default for None."""
    chosen = np.dtype(default if dtype is None else dtype)
    if chosen.kind not in "biuf":
        raise TypeError(f"{name}: expected a dtype of numbers or truth values, got {chosen}")
    return chosen
