"""Reader of the zip files that PyTorch's torch.save writes; nothing in them is run.

Such a file holds a pickle, ``data.pkl``, with the plain data, and the tensors' memory in files of its own,
``data/0`` and so on, which the pickle names by persistent ids ("storage", type, key, device, length).
"""

import io
import math
import zipfile
from typing import Any

import numpy as np

from minicnn.data.pickled import read_plain_pickle
from minicnn.nn import Parameter
from minicnn.tensor import Tensor

NUMBERS = {
    "torch DoubleStorage": "f8",
    "torch FloatStorage": "f4",
    "torch LongStorage": "i8",
    "torch IntStorage": "i4",
    "torch ShortStorage": "i2",
    "torch CharStorage": "i1",
    "torch ByteStorage": "u1",
    "torch BoolStorage": "?",
    "torch HalfStorage": "float16",  # these two are told, and refused
    "torch BFloat16Storage": "bfloat16",
}


def read_pytorch(content: bytes, path: Any) -> Any:
    """The Tensors and plain data in the content of a file of torch.save; errors name `path`.

    Raises
    ------
    ValueError : it is damaged, or holds more than Tensors and plain data, such as a whole model.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _Reader(archive).read()
    except (ValueError, OSError, KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ValueError(
            f"load: {path} cannot be read as a file of torch.save: {error}; minicnn reads Tensors, numbers "
            "and text only: save model.state_dict() in PyTorch, not the model"
        ) from error


class _Reader:
    def __init__(self, archive: zipfile.ZipFile):
        self.archive = archive
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError("it is a zip file without a data.pkl")
        self.folder = pickles[0].removesuffix("data.pkl")
        big = self.folder + "byteorder" in archive.namelist() and self.member("byteorder") == b"big"
        self.order = ">" if big else "<"

    def member(self, name: str) -> bytes:
        info = self.archive.getinfo(self.folder + name)
        if info.compress_type != zipfile.ZIP_STORED:  # not by PyTorch; and it could unpack to a huge one
            raise ValueError(f"{info.filename} is compressed")
        return self.archive.read(info)

    def read(self) -> Any:
        known = NUMBERS | {
            "torch._utils _rebuild_tensor_v2": _tensor,
            "torch._utils _rebuild_parameter": lambda data, requires_grad, *_: Parameter(data, requires_grad),
            "torch Size": tuple,
            "torch device": lambda *_: "cpu",
        }
        return read_plain_pickle(self.member("data.pkl"), known, self.memory)

    def memory(self, persistent_id: tuple[Any, ...]) -> np.ndarray:
        """All numbers of a storage, in a row."""
        _, kind, key, _, length = persistent_id
        if kind not in NUMBERS.values() or len(kind) > 2:
            raise ValueError(
                f"it holds {kind} numbers, which minicnn has not; save them as float() in PyTorch"
            )
        numbers = np.frombuffer(self.member(f"data/{key}"), self.order + kind)
        if len(numbers) != length:
            raise ValueError(f"storage {key} must hold {length} numbers, got {len(numbers)}")
        return numbers.astype(kind)


def _tensor(
    memory: np.ndarray,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    requires_grad: bool,
    *_: Any,
) -> Tensor:
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    places, count = (offset, *shape, *strides), math.prod(shape)
    if not isinstance(memory, np.ndarray) or min(places) < 0 or (count and last >= len(memory)):
        raise ValueError(f"a tensor of shape {shape} does not lie in its memory")
    if count > max(len(memory), 2**20):
        raise ValueError(f"a tensor of shape {shape} repeats its {len(memory)} numbers too often")
    values = np.lib.stride_tricks.as_strided(
        memory[offset:], shape, [stride * memory.itemsize for stride in strides]
    )
    return Tensor(values.copy(), requires_grad)
