"""What every test starts from."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

# The first example to reach a kernel compiles it, so a deadline for each example would only measure that.
settings.register_profile("minicnn", deadline=None)
settings.load_profile("minicnn")

if "PYTEST_XDIST_WORKER" in os.environ:  # `pytest -n`: a process for each core, so a thread for each process
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # where a test takes more, idle ones leave the core


@pytest.fixture(autouse=True)
def fixed_start() -> None:
    """The same random numbers for every test, alone or in the whole run, in minicnn and in PyTorch.

    PyTorch keeps to one thread: its OpenMP runtime and Numba's in one process spin against each other.
    Whichever of the two a test does not use stays unimported.
    """
    for name in ("minicnn", "torch"):
        if name in sys.modules:
            sys.modules[name].manual_seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--device cuda``: run on the GPU of this machine what is else run on an emulated one."""
    parser.addoption("--device", choices=["cpu", "cuda"], default="cpu", help="cuda: test on a real GPU")


@pytest.fixture(scope="session")
def real_gpu(request: pytest.FixtureRequest) -> bool:
    """Whether tests use a GPU, and not its emulator."""
    return request.config.getoption("--device") == "cuda"


@pytest.fixture(scope="session", autouse=True)
def no_gpu(real_gpu: bool) -> None:
    """Tests see no GPU, whatever the machine has, unless they ask for `cuda` or for the kernels on it."""
    without_gpu()
    if real_gpu:
        importlib.import_module("emulator.kernels").real = True


def seam() -> Any:
    """The module; in the package its name is that of the class."""
    return importlib.import_module("minicnn.device")


def without_gpu() -> None:
    """Let minicnn look for CuPy in vain; it looks once."""
    device = seam()
    before = sys.modules.get("cupy")
    sys.modules["cupy"] = None  # type: ignore[assignment]
    device.start.cache_clear()
    assert device.start()
    device._cupy = None
    device._kept.cache_clear()
    importlib.import_module("minicnn.random").default_generator.on_gpu = None  # what is kept there
    importlib.import_module("minicnn.autograd.graph")._ones.clear()
    if before is None:
        del sys.modules["cupy"]
    else:
        sys.modules["cupy"] = before


@pytest.fixture
def cuda(real_gpu: bool) -> Iterator[str]:
    """The device "cuda": a GPU, or for the time of the test the stand-in in ``emulator/``."""
    device = seam()
    if not real_gpu:
        from emulator import cupy

        cupy.install()
    device.start.cache_clear()
    assert not device.start(), device.start()
    yield "cuda"
    without_gpu()


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """``undrawn(n)``: parameters of n numbers or more start from 0, drawing many takes seconds."""
    from minicnn.nn import init

    def instead_of(draw: Callable, least: int) -> Callable:
        def start(tensor: Any, *args: Any, **settings: Any) -> Any:
            return init.zeros_(tensor) if tensor.numel() >= least else draw(tensor, *args, **settings)

        return start

    def limit(least: int) -> None:
        for name in ("uniform_", "normal_", "trunc_normal_"):
            monkeypatch.setattr(init, name, instead_of(getattr(init, name), least))

    return limit


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> str:
    """Each device in turn."""
    return "cpu" if request.param == "cpu" else request.getfixturevalue("cuda")
