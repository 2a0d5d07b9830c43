"""Out of a Tensor and into other dtypes, devices and libraries; as methods of a Tensor."""

from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn import ops
from minicnn.device import CPU, device_of, placed
from minicnn.device import device as Device
from minicnn.tape import looked
from minicnn.tensor.apply import Variable, apply_to_one
from minicnn.tensor.arithmetic import cast
from minicnn.tensor.inplace import InPlace

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor


class Conversion(InPlace):
    """Methods that change the type or the place of the elements, or hand them over."""

    __slots__ = ()

    @property
    def device(self) -> Device:
        """Where it lives."""
        return CPU if type(self.array) is np.ndarray else device_of(self.array)

    @property
    def is_cuda(self) -> bool:
        """Whether it lives on a GPU."""
        return type(self.array) is not np.ndarray

    def to(
        self,
        *args: Any,
        dtype: Any = None,
        device: Any = None,
        other: Any = None,
        non_blocking: bool = False,
        copy: bool = False,
    ) -> "Tensor":
        """The same values in another dtype and place; itself if it is so already and no copy is asked for.

        ``to(dtype)``, ``to(device)``, ``to(device, dtype)``, ``to(other)``, which takes both from a Tensor.
        """
        if args and (args[0] is None or isinstance(args[0], str | Device) or type(args[0]) is int):
            device, args = args[0], args[1:]
        elif args and isinstance(args[0], Variable):
            other, args = args[0], args[1:]
        if args and not isinstance(args[0], bool):
            dtype, args = args[0], args[1:]
        if other is not None:
            dtype, device = other.array.dtype, device_of(other.array)
        where = self.device if device is None else placed("to", device)
        wanted = self.array.dtype if dtype is None else np.dtype(dtype)
        if wanted.kind not in "biuf":
            raise TypeError(f"to: expected a dtype of numbers or truth values, got {wanted}")
        if self.array.dtype == wanted and where == self.device and (copy or args[1:2] == (True,)):
            return self.clone()
        return cast(self._moved(where), wanted)

    def _moved(self, where: Device) -> "Tensor":
        return self if where == self.device else apply_to_one(ops.Move, self, where)  # type: ignore[return-value]

    def type(self, dtype: Any = None) -> Any:
        """The same values in another dtype, as `to`; without one, the name of this Tensor's type."""
        if dtype is None:
            from minicnn.tensor.dtypes import MAKERS

            return f"torch.{'cuda.' * self.is_cuda}{MAKERS[self.array.dtype]}"
        return self.to(dtype=dtype)

    def type_as(self, other: Variable) -> "Tensor":
        """The same values in the dtype of another Tensor."""
        return cast(self, other.array.dtype)

    def float(self) -> "Tensor":
        """The same values as float32."""
        return cast(self, np.dtype(np.float32))

    def double(self) -> "Tensor":
        """The same values as float64."""
        return cast(self, np.dtype(np.float64))

    def long(self) -> "Tensor":
        """The same values as int64."""
        return cast(self, np.dtype(np.int64))

    def int(self) -> "Tensor":
        """The same values as int32."""
        return cast(self, np.dtype(np.int32))

    def byte(self) -> "Tensor":
        """The same values as uint8."""
        return cast(self, np.dtype(np.uint8))

    def bool(self) -> "Tensor":
        """Whether each element is not zero."""
        return cast(self, np.dtype(np.bool_))

    def cpu(self) -> "Tensor":
        """The same values on the CPU; itself, if it is there."""
        return self._moved(CPU)

    def cuda(self, device: Any = None, non_blocking: Any = False) -> "Tensor":
        """The same values on a GPU; itself, if it is there."""
        return self._moved(placed("cuda", "cuda" if device is None else device))

    # new Tensors of this dtype

    def new_zeros(self, *size: Any, **kwargs: Any) -> "Tensor":
        """All zero, in this dtype."""
        return self._new("zeros", *size, **kwargs)

    def new_ones(self, *size: Any, **kwargs: Any) -> "Tensor":
        """All one, in this dtype."""
        return self._new("ones", *size, **kwargs)

    def new_empty(self, *size: Any, **kwargs: Any) -> "Tensor":
        """Whatever was in the memory, in this dtype."""
        return self._new("empty", *size, **kwargs)

    def new_full(self, size: Any, fill_value: Any, **kwargs: Any) -> "Tensor":
        """All `fill_value`, in this dtype."""
        return self._new("full", size, fill_value, **kwargs)

    def new_tensor(self, data: Any, **kwargs: Any) -> "Tensor":
        """A copy of the data in this dtype."""
        return self._new("tensor", data, **kwargs)

    def _new(self, name: str, *args: Any, **kwargs: Any) -> "Tensor":
        from minicnn.tensor import creation

        if kwargs.get("dtype") is None:
            kwargs["dtype"] = self.array.dtype
        if kwargs.get("device") is None:
            kwargs["device"] = self.device
        return getattr(creation, name)(*args, **kwargs)

    # other libraries

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None
    ) -> Any:
        """The memory for another library, without a copy: ``torch.from_dlpack(x)``, ``np.from_dlpack(x)``."""
        if self.tracked:
            raise BufferError("__dlpack__: this Tensor requires grad; use detach()")
        looked("lends a Tensor's memory to another library")
        return self.array.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> Any:
        """Where the memory is, in DLPack's numbers: (1, 0), the CPU, or (2, number of the GPU)."""
        return self.array.__dlpack_device__()
