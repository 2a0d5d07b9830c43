"""Reader of the files that PyTorch's torch.save writes; nothing in them is run.

A file is a zip archive. It holds a pickle, ``data.pkl``, with the plain data, and the tensors' memory in
files of its own, ``data/0`` and so on, which the pickle names by persistent ids ("storage", type, key,
device, length). A file from before PyTorch 1.6, as many published ones are, has pickles and memory in a row.
"""

import io
import math
import pickletools
import zipfile
from collections.abc import Callable
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
ZIP = b"PK\x03\x04"  # how a file begins
OLD = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # and one from before: the pickle of a certain number


def read_pytorch(content: bytes, path: Any) -> Any:
    """The Tensors and plain data in the content of a file of torch.save; errors name `path`.

    Raises
    ------
    ValueError : it is damaged, or holds more than Tensors and plain data, such as a whole model.
    """
    try:
        if content.startswith(OLD):
            return _read_old(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _Archive(archive).read()
    except (
        ValueError,
        OSError,
        LookupError,
        TypeError,
        OverflowError,
        zipfile.BadZipFile,
        RuntimeError,
    ) as error:
        raise ValueError(
            f"load: {path} cannot be read as a file of torch.save: {error}; minicnn reads Tensors, numbers "
            "and text only: save model.state_dict() in PyTorch, not the model"
        ) from error


class _Archive:
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
        return _data(self.member("data.pkl"), self.memory)

    def memory(self, persistent_id: tuple[Any, ...]) -> np.ndarray:
        """All numbers of a storage, in a row."""
        _, kind, key, _, length = persistent_id
        numbers = np.frombuffer(self.member(f"data/{key}"), self.order + checked(kind))
        if len(numbers) != length:
            raise ValueError(f"storage {key} must hold {length} numbers, got {len(numbers)}")
        return numbers.astype(kind)


def _read_old(content: bytes) -> Any:
    """Five pickles: the certain number, a version, the machine, the data, the storages' keys; then, in the
    order of the keys, how many numbers a storage has, and the numbers.
    """
    stream, pickles = io.BytesIO(content), []
    for _ in range(5):
        start = stream.tell()
        for _ in pickletools.genops(stream):  # until the pickle's end
            pass
        pickles.append(content[start : stream.tell()])
    machine, keys = read_plain_pickle(pickles[2]), read_plain_pickle(pickles[4])
    order = "<" if machine["little_endian"] else ">"
    kinds: dict[str, str] = {}

    def note(persistent_id: tuple[Any, ...]) -> None:
        kinds[persistent_id[2]] = checked(persistent_id[1])

    _data(pickles[3], note, lambda *_: None)
    memory, place = {}, stream.tell()
    for key in keys:
        length = int.from_bytes(content[place : place + 8], "little" if order == "<" else "big")
        numbers = np.frombuffer(content, order + kinds[key], length, place + 8)
        memory[key] = numbers.astype(kinds[key])
        place += 8 + numbers.nbytes
    return _data(pickles[3], lambda persistent_id: memory[persistent_id[2]])


def checked(kind: str) -> str:
    """A kind of numbers, if minicnn has it."""
    if kind not in NUMBERS.values() or len(kind) > 2:
        raise ValueError(f"it holds {kind} numbers, which minicnn has not; save them as float() in PyTorch")
    return kind


def _data(pickle: bytes, memory: Callable[..., Any], tensor: Callable[..., Any] | None = None) -> Any:
    """The plain data of a pickle; `tensor` makes one of what `memory` gives for a storage's persistent id."""
    make = tensor or _tensor
    known = NUMBERS | {
        "torch._utils _rebuild_tensor": make,
        "torch._utils _rebuild_tensor_v2": make,
        "torch._utils _rebuild_parameter": tensor or _parameter,
        "torch Size": tuple,
        "torch device": lambda *_: "cpu",
    }
    return read_plain_pickle(pickle, known, memory)


def _parameter(data: Tensor, requires_grad: bool, *_: Any) -> Parameter:
    return Parameter(data, requires_grad)


def _tensor(
    memory: np.ndarray,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    requires_grad: bool = False,
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
