"""Reader of plain data in pickles: numbers, strings, lists, dictionaries and NumPy arrays of numbers.

A pickle is a program that may call anything. Here nothing of it is run: its instructions are listed, those
that build plain data are followed, and the few calls by which NumPy arrays are written are recognised by
their names and done by the reader's own means. Whatever else a file asks for is refused.
"""

import pickletools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
VALUES = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip


class _Call:
    """A function or class that the file names, with the reader's own means of doing what it does."""

    def __init__(self, does: Callable[..., Any]):
        self.does = does


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


def _no_call(*_: Any) -> Any:
    raise ValueError("it makes a call that plain data does not need")


def _encode(text: str, encoding: str) -> bytes:
    return text.encode("latin-1") if encoding in ("latin1", "latin-1") else _no_call()


# what a file may name: how the reader does that, or what it stands for
KNOWN: dict[str, Any] = {
    "numpy ndarray": _no_call,
    "numpy dtype": lambda code, *_: _Dtype(code),
    "_codecs encode": _encode,
    "__builtin__ bytes": lambda: b"",
    "collections OrderedDict": dict,
}


def _scalar(dtype: _Dtype, content: Any) -> Any:
    return _Array().fill(content, dtype, (), "C").value[()]


for _module in ("numpy.core", "numpy._core"):
    KNOWN[f"{_module}.multiarray _reconstruct"] = lambda *_: _Array()
    KNOWN[f"{_module}.multiarray scalar"] = _scalar
    KNOWN[f"{_module}.numeric _frombuffer"] = lambda *arguments: _Array().fill(*arguments)


def read_plain_pickle(
    content: bytes,
    known: Mapping[str, Any] | None = None,
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """The plain data in a pickle of any protocol.

    Python 2's strings come as str of latin-1 characters.

    Parameters
    ----------
    known : what else a file may name, "module name" -> a function that does it, or what it stands for.
    persistent : gives what a file keeps outside of the pickle, by its id.

    Raises
    ------
    ValueError : it is damaged, or holds or asks for anything but plain data.
    """
    try:
        return _plain(_follow(content, KNOWN | dict(known or {}), persistent))
    except ValueError as error:
        raise ValueError(f"pickle is refused or damaged: {error}") from error
    except (TypeError, IndexError, KeyError, AttributeError, UnicodeError, RecursionError) as error:
        raise ValueError(f"pickle is damaged: {type(error).__name__} {error}") from error


def _named(dotted: str, known: Mapping[str, Any]) -> Any:
    if dotted not in known:
        raise ValueError(f"it asks for {dotted.replace(' ', '.')}, which is not plain data")
    return _Call(known[dotted]) if callable(known[dotted]) else known[dotted]


def _follow(content: bytes, known: Mapping[str, Any], persistent: Callable[[Any], Any] | None) -> Any:
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
            stack.append(_named(argument, known))
        elif name == "STACK_GLOBAL":
            stack[-2:] = [_named(" ".join(stack[-2:]), known)]
        elif name == "REDUCE":
            arguments, called = stack.pop(), stack.pop()
            stack.append(called.does(*arguments) if isinstance(called, _Call) else _no_call())
        elif name == "BINPERSID" and persistent is not None:
            stack.append(persistent(stack.pop()))
        elif name == "BUILD":
            state = stack.pop()
            if isinstance(stack[-1], _Array | _Dtype):
                stack[-1].build(state)
            elif not isinstance(stack[-1], dict):  # an OrderedDict's attributes are no data
                raise ValueError("it sets the state of an object")
        else:
            raise ValueError(f"it uses {name}, which plain data does not need")
    raise ValueError("it ends early")


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _plain(value: Any) -> Any:
    """The finished arrays in the place of those under construction."""
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, _Call | _Dtype):
        raise ValueError("it holds a function or a type")
    return value.value if isinstance(value, _Array) else value
