"""The types of elements, with PyTorch's names: NumPy's dtypes."""

from typing import Any

import numpy as np

from minicnn.tensor.arithmetic import DEFAULT, operand, result_dtype
from minicnn.tensor.creation import empty, tensor
from minicnn.tensor.tensor import Tensor

float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)
int64 = np.dtype(np.int64)
int32 = np.dtype(np.int32)
int16 = np.dtype(np.int16)
int8 = np.dtype(np.int8)
uint8 = np.dtype(np.uint8)
bool_ = np.dtype(np.bool_)

finfo, iinfo = np.finfo, np.iinfo  # the limits of a dtype: finfo(float32).eps


def get_default_dtype() -> np.dtype:
    """What Python's floats become: float32."""
    return DEFAULT


def set_default_dtype(d: Any) -> None:
    """Accepted for float32 alone."""
    if np.dtype(d) != DEFAULT:
        raise NotImplementedError(
            f"set_default_dtype: it is always float32; for {d} use model.double() and dtype={d}"
        )


def result_type(tensor1: Any, tensor2: Any) -> np.dtype:
    """The dtype of a result of two Tensors or numbers."""
    return result_dtype(operand("result_type", tensor1), operand("result_type", tensor2))


class Maker:
    """A function of PyTorch's older programs: ``LongTensor([1, 2])``, ``FloatTensor(2, 3)``."""

    def __init__(self, name: str, dtype: np.dtype) -> None:
        self.__name__, self.dtype = name, dtype

    def __call__(self, *data: Any) -> Tensor:
        """A Tensor of this dtype: with these values, or of these sizes with any."""
        if len(data) == 1 and not isinstance(data[0], int):
            return tensor(data[0], self.dtype)
        return empty(*data, dtype=self.dtype)

    def __instancecheck__(self, x: Any) -> bool:
        return isinstance(x, Tensor) and x.array.dtype == self.dtype

    def __repr__(self) -> str:
        return self.__name__


FloatTensor, DoubleTensor = Maker("FloatTensor", float32), Maker("DoubleTensor", float64)
LongTensor, IntTensor = Maker("LongTensor", int64), Maker("IntTensor", int32)
ShortTensor, CharTensor = Maker("ShortTensor", int16), Maker("CharTensor", int8)
ByteTensor, BoolTensor = Maker("ByteTensor", uint8), Maker("BoolTensor", bool_)
MAKERS = {
    maker.dtype: maker
    for maker in (
        FloatTensor, DoubleTensor, LongTensor, IntTensor, ShortTensor, CharTensor, ByteTensor, BoolTensor,
    )
}  # fmt: skip
