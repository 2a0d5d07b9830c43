"""How the CPU kernels are compiled and cached: the folder, what is said meanwhile, and what may go wrong."""

import gc
import os
import shutil
import stat
import sys
from pathlib import Path

import numba
import pytest
from numba import literally
from numba.core import event

from kernel_cases import for_python, run
from minicnn.kernels.cpu import jit

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
PROGRAM = """
import numpy as np
from minicnn.kernels import cpu
from minicnn.kernels.cpu import jit
dx = cpu.linear_input_gradient(np.full((2, 3), 2.0), np.ones((3, 4)))
print(jit.FOLDER, dx[1, 3], cpu.relu(np.ones(1 << 15))[0])
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    return tmp_path


@POSIX
def test_folder_belongs_to_the_user_alone(cache):
    folder = Path(jit.cache_folder())
    assert folder.is_relative_to(cache)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@POSIX
@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702])
def test_folder_that_others_may_write_is_refused(cache, mode):
    folder = Path(jit.cache_folder())
    folder.chmod(mode)
    assert jit.cache_folder() is None
    folder.chmod(0o700)
    assert jit.cache_folder() == str(folder)


@POSIX
def test_folder_of_another_user_is_refused(cache, monkeypatch):
    assert jit.cache_folder() is not None
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert jit.cache_folder() is None


def test_folder_follows_the_environment(tmp_path, monkeypatch):
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "HOME")
    for name, base in (("NUMBA_CACHE_DIR", ""), ("XDG_CACHE_HOME", ""), ("HOME", ".cache")):
        assert Path(jit.cache_folder()).parent == tmp_path / name / base / "minicnn"
        monkeypatch.delenv(name)


def test_without_a_home_nothing_is_cached(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert jit.cache_folder() is None


def test_any_edit_of_a_kernel_file_changes_the_folder(cache, tmp_path, monkeypatch):
    copied = tmp_path / "copied"
    shutil.copytree(Path(jit.__file__).parent, copied, ignore=shutil.ignore_patterns("__pycache__"))
    before = jit.cache_folder()
    monkeypatch.setattr(jit, "__file__", str(copied / "jit.py"))
    assert jit.cache_folder() == before  # the sources count, not where they are
    folders = {before}
    files = sorted(copied.glob("*.py"))
    for file in files:
        text = file.read_text(encoding="utf-8")
        file.write_text(text + "# edited\n", encoding="utf-8")
        folders.add(jit.cache_folder())
        file.write_text(text, encoding="utf-8")
    assert len(folders) == len(files) + 1
    assert jit.cache_folder() == before


def compilations(stderr: str) -> list[str]:
    lines = stderr.splitlines()
    assert all(line.startswith("minicnn: compiling ") for line in lines)
    return [line.split()[2] for line in lines]


def test_compiling_is_announced_once_and_never_from_the_cache(tmp_path):
    first, second = (run(PROGRAM, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert first.stdout == second.stdout
    assert first.stdout.split()[0].startswith(str(tmp_path))
    assert first.stdout.split()[1:] == ["6.0", "1.0"]
    assert compilations(first.stderr) == ["gemm.product", "activation.rectify"]  # not the functions they call
    assert "minicnn: compiling gemm.product float64 (once, then cached)" in first.stderr
    assert compilations(second.stderr) == []


def test_other_peoples_kernels_are_not_announced(capfd):
    @numba.njit
    def theirs(x):
        return x + 1

    assert theirs(1) == 2
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_waits_while_a_kernel_is_compiled(collects):
    """And whoever has switched its collection off finds it so."""
    during = []

    @numba.njit
    def kernel(x):
        return x + 1

    class Look(event.Listener):
        def on_start(self, happened):
            during.append(gc.isenabled())

        def on_end(self, happened):
            pass

    look = Look()
    (gc.enable if collects else gc.disable)()
    try:
        with event.install_listener("numba:compile", look):
            assert kernel(1) == 2
        assert gc.isenabled() == collects
        assert during == [False]
        with pytest.raises(numba.TypingError):
            kernel("one")
        assert gc.isenabled() == collects
        gc.freeze()  # as a server does that will be forked: what is frozen stays so
        frozen = gc.get_freeze_count()
        assert kernel(1.5) == 2.5
        assert gc.get_freeze_count() > frozen / 2  # some are let go
    finally:
        gc.unfreeze()
        gc.enable()


def test_inner_functions_are_compiled_once_for_all_numbers_in_calls():
    """Unless they say `literally`: those are there for the number's sake."""

    @jit.inner
    def plus(x, n):
        return x + n

    @jit.inner
    def same(n):
        return literally(n)

    @numba.njit(**jit.OPTIONS)
    def caller(x):
        return plus(x, 1) + plus(x, 2) + same(3) + same(4)

    assert caller(10) == 11 + 12 + 3 + 4
    assert len(plus.signatures) == 1
    assert len(same.signatures) == 2


def test_inner_functions_refuse_python():
    @jit.inner
    def plus(x, n):
        return x + n

    caller = for_python(plus)
    for _ in range(2):
        with pytest.raises(TypeError, match="plus: expected a kernel to call it, got a call from Python"):
            plus(1, 2)
        assert caller(1, 2) == 3


def test_without_a_writable_folder_kernels_work_uncached(tmp_path):
    file = tmp_path / "file"
    file.write_text("no folder")
    done = run(PROGRAM, NUMBA_CACHE_DIR=None, XDG_CACHE_HOME=str(file))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "None 6.0 1.0\n"
    assert compilations(done.stderr) == ["gemm.product", "activation.rectify"]
    assert "no cache folder is writable" in done.stderr
    assert file.read_text() == "no folder"


def test_damaged_cache_files_are_compiled_anew(tmp_path):
    assert run(PROGRAM, NUMBA_CACHE_DIR=str(tmp_path)).returncode == 0
    files = [path for path in tmp_path.rglob("*") if path.suffix in (".nbi", ".nbc")]
    assert len(files) >= 4
    for i, path in enumerate(files):
        content = path.read_bytes()
        path.write_bytes((b"", content[: len(content) // 2], b"\x80" + content)[i % 3])
    done = run(PROGRAM, NUMBA_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1:] == ["6.0", "1.0"]
    assert len(compilations(done.stderr)) >= 1


@POSIX
def test_one_process_at_a_time_is_at_the_cache(tmp_path, monkeypatch):
    import fcntl

    monkeypatch.setattr(jit, "FOLDER", str(tmp_path))

    def access():
        with open(tmp_path / "lock", "w") as again, pytest.raises(BlockingIOError):
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return "done"

    assert jit.forgiving(access)() == jit.forgiving(access)() == "done"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files as Linux does")
def test_full_disk_does_not_stop_a_kernel(tmp_path):
    start_threads = "import numba, resource; numba.get_num_threads()\n"
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9))\n"
    done = run(start_threads + limit + PROGRAM, NUMBA_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1:] == ["6.0", "1.0"]
