"""From a .cu file to functions of a library for the CPU, by the C++ compiler; compiled once per content."""

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

HEADER = Path(__file__).with_name("cuda.h")
USER = os.getuid() if hasattr(os, "getuid") else 0
CACHE = Path(tempfile.gettempdir()) / f"minicnn-emulator-{USER}"
SIGNATURE = re.compile(
    r'extern "C" __global__ void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\(([^)]*)\)\s*\{'
)
SCALARS = {
    "bool": np.bool_,
    "int": np.int32,
    "unsigned": np.uint32,
    "long long": np.int64,
    "unsigned long long": np.uint64,
    "float": np.float32,
    "double": np.float64,
}
POINTED = {
    **SCALARS,
    "unsigned char": np.uint8,
    "signed char": np.int8,
    "int8_t": np.int8,
    "uint8_t": np.uint8,
}


class Parameter:
    """One of a kernel: what it is called, and the dtype of the number or of the array that goes there."""

    def __init__(self, text: str, real: str) -> None:
        words = text.replace("__restrict__", " ").replace("const ", " ")
        self.name = re.findall(r"\w+", words)[-1]
        kind = " ".join(re.findall(r"\w+", words)[:-1])
        kind = real if kind in ("real", "REAL") else kind
        self.is_pointer = "*" in words
        self.struct = "" if self.is_pointer or kind in SCALARS else kind  # of the source's own, by value
        self.size = 0  # of it, in bytes
        self.dtype = np.dtype((POINTED if self.is_pointer else SCALARS)[kind]) if not self.struct else None
        self.text = text.strip()


def compiler() -> str:
    """The C++ compiler; without one, or without fibers, what needs the emulator is skipped."""
    found = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if found is None or sys.platform == "win32":
        pytest.skip("the CUDA emulator needs POSIX and a C++ compiler: c++, g++ or clang++")
    return found


def preprocessed(code: str, options: list[str]) -> str:
    """A source with its own headers and macros filled in, which may write kernels; CUDA's words stay."""
    command = [compiler(), *options, "-E", "-P", "-DEMULATED", "-x", "c++", "-"]
    return subprocess.run(command, input=code, capture_output=True, text=True, check=True, timeout=60).stdout


@contextmanager
def alone(library: Path) -> Iterator[None]:
    """Other processes that want this library wait until it is there."""
    import fcntl  # not on Windows, nor is the emulator

    with open(library.with_suffix(".lock"), "w") as lock:  # closing it lets go
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def compile_to(library: Path, text: str, flags: list[str]) -> None:
    """The library of a source; there is none before it is whole."""
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        source, result = Path(folder) / "kernels.cpp", Path(folder) / "kernels.so"
        source.write_text(text)
        command = [compiler(), *flags, str(source), "-o", str(result)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise RuntimeError(f"the CUDA emulator cannot compile this:\n{done.stderr}")
        result.replace(library)


def build(code: str, options: tuple[str, ...]) -> tuple[ctypes.CDLL, dict[str, list[Parameter]]]:
    """A library with ``launch_NAME`` for each kernel, and the kernels' parameters.

    ``launch_NAME(grid, block, shared, *arguments)``: two arrays of three unsigned numbers, and bytes.
    """
    real = next(option.removeprefix("-DREAL=") for option in options if option.startswith("-DREAL="))
    macros = [option for option in options if option.startswith(("-D", "-I"))]
    kernels = {
        name: [Parameter(p, real) for p in parameters.split(",")]
        for name, parameters in SIGNATURE.findall(preprocessed(code, macros))
    }
    seen = '__attribute__((visibility("default")))'
    launchers = [
        f'extern "C" {seen} void launch_{name}(const unsigned* grid, const unsigned* block, size_t shared, '
        f"{', '.join(p.text for p in parameters)}) {{\n"
        f"    emulator::launch({{grid[0], grid[1], grid[2]}}, {{block[0], block[1], block[2]}}, shared, "
        f"[=] {{ {name}({', '.join(p.name for p in parameters)}); }});\n}}\n"
        for name, parameters in kernels.items()
    ]
    structs = sorted({p.struct for parameters in kernels.values() for p in parameters if p.struct})
    launchers += [f'extern "C" {seen} size_t size_{s}() {{ return sizeof({s}); }}' for s in structs]
    text = "\n".join([f'#include "{HEADER}"', code, *launchers])
    flags = ["-std=c++17", "-O1", "-fPIC", "-shared", "-Wall", "-Wno-unknown-pragmas", "-Werror"]
    flags += ["-fvisibility=hidden"]  # two libraries may both have a `block_sum<T>` and its shared memory
    flags += macros
    included = b"".join(
        p.read_bytes() for o in flags if o[:2] == "-I" for p in sorted(Path(o[2:]).glob("*.cuh"))
    )
    digest = hashlib.sha256(repr((text, flags)).encode() + HEADER.read_bytes() + included).hexdigest()[:20]
    CACHE.mkdir(mode=0o700, exist_ok=True)
    if CACHE.stat().st_uid != USER:
        raise PermissionError(f"{CACHE} belongs to somebody else")
    library = CACHE / f"{digest}.so"
    with alone(library):
        if not library.exists():
            compile_to(library, text, flags)
    loaded = ctypes.CDLL(str(library))
    for parameter in (p for parameters in kernels.values() for p in parameters if p.struct):
        parameter.size = getattr(loaded, f"size_{parameter.struct}")()
    return loaded, kernels
