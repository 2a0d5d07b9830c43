"""What lies outside the dialect, and the nearest thing inside.

Whoever writes one of PyTorch's names that minicnn lacks, in a program or in an import line, is told what to
write instead.
"""

import difflib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from minicnn.outside.names import DATA_GROUPS, GROUPS

NEAREST = {name: nearest for nearest, names in GROUPS + DATA_GROUPS for name in names.split()}


class OutsideDialectError(NotImplementedError):
    """Something that PyTorch has and minicnn does not; it says what to write instead."""


class OutsideNameError(OutsideDialectError, AttributeError):
    """A name. It is an AttributeError, so that `hasattr` and `getattr` with a default do what they should."""


class OutsideImportError(OutsideDialectError, ModuleNotFoundError):
    """A module or name in an import line, an error that programs with a way around it catch."""


def missing(owner: str, name: str, names: Any = ()) -> AttributeError:
    """The error for a name that `owner`, which has these `names`, does not have."""
    nearest = NEAREST.get(name)
    if nearest is None and name[-1:] == "_" != name[0]:  # in place
        plain = name[:-1]
        nearest = f"x = x.{plain}(...)" if plain in names else NEAREST.get(plain)
    if nearest is None:
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        return AttributeError(f"{owner} has no attribute {name!r}{meant}")
    nearest = nearest.replace("`", "")
    return OutsideNameError(f"{owner} has no {name}, it lies outside the dialect; instead: {nearest}")


class Absent:
    """In a class, a name that lies outside: whoever reads it gets the error of `missing`.

    Without ``__getattr__``, which would make every attribute that is there slower to read.
    """

    def __init__(self, owner: str, name: str, names: set[str]) -> None:
        self.missing = owner, name, names

    def __get__(self, instance: Any, owner: Any) -> Any:
        raise missing(*self.missing)


def explain_class(owner: type) -> None:
    """Let a class and its instances raise `missing` for names outside, and for operations in place."""
    names = {name for name in dir(owner) if name[0] != "_"}
    for name in (NEAREST.keys() | {f"{name}_" for name in names if name[-1] != "_"}) - names:
        setattr(owner, name, Absent(f"{owner.__name__!r} object", name, names))


def explain(*modules: ModuleType) -> None:
    """Let these modules raise `missing` for names that they do not have, in import lines, too."""
    for module in modules:
        vars(module)["__getattr__"] = getter(module.__name__)
        vars(module).setdefault("__path__", [])  # Python looks for modules in packages only


def stand_for(module: ModuleType, files: str) -> None:
    """Let a module be found under the names of the files that PyTorch has divided it into.

    A function that has the name of its file keeps it; then import lines alone find the file.
    """
    for file in files.split():
        if not callable(vars(module).get(file)):
            setattr(module, file, module)
        sys.modules[f"{module.__name__}.{file}"] = module


class Finder:
    """Python asks it, as the last one, for modules that are not there; so it can say why they are not."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        package, _, name = fullname.rpartition(".")
        if package.partition(".")[0] == "minicnn" and name in NEAREST:
            raise OutsideImportError(str(missing(f"module {package!r}", name)))


sys.meta_path.append(Finder())


def getter(module: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module: Python calls it for names that are not there."""

    def __getattr__(name: str) -> Any:
        raise missing(f"module {module!r}", name, dir(sys.modules[module]))

    return __getattr__
