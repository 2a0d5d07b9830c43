"""The kernels touch no memory but their arrays'; the CPU's give the same bits for any number of threads."""

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kernel_cases import every_kernel, run
from layout import ROOT
from minicnn.kernels import cpu

FENCES = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mprotect as Linux has it")


def run_guarded(*arguments):
    command = [sys.executable, "-W", "error", str(Path(__file__).with_name("guarded.py")), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=250)


@FENCES
@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("telling", ["cpu", "cuda"])
def test_nothing_outside_the_arrays_is_touched(telling, at):
    done = run_guarded(telling, at)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 100


@FENCES
@pytest.mark.parametrize("at", ["start", "end"])
def test_the_guard_pages_guard(at):
    assert run_guarded("cpu", at, "trip").returncode == -signal.SIGSEGV


# Large enough for several bands and chunks; sizes that 2, 3 and 4 threads do not divide.
SHARED = """
import hashlib
import numpy as np
from kernel_cases import DTYPES, CONVOLUTIONS, every_kernel
from minicnn.kernels import cpu
from minicnn.kernels.cpu import runner
from minicnn.kernels import threads
from minicnn.kernels.geometry import Window

runner.SHARE = 1  # also little work is shared
same = Window((3, 3), padding=(1, 1, 1, 1))
cases = (
    [((7, 5, 19, 23), (9, 5, 3, 3), same, 1), ((3, 16, 61, 60), (9, 16, 3, 3), same, 1),
     ((13, 4, 11, 9), (8, 2, 2, 3), Window((2, 3), (2, 1)), 2),
     ((7, 98, 23, 19), (99, 98, 1, 1), Window((1, 1), (2, 2)), 1), *CONVOLUTIONS],
    [((5, 3, 17, 19), Window((3, 2), (2, 1), (1, 1, 0, 1)))],
    [(129, 211, 157), (3, 70001, 2)],
)
def digests():
    for dtype in DTYPES:
        for name, result in every_kernel(cpu, dtype, np.array, *cases):
            yield f"{name} {dtype.__name__}", hashlib.sha256(result.tobytes()).hexdigest()

threads.count = 1
expected = dict(digests())
for count in (1, 2, 3, 4, 4):
    threads.count = count
    different = [name for name, digest in digests() if digest != expected[name]]
    print(count, different)
print(len(expected))
"""


def test_the_number_of_threads_changes_no_bit():
    done = run(SHARED, NUMBA_NUM_THREADS="4")
    assert done.returncode == 0, done.stderr
    *threads, count = done.stdout.splitlines()
    assert threads == ["1 []", "2 []", "3 []", "4 []", "4 []"]
    assert int(count) > 80


TWO_AT_ONCE = """
import threading
import numpy as np
from kernel_cases import every_kernel
from minicnn.kernels import cpu
from minicnn.kernels.cpu import runner

runner.SHARE = 1  # also little work is shared
expected = [result.tobytes() for _, result in every_kernel(cpu, np.float32)]
wrong, start = [], threading.Barrier(3)

def work():
    start.wait()
    for _ in range(15):
        got = [result.tobytes() for _, result in every_kernel(cpu, np.float32)]
        wrong.extend(i for i, (a, b) in enumerate(zip(got, expected, strict=True)) if a != b)

workers = [threading.Thread(target=work) for _ in range(3)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
import numba
print(numba.threading_layer(), wrong)
"""


@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_python_threads_may_call_kernels_at_once(layer):
    done = run(TWO_AT_ONCE, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2")
    assert done.returncode == 0, done.stderr
    used, _, wrong = done.stdout.partition(" ")
    assert wrong.strip() == "[]"
    assert layer == "default" or used == layer


WITHOUT_COMPILER = """
import numpy as np
from kernel_cases import DTYPES, assert_near, every_kernel
from minicnn.kernels import cpu, reference

for dtype in DTYPES:
    both = zip(every_kernel(cpu, dtype), every_kernel(reference, dtype), strict=True)
    for (name, got), (_, expected) in both:
        assert_near(got, expected, name)
print("same")
"""


PLANS_WITHOUT_COMPILER = """
import numpy as np
import minicnn as mc
from kernel_cases import assert_near
from minicnn import nn
from minicnn.kernels import cpu, reference
from minicnn.kernels.cpu import depthwise_large, interleaved, winograd
from minicnn.kernels.geometry import Window

mc.manual_seed(0)
x = mc.randn(interleaved.LANES, 2, 8, 7)
for layers in (
    [nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(3), nn.Conv2d(3, 4, 2), nn.Tanh()],
    [nn.Conv2d(2, 16, 3), nn.Conv2d(16, 9, 3, padding=1), nn.Sigmoid(), nn.AvgPool2d(2), nn.Tanh()],
):
    net = nn.Sequential(*layers)
    compiled, found = mc.compile(net), []
    for model in (net, *[compiled] * 4):
        net.zero_grad()
        out = model(x)
        (out * out).sum().backward()
        found.append([out.detach().numpy().copy(), *[p.grad.numpy().copy() for p in net.parameters()]])
    for got, expected in zip(found[-1], found[0], strict=True):
        assert_near(got, expected, str(net))

draw = np.random.default_rng(1).standard_normal
for stride in ((1, 1), (2, 2), (1, 2), (2, 1)):
    window = Window((3, 3), stride, (1, 1, 1, 1))
    x, w = draw((1, 3, 12, 13), np.float32), draw((3, 1, 3, 3), np.float32)
    y = depthwise_large.conv2d(x, w, None, window, 3)
    assert_near(y, reference.conv2d(x, w, None, window, 3), "depthwise")
    got = depthwise_large.conv2d_input_gradient(y, w, x.shape, window, 3)
    assert_near(got, reference.conv2d_input_gradient(y, w, x.shape, window, 3), "depthwise dx")
x, w = draw((1, 3, 4, 20), np.float32), draw((2, 3, 3, 3), np.float32)
window = Window((3, 3), (1, 1), (1, 1, 1, 1))
y = winograd.forward(x, w, None, (1, 1, 1, 1), 2)
assert_near(y, reference.conv2d(x, w, None, window, 1), "winograd")
got = winograd.input_gradient(y, w, x.shape, (1, 1, 1, 1), 2), winograd.weight_gradient(y, x, (1, 1, 1, 1), 2)
assert_near(got[0], reference.conv2d_input_gradient(y, w, x.shape, window, 1), "winograd dx")
assert_near(got[1], reference.conv2d_weight_gradient(y, x, window, 1), "winograd dw")
print("same")
"""


@pytest.mark.parametrize("program", [WITHOUT_COMPILER, PLANS_WITHOUT_COMPILER])
def test_kernels_run_as_plain_python(program):
    done = run(program, NUMBA_DISABLE_JIT="1")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "same\n"


def test_results_are_fresh_arrays():
    """No kernel hands out memory that it will write again."""
    first = [(name, result, result.copy()) for name, result in every_kernel(cpu, np.float32)]
    again = [result for _, result in every_kernel(cpu, np.float32)]
    for (name, result, copy), other in zip(first, again, strict=True):
        assert np.array_equal(result, copy), name
        assert not np.shares_memory(result, other), name


FREED = """
import os
import numpy as np
import minicnn.kernels.cpu

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

before = resident()
a, b = (np.ones(64 << 18, np.float32) for _ in range(2))  # 64 MB each
assert resident() - before > 120
del a, b
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep what they want")
@pytest.mark.parametrize(("keep", "least", "most"), [(None, 120, 140), ("1", 120, 140), ("0", -10, 10)])
def test_freed_memory_stays_in_the_process(keep, least, most):
    done = run(FREED, MINICNN_KEEP_MEMORY=keep)
    assert done.returncode == 0, done.stderr
    assert least < int(done.stdout) < most
