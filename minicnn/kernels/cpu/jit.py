"""How the CPU kernels are compiled: lazily, once, into a cache of the user's own.

    @kernel     what `run` starts (runner.py)
    @inner      a function that only kernels call: compiled inside each of them, and kept nowhere else
    @pasted     one whose lines become its callers': a number in a call is known in it, and loops unroll
    @jit        any other, which Python may call: compiled and cached by itself

(`noinline()` of simd.py keeps an inner function apart from its callers, where registers are scarce.)

Numba's cache notices an edit of the file a kernel stands in, but not of the files it calls into. So the cache
folder's name holds a hash of this whole folder. Its files are pickles: the folder belongs to the user alone
(mode 0700). One process at a time is at it: Numba first enters a kernel in an index, then writes it.
"""

import contextlib
import gc
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numba
from numba.core import config, event
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.types import Array, unliteral

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

# Not nnan and ninf, with which a NaN in the data would go unnoticed; nor arcp and afn, which estimate
# quotients and roots, otherwise in vectors than alone: then results depend on where numbers lie in memory.
FASTMATH = {"nsz", "contract", "reassoc"}
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": FASTMATH,
    "no_cfunc_wrapper": True,  # nobody calls a kernel from C
}


def cache_folder() -> str | None:
    """The per-user folder for compiled kernels; None if there is nowhere to write."""
    source = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        source.update(file.read_bytes())
    try:  # a user without a home is a RuntimeError
        base = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(base) / "minicnn" / f"kernels-{source.hexdigest()[:16]}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = folder.stat()
    except (OSError, RuntimeError):
        return None
    if hasattr(os, "getuid") and (about.st_uid != os.getuid() or about.st_mode & 0o022):
        return None  # somebody else could have put files there
    return str(folder) if os.access(folder, os.W_OK) else None


FOLDER = cache_folder()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Other processes wait here, on systems and disks that know locks."""
    if fcntl is None or FOLDER is None:
        yield
        return
    with open(Path(FOLDER, "lock"), "w") as lock:  # closing it lets go
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def forgiving(access: Callable) -> Callable:
    """A full disk or a damaged cache file costs the time of a compilation, not the user's work."""

    def access_if_possible(*args: Any) -> Any:
        try:
            with alone():
                return access(*args)
        except Exception:  # whatever an unpickled ruin can raise
            return None

    return access_if_possible


class KernelLibrary(JITCodeLibrary):
    """Code that is optimized once: Numba has another round before, for its counting of Python's objects."""

    def _optimize_final_module(self) -> None:
        manager, builder = self._codegen._module_pass_manager()
        manager.run(self._final_module, builder)


class InnerLibrary(JITCodeLibrary):
    """Code that is linked into its callers', and optimized and made machine code only there."""

    def finalize(self) -> None:
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()
        return 0

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, name: str, env: Any) -> None:
        """Machine code alone has an environment, which is its caller's."""


def compiler(library: type[JITCodeLibrary]) -> type[Compiler]:
    """Numba's, which puts the code of a function into such a library."""

    class LibraryCompiler(Compiler):
        def define_pipelines(self) -> list:
            self.state.library = library(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
            self.state.library.enable_object_caching()  # as Numba does where it makes one
            return super().define_pipelines()

    return LibraryCompiler


KERNEL = OPTIONS | {"pipeline_class": compiler(KernelLibrary)}
INNER = OPTIONS | {"pipeline_class": compiler(InnerLibrary), "no_cpython_wrapper": True}


def jit(function: Callable, **options: Any) -> Any:
    """A Numba function, cached in the folder above."""
    before, config.CACHE_DIR = config.CACHE_DIR, FOLDER or config.CACHE_DIR
    try:
        compiled = numba.njit(function, cache=FOLDER is not None, **(KERNEL | options))
    finally:
        config.CACHE_DIR = before
    if hasattr(compiled, "_cache"):  # not under NUMBA_DISABLE_JIT
        for name in ("load_overload", "save_overload"):
            setattr(compiled._cache, name, forgiving(getattr(compiled._cache, name)))
    return compiled


def inner(function: Callable, **options: Any) -> Any:
    """A function that only kernels call, never Python.

    Else it would be optimized and made machine code by itself, then again inside each caller, and written to
    a file: a quarter of the time that compiling takes. And Numba would compile it anew for each number that
    stands in a call; only one that says `literally` wants that. An error that it raises has a fixed message:
    numbers in it would need more of Python.
    """
    compiled = numba.njit(function, **(INNER | options))
    if config.DISABLE_JIT:
        return compiled
    if "literally" not in function.__code__.co_names:
        template = compiled.get_call_template
        compiled.get_call_template = lambda args, kws: template([unliteral(ty) for ty in args], kws)

    def refuse(*args: Any, **kws: Any) -> None:
        raise TypeError(f"{function.__name__}: expected a kernel to call it, got a call from Python")

    compiled._compile_for_args = refuse  # it has no machine code that could be called
    compiled._insert = lambda *overload: None
    return compiled


kernel: Any = inner  # `run` makes it a caller (runner.launch)
pasted: Any = partial(jit, inline="always")


class Progress(event.Listener):
    """Says on stderr which kernel is being compiled, not counting those it calls.

    Meanwhile Python does not look for garbage: a tenth of the time, as Numba makes many objects that stay.
    """

    depth = 0
    collects = False

    def on_start(self, happened: event.Event) -> None:
        kernel = happened.data["dispatcher"].py_func
        if self.depth == 0:
            self.collects = gc.isenabled()
            gc.disable()
            if kernel.__module__.startswith(__package__):
                kept = "then cached" if FOLDER else "no cache folder is writable"
                name = f"{kernel.__module__.rpartition('.')[2]}.{kernel.__name__}"
                tys = [t for ty in happened.data["args"] for t in getattr(ty, "types", [ty])]
                dtype = next((f" {ty.dtype}" for ty in tys if isinstance(ty, Array)), "")
                print(f"minicnn: compiling {name}{dtype} (once, {kept})", file=sys.stderr, flush=True)
        self.depth += 1

    def on_end(self, happened: event.Event) -> None:
        self.depth -= 1
        if self.depth == 0 and self.collects:
            if gc.get_freeze_count() == 0:  # all objects become old ones, which are rarely looked through
                gc.freeze()
                gc.unfreeze()
            gc.enable()


event.register("numba:compile", Progress())
