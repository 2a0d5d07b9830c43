"""The repository's own rules: floors, kernels that are told alike, file sizes, names, a light import.

Each checker is also shown faults made up for it, and must find them.
"""

from pathlib import Path

import pytest

from layout import (
    HEAVY,
    ROOT,
    SOURCES,
    UPWARD,
    Source,
    code_faults,
    floor_faults,
    kernel_faults,
    long_lines,
    machine_paths,
    numbered,
    package_sources,
    project_files,
    run_alone,
    signatures,
    size_fault,
    telling,
)

# The repository keeps the rules.


def hold(faults: list[str]) -> None:
    assert not faults, "\n".join(faults)


def test_imports_only_go_down():
    hold(floor_faults(package_sources(), UPWARD))


def test_nothing_runs_code_from_files():
    hold([fault for source in package_sources() for fault in code_faults(source)])


def test_kernels_are_told_alike():
    reference, cpu, cuda = telling("reference"), telling("cpu"), telling("cuda")
    assert len(reference) > 2
    hold([f"{family} has no __all__" for family, text in reference.items() if not signatures(text)])
    hold(kernel_faults(reference, cpu))
    hold(kernel_faults(reference, cuda))


def test_files_have_a_readable_size():
    texts = {
        path: (ROOT / path).read_text(encoding="utf-8") for path in project_files() if path.suffix in SOURCES
    }
    hold([str(path) for path, text in texts.items() if size_fault(text)])
    others = {path: text for path, text in texts.items() if path.suffix != ".py"}
    hold([f"{path}:{number}" for path, text in others.items() for number in long_lines(text)])


def test_file_names_say_the_idea():
    paths = [path for path in project_files() if path.suffix in (*SOURCES, ".md")]
    hold([str(path) for path in paths if numbered(path)])


def test_no_machine_paths():
    contents = {path: (ROOT / path).read_bytes() for path in project_files()}
    texts = {path: content.decode("utf-8") for path, content in contents.items() if b"\0" not in content}
    hold([f"{path}: {found}" for path, text in texts.items() for found in machine_paths(text)])


def test_import_is_light():
    runs = [run_alone("import minicnn") for _ in range(3)]
    assert "minicnn" in runs[0][1]
    assert runs[0][1] & HEAVY == set()
    assert min(seconds for seconds, _ in runs) < 0.5


# Each checker finds the fault it is for.


@pytest.mark.parametrize(
    ("module", "text", "fault"),
    [
        ("minicnn.ops.conv", "from minicnn.tensor import Tensor", "minicnn.tensor.Tensor from a floor above"),
        ("minicnn.ops.conv", "from ..nn import functional", "minicnn.nn.functional from a floor above"),
        ("minicnn.nn.linear", "from minicnn import Tensor", "minicnn.Tensor from a floor above"),
        ("minicnn.nn.linear", "import minicnn as mc", "minicnn from a floor above"),
        ("minicnn.nn.linear", "def fit():\n    from ..training import Trainer", "from a floor above"),
        ("minicnn.kernels.cpu.pool", "from ..reference.pool import max_pool2d", "leans on another telling"),
        ("minicnn.kernels.geometry", "from minicnn.kernels import cpu", "leans on another telling"),
        ("minicnn.helpers", "", "stands on no floor"),
    ],
)
def test_floor_checker_finds(module, text, fault):
    (found,) = floor_faults([Source(module, text)], {})
    assert fault in found


def test_floor_checker_knows_what_is_allowed():
    down = Source("minicnn.nn.linear", "import numpy\nfrom ..tensor import Tensor\nfrom . import functional")
    lazy = Source("minicnn.nn.box", "def fit():\n    from minicnn.training import Trainer")
    typed = Source("minicnn.nn.box", "if TYPE_CHECKING:\n    from minicnn.training import Trainer")
    eager = Source("minicnn.nn.box", "from minicnn.training import Trainer")
    kernel = Source("minicnn.kernels.cpu.pool", "from ..geometry import Window\nfrom .simd import load")
    allowed = {("minicnn.nn.box", "training"): "a reason"}
    assert floor_faults([down, lazy, kernel], allowed) == floor_faults([typed], allowed) == []
    assert len(floor_faults([eager], allowed)) == 2  # not lazy, so the exception is also unused
    assert "strike it off" in floor_faults([down], allowed)[0]
    circle = [Source("minicnn.nn", "import minicnn.optim"), Source("minicnn.optim", "from minicnn import nn")]
    assert floor_faults(circle[:1], {}) == []
    assert "neighbours import each other" in floor_faults(circle, {})[0]


@pytest.mark.parametrize(
    "text",
    [
        "import torch",
        "def load():\n    from torch.nn import Linear",
        "import pickle",
        "import cupy as cp",
        "value = eval(text)",
        "layer = __import__(name)",
        "layer = importlib.import_module(name)",
        "array = np.load(path, allow_pickle=True)",
    ],
)
def test_code_checker_finds(text):
    assert len(code_faults(Source("minicnn.interop.weights", text))) == 1


def test_code_checker_knows_what_is_allowed():
    assert code_faults(Source("minicnn.device", "import cupy")) == []
    assert code_faults(Source("minicnn.kernels.cuda.conv", "import cupy")) == []
    harmless = "model.eval()\nnp.load(path, allow_pickle=False)\nre.compile(x)"
    assert code_faults(Source("minicnn.nn.box", harmless)) == []


@pytest.mark.parametrize(
    "cpu",
    [
        "__all__ = ['pool']\ndef pool(x, size): pass",  # a default is missing
        "__all__ = ['pool']\ndef pool(size=2, x=None): pass",  # another order
        "__all__ = ['pool']\ndef pool(x, width=2): pass",  # another name
        "__all__ = ['pool']\nfrom .fast import pool",  # not in this file
        "__all__ = []\ndef pool(x, size=2): pass",  # not public
        "__all__ = ['pool', 'unpool']\ndef pool(x, size=2): pass\ndef unpool(x): pass",  # one too many
    ],
)
def test_kernel_checker_finds(cpu):
    reference = "__all__ = ['pool']\ndef pool(x, size=2): pass"
    assert len(kernel_faults({"pool": reference}, {"pool": cpu})) == 1


def test_kernel_checker_knows_what_is_allowed():
    reference = {"pool": "__all__ = ['pool', 'unpool']\ndef pool(x, size=2): pass\ndef unpool(x): pass"}
    typed = "__all__ = ['pool']\n@jit\ndef pool(x: Array, size: int = 2) -> Array: pass"
    part = {"pool": typed, "simd": "def load(): pass"}
    assert kernel_faults(part, part) == []
    assert kernel_faults(reference, part) == ["pool: unpool(x) in reference, missing here"]


def test_small_checkers_find():
    assert size_fault("x = 1\n" * 351)
    assert not size_fault("x = 1\n" * 350)
    assert not size_fault('"""Longer than 350 lines because it is a table.\n"""\n' + "x = 1\n" * 400)
    assert long_lines("x" * 110 + "\n" + "x" * 111) == [2]
    assert [numbered(Path(name)) for name in ("gemm_v2.py", "kernel6.cu", "conv_2.py")] == [True] * 3
    assert [numbered(Path(name)) for name in ("conv2d.py", "test_lenet5.py", "__init__.py")] == [False] * 3
    assert [len(machine_paths(f"open('/{top}/me')")) for top in ("home", "root", "tmp", "work")] == [1] * 4
    assert machine_paths("https://example.org/home/page and a/tmp/b and /dev/null") == []


def test_run_alone_reports_modules_and_time():
    seconds, modules = run_alone("import tqdm; list(iter(lambda: time.process_time() < start + 0.1, False))")
    assert "tqdm" in modules
    assert seconds > 0.1
