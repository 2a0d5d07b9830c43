"""Reader of IDX files, the format in which MNIST is published.

An IDX file is two zero bytes, one byte for the dtype, one for the number of dimensions, each size as a
big-endian uint32, then the values in C order, big-endian (https://yann.lecun.com/exdb/mnist/).
"""

import gzip
import hashlib
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"
MAX_DIMENSIONS = 32


def read_idx(path: str | os.PathLike[str], sha256: str | None = None) -> np.ndarray:
    """Read an IDX file, plain or gzip-compressed (told by its content, not its name).

    Parameters
    ----------
    path : path of the file.
    sha256 : the expected SHA-256 of the uncompressed content, as hexadecimal digits. Not checked if None.

    Returns
    -------
    array of the file's shape and dtype (uint8, int8, int16, int32, float32 or float64), in native byte order.

    Raises
    ------
    FileNotFoundError : there is no such file.
    ValueError : the path is a folder, or the content is not what an IDX file must be.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"read_idx: expected an IDX file, got the folder {path}")
    if not path.exists():
        raise FileNotFoundError(f"read_idx: no such file: {path}")
    content = path.read_bytes()
    if content.startswith(GZIP_MAGIC):
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"read_idx: {path} is a damaged gzip file: {error}") from error
    # The structure first: "too short" helps more than "wrong sum".
    array = _parse(content, path)
    if sha256 is not None:
        found = hashlib.sha256(content).hexdigest()
        if found != sha256.lower():
            raise ValueError(f"read_idx: {path} has damaged content: expected SHA-256 {sha256}, got {found}")
    return array


def _parse(content: bytes, path: Path) -> np.ndarray:
    if len(content) < 4:
        raise ValueError(f"read_idx: {path} is too short: expected a 4-byte magic number, got {len(content)}")
    zeros, code, ndim = struct.unpack_from(">HBB", content)
    if zeros != 0:
        raise ValueError(
            f"read_idx: {path} is not an IDX file: expected it to start with two zero bytes, "
            f"got {content[:4].hex(' ')}"
        )
    if code not in DTYPES:
        known = ", ".join(f"0x{known:02x}" for known in DTYPES)
        raise ValueError(f"read_idx: {path} has an unknown dtype: expected one of {known}, got 0x{code:02x}")
    if not 1 <= ndim <= MAX_DIMENSIONS:
        raise ValueError(f"read_idx: {path}: expected 1 to {MAX_DIMENSIONS} dimensions, got {ndim}")
    start = 4 + 4 * ndim
    if len(content) < start:
        raise ValueError(
            f"read_idx: {path} is too short: expected a header of {start} bytes for {ndim} dimensions, "
            f"got {len(content)} bytes"
        )
    shape = struct.unpack_from(f">{ndim}I", content, 4)
    dtype = np.dtype(DTYPES[code])
    expected = start + dtype.itemsize * math.prod(shape)
    if len(content) != expected:
        problem = "is too short" if len(content) < expected else "has trailing bytes"
        raise ValueError(
            f"read_idx: {path} {problem}: expected {expected} bytes for {dtype.name} of shape {shape}, "
            f"got {len(content)}"
        )
    # A copy, because an array over `bytes` could not be written to.
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
