"""Reader of plain data in pickles: numbers, strings, lists, dictionaries and NumPy arrays of numbers.

A pickle is a program that may call anything. Here nothing of it is run: its instructions are listed, those
that build plain data are followed, and the few calls by which NumPy arrays are written are recognised by
their names and done by the reader's own means. Whatever else a file asks for is refused.
"""

import pickletools
from typing import Any

import numpy as np

RECONSTRUCT, NDARRAY, DTYPE, FROM_BUFFER = "_reconstruct", "ndarray", "dtype", "_frombuffer"
ENCODE, BYTES = "encode", "bytes"
KNOWN = {
    "numpy.core.multiarray _reconstruct": RECONSTRUCT,
    "numpy._core.multiarray _reconstruct": RECONSTRUCT,
    "numpy ndarray": NDARRAY,
    "numpy dtype": DTYPE,
    "numpy.core.numeric _frombuffer": FROM_BUFFER,
    "numpy._core.numeric _frombuffer": FROM_BUFFER,
    "_codecs encode": ENCODE,
    "__builtin__ bytes": BYTES,
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
VALUES = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip


class _Name:
    """A function or class that the file names; it stands for itself only."""

    def __init__(self, dotted: str):
        if dotted not in KNOWN:
            raise ValueError(f"it asks for {dotted.replace(' ', '.')}, which is not plain data")
        self.short = KNOWN[dotted]


class _Dtype:
    def __init__(self, code: str):
        self.dtype = np.dtype(code)
        if self.dtype.kind not in "biuf":
            raise ValueError(f"it holds an array of {self.dtype}, which is not of numbers")

    def build(self, state: Any) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """An array that the file makes empty first and fills later."""

    value: np.ndarray

    def build(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        self.fill(content, dtype, shape, "F" if fortran else "C")

    def fill(self, content: Any, dtype: _Dtype, shape: tuple[int, ...], order: Any) -> "_Array":
        content = content.encode("latin-1") if isinstance(content, str) else bytes(content)
        array = np.frombuffer(content, dtype.dtype).reshape(shape, order=order)
        self.value = array.astype(dtype.dtype.newbyteorder("="))
        return self


def read_plain_pickle(content: bytes) -> Any:
    """The plain data in a pickle of any protocol.

    Python 2's strings come as str of latin-1 characters.

    Raises
    ------
    ValueError : it is damaged, or holds or asks for anything but plain data.
    """
    try:
        return _plain(_follow(content))
    except ValueError as error:
        raise ValueError(f"pickle is refused or damaged: {error}") from error
    except (TypeError, IndexError, KeyError, AttributeError, UnicodeError, RecursionError) as error:
        raise ValueError(f"pickle is damaged: {type(error).__name__} {error}") from error


def _follow(content: bytes) -> Any:
    stack: list[Any] = []
    marked: list[list[Any]] = []  # the stacks below each mark
    memo: dict[int, Any] = {}
    argument: Any
    for operation, argument, _ in pickletools.genops(content):
        name = operation.name
        if name in ("PROTO", "FRAME"):
            continue
        if name == "STOP":
            return stack.pop()
        if name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in VALUES:
            stack.append(argument)
        elif name == "MARK":
            marked.append(stack)
            stack = []
        elif name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"):
            stack.append({} if name == "EMPTY_DICT" else [] if name == "EMPTY_LIST" else ())
        elif name in ("LIST", "TUPLE", "DICT", "APPENDS", "SETITEMS"):
            items, stack = stack, marked.pop()
            if name == "APPENDS":
                stack[-1].extend(items)
            elif name == "SETITEMS":
                stack[-1].update(_pairs(items))
            else:
                stack.append(_pairs(items) if name == "DICT" else items if name == "LIST" else tuple(items))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "APPEND":
            item = stack.pop()
            stack[-1].append(item)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][key] = value
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            stack.append(_Name(argument))
        elif name == "STACK_GLOBAL":
            stack[-2:] = [_Name(" ".join(stack[-2:]))]
        elif name == "REDUCE":
            arguments, called = stack.pop(), stack.pop()
            stack.append(_called(called, arguments))
        elif name == "BUILD":
            state = stack.pop()
            if not isinstance(stack[-1], _Array | _Dtype):
                raise ValueError("it sets the state of an object")
            stack[-1].build(state)
        else:
            raise ValueError(f"it uses {name}, which plain data does not need")
    raise ValueError("it ends early")


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _called(called: Any, arguments: tuple[Any, ...]) -> Any:
    name = called.short if isinstance(called, _Name) else None
    if name == RECONSTRUCT:
        return _Array()
    if name == DTYPE:
        return _Dtype(arguments[0])
    if name == FROM_BUFFER:
        content, dtype, shape, order = arguments
        return _Array().fill(content, dtype, shape, order)
    if name == ENCODE and arguments[1] in ("latin1", "latin-1"):
        return arguments[0].encode("latin-1")
    if name == BYTES and not arguments:
        return b""
    raise ValueError("it makes a call that plain data does not need")


def _plain(value: Any) -> Any:
    """The finished arrays in the place of those under construction."""
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, _Name | _Dtype):
        raise ValueError("it holds a function or a type")
    return value.value if isinstance(value, _Array) else value
