"""The runner: every job once whatever the arguments; errors, forks, Python threads, no compiler."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import minicnn as mc
from kernel_cases import run
from minicnn.kernels import threads
from minicnn.kernels.cpu import runner
from minicnn.kernels.cpu.jit import kernel

BIG = 1 << 20  # work that is worth all threads


@kernel
def mixed(vector, matrix, cube, pair, factor, flag, nothing, out, begin, end):
    for i in range(begin, end):
        out[i] += vector[i] + matrix[i, 1] * factor + cube[i, 0, 1] + pair[0] * pair[1][0]
        if flag and nothing is None:
            out[i] += 1


@kernel
def whole(numbers, begin, end):
    """The kernel that each part calls once: how far it goes."""
    numbers[begin] = end - begin


@kernel
def fails(a, begin, end):
    if begin > 0:
        raise ValueError("a part failed")


@kernel
def grows(a, begin, end):
    a[begin:end] = np.exp(a[begin:end]) / np.float32(3)


def check_arguments() -> None:
    """Run with every kind of argument, in several layouts and types: each job once, with what was passed."""
    for jobs in (1, 2, 3, 7, 4095, 4096, 10007):
        matrix, cube = np.ones((jobs, 3), np.float32), np.arange(jobs * 6.0).reshape(jobs, 2, 3)
        for vector, m, c, factor in (
            (np.arange(jobs), matrix, cube, 2),
            (np.arange(2 * jobs, dtype=np.float32)[::2], np.asfortranarray(matrix), cube[:, ::-1], 2.5),
            (np.ones(jobs, bool)[::-1], matrix[:, ::2], np.broadcast_to(cube[:1], cube.shape), np.float32(3)),
        ):
            out = np.zeros(jobs)
            runner.run(mixed, jobs, BIG, vector, m, c, (2, (5, 6)), factor, True, None, out)
            np.testing.assert_array_equal(out, vector + m[:, 1] * factor + c[:, 0, 1] + 11)


def parts(jobs: int, numbers: int = BIG) -> list[int]:
    """How large the parts are into which the jobs are divided."""
    sizes = np.zeros(jobs, np.int64)
    runner.run(whole, jobs, numbers, sizes)
    return sizes[sizes > 0].tolist()


@pytest.mark.parametrize(
    ("variables", "count"),
    [
        ({}, threads.cores()),
        ({"OMP_NUM_THREADS": "5"}, 5),
        ({"OMP_NUM_THREADS": "3,2"}, 3),
        ({"OMP_NUM_THREADS": "5", "MKL_NUM_THREADS": "6"}, 6),
        ({"OMP_NUM_THREADS": "5", "MKL_NUM_THREADS": "0", "NUMBA_NUM_THREADS": "many"}, 5),
        ({"OMP_NUM_THREADS": "5", "MKL_NUM_THREADS": "6", "NUMBA_NUM_THREADS": "1"}, 1),
    ],
)
def test_number_of_threads_at_the_start(monkeypatch, variables, count):
    for name in threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert threads.at_the_start() == count


def test_set_num_threads(monkeypatch):
    monkeypatch.setattr(threads, "count", 4)
    assert mc.get_num_threads() == 4
    mc.set_num_threads(np.int64(1))
    assert mc.get_num_threads() == 1
    assert parts(5) == [5]
    for wrong, kind in ((2.0, "float"), (True, "bool"), (None, "NoneType")):
        with pytest.raises(RuntimeError, match=f"set_num_threads: expected an int, got {kind}"):
            mc.set_num_threads(wrong)
    for wrong in (0, -1):
        with pytest.raises(RuntimeError, match=f"set_num_threads: expected a positive integer, got {wrong}"):
            mc.set_num_threads(wrong)
    assert mc.get_num_threads() == 1


def test_one_thread_takes_all_jobs_in_one_part(monkeypatch):
    monkeypatch.setattr(threads, "count", 1)
    check_arguments()
    assert parts(7) == [7]


ALL = """
import sys
import numpy as np
import minicnn as mc
from minicnn.kernels.cpu import runner
from test_runner import BIG, check_arguments, fails, parts

check_arguments()
mc.set_num_threads(64)
print([parts(n) for n in (1, 3, 5, 8, 4098)], parts(9, runner.SHARE - 1))
mc.set_num_threads(3)
print([parts(n) for n in (8, 5000)])
a = np.ones(9)
before = sys.getrefcount(a)
for _ in range(2):
    try:
        runner.run(fails, 9, BIG, a)
    except ValueError as error:
        print(error)
print(sys.getrefcount(a) - before)
print([parts(n) for n in (8,)])
"""


def test_threads_share_the_jobs_whatever_the_arguments(tmp_path):
    """Twice: the second process takes the compiled functions from the cache, at other addresses."""
    for _ in range(2):
        done = run(ALL, NUMBA_NUM_THREADS="4", NUMBA_CACHE_DIR=str(tmp_path))
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [
            "[[1], [1, 1, 1], [1, 1, 1, 2], [2, 2, 2, 2], [1024, 1024, 1024, 1026]] [9]",
            "[[2, 3, 3], [1664, 1664, 1672]]",
            "a part failed",
            "a part failed",
            "0",
            "[[2, 3, 3]]",
        ]
    assert "compiling" not in done.stderr


NAMESAKES = """
import sys
import numpy as np
from minicnn.kernels.cpu import runner
sys.path.insert(0, sys.argv[1])
import one, two
for kernel in (one.fill, two.fill, one.again):
    a = np.zeros(1)
    runner.run(kernel, 1, 1, a)
    print(int(a[0]))
"""
KERNEL = """
from minicnn.kernels.cpu.jit import kernel
@kernel
def fill(a, begin, end):
    a[:] = {}
again = fill
@kernel
def fill(a, begin, end):
    a[:] = {}
again, fill = fill, again
"""


def test_the_cache_knows_kernels_of_one_name_apart_and_notices_edits(tmp_path):
    for numbers in ((1, 2, 3), (1, 2, 3), (1, 5, 6), (10, 5, 6)):
        Path(tmp_path, "one.py").write_text(KERNEL.format(numbers[0], numbers[2]))
        Path(tmp_path, "two.py").write_text(KERNEL.format(numbers[1], 0))
        done = run(NAMESAKES, str(tmp_path), NUMBA_CACHE_DIR=str(tmp_path), PYTHONDONTWRITEBYTECODE="1")
        assert done.returncode == 0, done.stderr
        assert [int(line) for line in done.stdout.split()] == list(numbers)


FORK = """
import os
import numpy as np
from test_runner import BIG, grows, parts, runner

a = np.linspace(-1, 1, 70001, dtype=np.float32)
expected, got = a.copy(), a.copy()
print(parts(4), flush=True)
runner.run(grows, a.size, BIG, expected)
child = os.fork()
if child == 0:
    runner.run(grows, a.size, BIG, got)
    print(parts(4), np.array_equal(got, expected), flush=True)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), parts(4))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS forks no process with threads")
def test_a_forked_child_works_alone():
    done = run(FORK, NUMBA_NUM_THREADS="2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[2, 2]", "[4] True", "0 [2, 2]"]


def test_while_one_python_thread_has_the_cores_another_works_alone(monkeypatch):
    monkeypatch.setattr(threads, "count", 2)
    monkeypatch.setattr(runner, "POOL", 2)
    with runner.LOCK:
        assert parts(6) == [6]


def test_plain_python_runs_the_jobs_in_one_part():
    done = run(
        "from test_runner import check_arguments, parts; check_arguments(); print(parts(9))",
        NUMBA_DISABLE_JIT="1",
        NUMBA_NUM_THREADS="4",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[9]\n"


def test_kernel_that_returns_something_is_refused():
    with pytest.raises(AssertionError, match="gives returns something"):
        runner.run(kernel(gives), 3, 3)


def gives(begin, end):
    return end
