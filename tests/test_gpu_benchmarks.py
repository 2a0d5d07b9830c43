"""The programs that measure on a GPU, with an emulated one, and PyTorch on the CPU in place of its GPU."""

import inspect
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import minicnn as mc
from benchmarks import gpu, kernels, train_step
from benchmarks.on_gpu import __main__ as everything
from benchmarks.on_gpu import memory, mnist, smoke, steps
from benchmarks.report import Table
from benchmarks.twins import twin
from minicnn.data import MNIST

RNG = np.random.default_rng(2)


@pytest.fixture
def pytorch_on_the_cpu(monkeypatch):
    """PyTorch's part of the work, without what only its GPU has."""

    def step(twin, x, y, mode, real=steps.torch_step):
        settings = {name: on for name, on in mode.settings.items() if name != "capturable"}
        return real(twin, x, y, steps.Mode(last=mode.last, settings=settings), "cpu")

    monkeypatch.setattr(steps, "torch_step", step)
    monkeypatch.setattr(steps, "check", partial(steps.check, theirs="cpu"))
    monkeypatch.setattr(gpu, "their_event", gpu.OurEvent)
    monkeypatch.setattr(gpu, "captured_by_torch", lambda step: step)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(gpu, "BLOCK", 1e-6)


def run(program, monkeypatch, *arguments):
    """The exit code of a program."""
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        program.main()
    return left.value.code


def rows(path):
    """The cells of a table's rows."""
    lines = [line for line in path.read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.fixture
def without_gpu(monkeypatch):
    """No GPU, whatever the machine has."""
    monkeypatch.setattr(mc.cuda, "why_unavailable", lambda: "it is gone")


@pytest.mark.parametrize("program", [mnist, smoke, memory])
def test_a_gpu_is_needed(program, without_gpu, monkeypatch, capsys):
    assert run(program, monkeypatch) == 2
    assert "--device cuda: minicnn has no GPU: it is gone" in capsys.readouterr().err


# training steps


def test_a_table_of_steps(cuda, pytorch_on_the_cpu, monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "SECONDS", 0.01)
    arguments = ["--device", "cuda", "--models", "lenet5", "--batch-size", "1", "--results", tmp_path]
    assert run(train_step, monkeypatch, *arguments) == 0
    table = rows(tmp_path / "train_step_cuda.md")
    assert table[0][:2] == ["lenet5, batch 1", "minicnn, CUDA graph"] and float(table[0][2]) > 0
    assert [row[1] for row in table[1:]] == [f"PyTorch, {mode}" for mode in {**steps.EAGER, **steps.GRAPHS}]
    for row in table[1:]:
        assert float(row[3]) == pytest.approx(float(row[2]) / float(table[0][2]), abs=0.02, rel=0.02)
    text = (tmp_path / "train_step_cuda.md").read_text()
    assert mc.cuda.get_device_name() in text and "TF32 is not allowed on both sides" in text


def test_a_mode_that_fails_leaves_the_others(cuda, pytorch_on_the_cpu, monkeypatch, tmp_path, capsys):
    def step(twin, x, y, mode, real=steps.torch_step):
        if mode.last:
            raise RuntimeError("no such | layout\nhere")
        return real(twin, x, y, mode)

    monkeypatch.setattr(steps, "torch_step", step)
    assert not steps.measure(["lenet5"], 1, False, False, tmp_path, 0.01)
    table = rows(tmp_path / "train_step_cuda.md")
    assert table[0][1:] == [
        "PyTorch, eager, channels_last, fused Adam",
        "failed: RuntimeError: no such / layout",
    ]
    assert len(table) == 2 + 5 and "Traceback" in capsys.readouterr().err


def test_wrong_gradients_are_not_timed(cuda, pytorch_on_the_cpu, monkeypatch, tmp_path):
    monkeypatch.setattr(mc.nn.Tanh, "forward", lambda self, x: x.sigmoid())
    assert not steps.measure(["lenet5"], 2, False, False, tmp_path, 0.01)
    (row,) = rows(tmp_path / "train_step_cuda.md")
    assert row[0] == "lenet5" and "AssertionError: lenet5: loss is off by" in row[1]


def test_rounded_gradients_are_near_enough(cuda):
    """With TF32, of which PyTorch's CPU knows nothing, only the floor is left."""
    x, y = steps.batch("lenet5", 4)
    gpu.round_factors(True)
    try:
        assert "e-0" in steps.check("lenet5", x, y, True, theirs="cpu")
    finally:
        gpu.round_factors(False)


def test_our_step(cuda):
    """It computes what the CPU's does, also as a graph."""
    x, y = RNG.standard_normal((2, 1, 32, 32), np.float32), np.array([1, 7])
    losses = []
    for device in ("cpu", cuda):
        mc.manual_seed(4)
        step = steps.our_step(mc.models.create("lenet5"), x, y, device)
        step = step if device == "cpu" else mc.cuda.graph(step)
        losses.append([step().item() for _ in range(4)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_pytorchs_step():
    """Modes of the same arithmetic learn the same."""
    mc.manual_seed(4)
    theirs = twin(mc.models.create("lenet5"))
    x, y = steps.batch("lenet5", 3)
    modes = {**steps.EAGER, "compiled": steps.Mode()}.values()
    taken = [steps.torch_step(theirs, x, y, mode, "cpu") for mode in modes]
    losses = [[step().item() for _ in range(3)] for step in taken]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5) and losses[0] == pytest.approx(losses[2], rel=1e-5)
    assert losses[0][2] < losses[0][0]


def test_pytorch_knows_the_settings():
    parameters = [torch.nn.Parameter(torch.ones(2))]
    for mode in {**steps.EAGER, **steps.GRAPHS, **steps.COMPILED}.values():
        torch.optim.Adam(parameters, lr=1e-3, **mode.settings)


def test_capture_by_pytorchs_recipe(monkeypatch):
    """Warmed up on the stream that is captured, which has waited for what was asked before."""
    calls, fake = [], SimpleNamespace()
    fake.current_stream = lambda: SimpleNamespace(wait_stream=lambda other: calls.append("current waits"))
    fake.Stream = lambda: SimpleNamespace(wait_stream=lambda other: calls.append("stream waits"))
    fake.CUDAGraph = lambda: SimpleNamespace(replay=lambda: calls.append("replay"))

    @contextmanager
    def entered(name, *args, **kwargs):
        inspect.signature(getattr(torch.cuda, name)).bind(*args, **kwargs)
        calls.append(f"into {name}")
        yield
        calls.append(f"out of {name}")

    fake.stream, fake.graph = partial(entered, "stream"), partial(entered, "graph")
    monkeypatch.setattr(gpu, "torch", SimpleNamespace(cuda=fake))
    replay = gpu.captured_by_torch(lambda: calls.append("step") or 7, warmup=2)
    assert calls == [
        "stream waits", "into stream", "step", "step", "out of stream", "current waits",
        "into graph", "step", "out of graph",
    ]  # fmt: skip
    calls.clear()
    assert replay() == 7 and calls == ["replay"]


# operations


def test_a_table_of_operations(cuda, pytorch_on_the_cpu, monkeypatch, tmp_path):
    for call in ("call", "__init__"):  # PyTorch's Tensors stay on the CPU
        monkeypatch.setattr(kernels.Both, call, getattr(kernels.Both, call))
    real = kernels.Both.call

    def placed(self, module, backward, wrap=lambda f: f):
        self.device = cuda if module is mc else "cpu"
        return real(self, module, backward, lambda f: f)

    monkeypatch.setattr(kernels.Both, "call", placed)
    arguments = ["--device", "cuda", "--nets", "LeNet", "--batch-size", "1", "--seconds", "0.001"]
    assert run(kernels, monkeypatch, *arguments, "--compiled", "--results", tmp_path, "--tf32") == 0
    gpu.round_factors(False)
    table = rows(tmp_path / "kernels_cuda_tf32.md")
    assert len(table) == 2 * 5 and all(len(row) == 11 for row in table)
    assert table[0][1:3] == ["conv 5x5/1 1>6 at 32", "forward"] and "GFLOP/s" in table[0][4]
    assert float(table[1][6]) == pytest.approx(float(table[1][5]) / float(table[1][3]), rel=0.1, abs=0.01)


def test_an_operation_on_the_gpu(cuda):
    """What is timed there is the same as on the CPU, also as a graph."""
    for backward in (False, True):
        places = [kernels.Both(kernels.CASES[1], 1, device).call(mc, backward) for device in ("cpu", cuda)]
        graph = mc.cuda.graph(places[1])
        for _ in range(4):
            found = [x if backward else [x] for x in (places[0](), graph())]
            for a, b in zip(*found, strict=True):
                np.testing.assert_allclose(a.numpy(), b.numpy(force=True), rtol=1e-4, atol=1e-5)


# the whole training, memory, the first look


def test_mnist(cuda, monkeypatch, tmp_path):
    def few(name, root, train):
        data = MNIST(train=train, transform=mc.data.transforms.Pad(2))
        count = 16 if train else 8
        data.images, data.targets = data.images[:count], data.targets[:count]
        return data

    monkeypatch.setattr(mnist, "pictures", few)
    assert mnist.measure(1, [0, 1], tmp_path)
    table = rows(tmp_path / "mnist_cuda.md")
    assert [row[:2] for row in table] == [
        ["GPU, first run", "0"], ["GPU", "0"], ["GPU", "1"], ["CPU", "0"], ["CPU", "1"],
    ]  # fmt: skip
    assert table[1][-1] == table[3][-1]  # a seed learns the same on both
    text = (tmp_path / "mnist_cuda.md").read_text()
    assert "points." in text and "Median of all a run takes" in text


def test_memory(cuda, pytorch_on_the_cpu, monkeypatch, tmp_path):
    """Ours is counted by CuPy's hooks: the parameters, what Adam remembers, and gradients live at least."""
    names = {
        "max_memory_allocated": 4 << 20,
        "max_memory_reserved": 8 << 20,
        "mem_get_info": (1 << 20, 1 << 24),
    }
    for name, value in names.items():
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(memory, "torch_step", steps.torch_step)
    least = 4 * 4 * 61_706

    def here(name, library, kind):
        return memory.ours(name, 1, kind) if library == "minicnn" else memory.theirs(name, 1, kind)

    assert memory.measure(["lenet5"], tmp_path, here)
    for row in rows(tmp_path / "memory_cuda.md"):
        lived, held, gone = (float(cell) * memory.MIB for cell in row[2:5])
        assert least < lived <= held and gone > 0
        assert row[5:8] == ["4.0", "8.0", "15.0"]
        assert float(row[8]) == pytest.approx(float(row[2]) / 4, abs=0.03)  # both are rounded


def test_memory_is_measured_in_a_process_of_its_own(monkeypatch):
    monkeypatch.setattr(memory.subprocess, "run", lambda command, **how: SimpleNamespace(
        returncode=0, stdout="a warning\n[1, 2, 3]\n", command=command))  # fmt: skip
    assert memory.alone("lenet5", "PyTorch", "CUDA graph") == [1, 2, 3]
    monkeypatch.setattr(
        memory.subprocess, "run", lambda command, **how: SimpleNamespace(returncode=-9, stdout="")
    )
    with pytest.raises(RuntimeError, match="PyTorch ended with -9"):
        memory.alone("lenet5", "PyTorch", "CUDA graph")


def test_the_first_look(cuda, monkeypatch, tmp_path):
    monkeypatch.setattr(smoke, "BATCH", 2)
    assert smoke.measure(tmp_path, ["lenet5"])
    assert rows(tmp_path / "smoke_cuda.md")[0][0] == "lenet5"


@pytest.mark.parametrize(
    ("there", "replayed", "message"),
    [(1.0, 1.01, "other bits"), (1.01, 1.0, "other bits"), (1.01, 1.01, r"weights are off by 1\.0e-02")],
)
def test_the_first_look_sees_what_is_wrong(there, replayed, message, monkeypatch):
    def trained(name, device, graph=False):
        return [1.0], [np.full(3, 1.0 if device == "cpu" else replayed if graph else there)]

    monkeypatch.setattr(smoke, "trained", trained)
    with pytest.raises(AssertionError, match=message):
        smoke.compare("lenet5")


# timing, tables, all of it


def test_timings_by_the_clock_of_the_gpu(cuda, monkeypatch):
    calls = []
    monkeypatch.setattr(gpu, "BLOCK", 1e-9)
    times = gpu.alternate_on_gpu([(lambda: calls.append(1), gpu.OurEvent)], 1.0, rounds=3)
    assert len(times[0]) == 3 and len(calls) == 5 + 3 and min(times[0]) > 0


def test_calls_between_events():
    """A slow function is timed three times; quick ones share two events."""
    calls = []
    for milliseconds, count in ((2000.0, 5 + 3), (0.05, 5 + 3 * 100)):
        record = {"record": lambda self: None, "synchronize": lambda self: None}
        event = type("Event", (), record | {"elapsed_time": lambda self, end, told=milliseconds: told})
        times = gpu.alternate_on_gpu([(lambda: calls.append(1), event)], seconds=1.0, rounds=3)
        assert len(times[0]) == 3 and len(calls) == count
        calls.clear()


def test_tables_are_kept_row_by_row(tmp_path, capsys):
    path = tmp_path / "new" / "here.md"
    table = Table(path, "Title", ["One.", "Two."], ["a", "b"])
    assert not path.exists()
    table.add("1", "2")
    assert path.read_text() == "# Title\n\nOne.\n\nTwo.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    with table.attempt("this"):
        raise ValueError("wrong\nvery")
    assert table.failed and path.read_text().endswith("| this | failed: ValueError: wrong |\n")
    told = capsys.readouterr()
    assert "| 1 | 2 |" in told.out and "ValueError: wrong\nvery" in told.err


def test_parts_are_alone(monkeypatch, tmp_path, capfd):
    """One that fails, or takes too long, takes nothing from the others."""
    (tmp_path / "part_of_benchmark.py").write_text(
        "import sys, time\n"
        "what, option, folder = sys.argv[1:]\n"
        "if what == 'fails': raise ValueError('in full')\n"
        "if what == 'lasts': time.sleep(60)\n"
        "open(f'{folder}/{what}', 'w').close()\n"
    )
    parts = {what: ["part_of_benchmark", what] for what in ("fails", "works", "lasts", "late")}
    monkeypatch.setattr(everything, "PARTS", parts)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert run(everything, monkeypatch, "--results", tmp_path, "--parts", "fails", "works") == 1
    told = capfd.readouterr()
    assert (tmp_path / "works").exists() and "ValueError: in full" in told.err
    assert "fails           failed with exit code 1" in told.out and "works           ok" in told.out
    late = ["--seconds", "0.5", "--parts", "lasts", "late"]
    assert run(everything, monkeypatch, "--results", tmp_path, *late) == 1
    told = capfd.readouterr().out
    assert "lasts           the time was up" in told and "late            not begun" in told
    assert run(everything, monkeypatch, "--results", tmp_path, "--parts", "works") == 0


def test_parts_are_programs(without_gpu, monkeypatch, capsys):
    """Each part starts with its arguments, as far as the question for a GPU."""
    programs = {program.__name__: program for program in (smoke, mnist, memory, train_step, kernels)}
    for module, *arguments in everything.PARTS.values():
        if module == "pytest":
            assert all(Path(file).exists() for file in everything.TESTS)
            continue
        assert run(programs[module], monkeypatch, *arguments, "--results", "folder") == 2
        assert "minicnn has no GPU" in capsys.readouterr().err
