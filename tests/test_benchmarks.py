"""The programs that measure: they start, say what is missing, and compute what they time."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import minicnn as mc
from benchmarks import (
    cold_start,
    crossover,
    eager,
    inference,
    kernels,
    loading,
    memory,
    on_cpu,
    roofline,
    timing,
    train_step,
    training_run,
)
from minicnn.kernels import threads

RNG = np.random.default_rng(2)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Little time for a measurement; as many threads after each test as before."""
    monkeypatch.setattr(timing, "LEAST", 0.0)
    monkeypatch.setattr(threads, "count", threads.count)


def run(program, monkeypatch, *arguments, code=0):
    monkeypatch.setattr("sys.argv", ["benchmark", *arguments])
    with pytest.raises(SystemExit) as left:
        program.main()
    assert left.value.code == code


def rows(path: Path) -> list[list[str]]:
    """The cells of a kept table, without its head; it has a title and says where it was measured."""
    title, *lines = path.read_text().splitlines()
    assert title.startswith("# ") and any("Python 3." in line for line in lines)
    table = [line[1:-1].split(" | ") for line in lines if line.startswith("|")]
    assert len({len(row) for row in table}) == 1, "rows of different lengths"
    return [[cell.strip() for cell in row] for row in table[2:]]


@pytest.mark.parametrize("program", [train_step, kernels])
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--device", "cuda"], "--device cuda: minicnn has no GPU: CuPy is not installed"),
        (["--tf32"], "--tf32 is for --device cuda"),
        (["--device", "gpu"], "invalid choice: 'gpu'"),
    ],
)
def test_say_what_is_missing(program, arguments, reason, monkeypatch, capsys):
    run(program, monkeypatch, *arguments, code=2)
    assert reason in capsys.readouterr().err


def test_pytorch_needs_the_gpu_too(cuda, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    run(kernels, monkeypatch, "--device", "cuda", code=2)
    assert "has no GPU" in capsys.readouterr().err


def test_steps_on_the_cpu(monkeypatch, tmp_path):
    small = ["--models", "lenet5", "--batch-size", "2", "3", "--minutes", "0.002", "--threads", "1"]
    run(train_step, monkeypatch, *small, "--results", str(tmp_path))
    found = rows(tmp_path / "train_step_cpu.md")
    assert [row[:3] for row in found] == [["lenet5", "2", "1"], ["lenet5", "3", "1"]]
    assert all(float(row[5].strip("*")) > 0 and float(row[7]) > 0 for row in found)


def test_a_wrong_gradient_is_not_timed(monkeypatch):
    x, y = RNG.standard_normal((2, 1, 32, 32), np.float32), np.array([1, 7])
    train_step.check(mc.models.create("lenet5"), x, y)
    monkeypatch.setattr(mc.nn.Tanh, "forward", lambda self, x: x.tanh() + 1e-3 * (x - x.detach()))
    with pytest.raises(AssertionError, match="conv1"):
        train_step.check(mc.models.create("lenet5"), x, y)
    x = RNG.standard_normal((2, 1, 28, 28), np.float32)
    train_step.check(mc.models.create("simplecnn"), x, y)
    monkeypatch.setattr(mc.nn.ReLU, "forward", lambda self, x: x.relu() + 1e-3 * (x - x.detach()))
    with pytest.raises(AssertionError, match="off by"):
        train_step.check(mc.models.create("simplecnn"), x, y)


def test_without_avx512(monkeypatch):
    """The program starts itself anew, with the variables that libraries look at when they are loaded."""
    started = []

    def start(command, env):
        started.append((command[1:], env))
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(subprocess, "run", start)
    run(train_step, monkeypatch, "--avx2", "--models", "lenet5", code=3)
    ((command, env),) = started
    assert command == ["-m", "benchmarks.train_step", "--avx2", "--models", "lenet5"]
    assert env == os.environ | train_step.AVX2


@pytest.mark.slow  # compiles kernels for the other processor
def test_kernels_without_avx512(tmp_path):
    small = ["--models", "lenet5", "--batch-size", "2", "--minutes", "0.002", "--threads", "1"]
    command = [*train_step.MODULE, "--avx2", *small, "--results", str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "without AVX-512" in done.stdout and len(rows(tmp_path / "train_step_cpu_haswell.md")) == 1


def test_inference(monkeypatch, tmp_path):
    small = ["--models", "mobilenet_v2", "vit_s_16", "--batch-size", "1", "--side", "64"]
    run(inference, monkeypatch, *small, "--minutes", "0.002", "--threads", "1", "--results", str(tmp_path))
    assert [row[0] for row in rows(tmp_path / "inference_cpu.md")] == ["mobilenet_v2", "vit_s_16"]


@pytest.mark.slow  # compiles all kernels of a model anew
def test_cold_start(monkeypatch, tmp_path):
    small = ["--models", "lenet5", "--threads", "1", "--runs", "1", "--results", str(tmp_path)]
    run(cold_start, monkeypatch, *small)
    (row,) = rows(tmp_path / "cold_start_cpu.md")
    cold, warm, theirs = (float(cell.split()[0]) for cell in row[2:])
    assert cold > warm > 0 and theirs > 0


def test_eager(monkeypatch, tmp_path):
    monkeypatch.setattr(eager, "OPERATIONS", {name: eager.OPERATIONS[name] for name in ("exp", "conv2d")})
    run(eager, monkeypatch, "--seconds", "0.001", "--results", str(tmp_path))
    found = rows(tmp_path / "eager_cpu.md")
    assert [row[0] for row in found] == ["exp", "conv2d", "geometric mean"]
    assert float(found[2][3].strip("*")) ** 2 == pytest.approx(
        float(found[0][3]) * float(found[1][3]), rel=0.05
    )


def test_loading(monkeypatch, tmp_path):
    monkeypatch.setattr(loading, "COUNT", 128)
    run(loading, monkeypatch, "--seconds", "0.001", "--results", str(tmp_path))
    assert len(rows(tmp_path / "loading_cpu.md")) == 2


@pytest.mark.parametrize("library", ["minicnn", "PyTorch"])
@pytest.mark.parametrize("name", list(cold_start.SIDES))
def test_first_step(name, library):
    assert 2 < cold_start.first_step(name, library) < 2.6  # log(10) of ten classes that are alike


def test_memory(monkeypatch, tmp_path):
    run(memory, monkeypatch, "--cases", "LeNet-5, training, batch 64", "--results", str(tmp_path))
    (row,) = rows(tmp_path / "memory_cpu.md")
    ours, eager, theirs = (int(cell.split()[0]) for cell in row[1:4])
    assert min(ours, eager, theirs) > 2 and float(row[4].strip("*")) == pytest.approx(ours / theirs, rel=0.1)


def test_training_run(monkeypatch, tmp_path):
    small = ["--epochs", "2", "--count", "640", "--threads", "1", "--results", str(tmp_path)]
    run(training_run, monkeypatch, *small)
    found = rows(tmp_path / "training_run_cpu.md")
    accuracies = [float(row[-1].strip("%")) for row in found]
    assert len(found) == 3 and min(accuracies) > 20  # ten of a hundred by chance
    assert sum("**" in row[4] for row in found) == 1 and found[0][4] == ""


def test_operations_on_the_cpu(monkeypatch, tmp_path):
    monkeypatch.setattr(kernels, "measured_roof", lambda threads: roofline.Roof(threads, 100.0, 10.0))
    small = ["--nets", "LeNet", "--batch-size", "1", "--threads", "1", "--minutes", "0.005"]
    run(kernels, monkeypatch, *small, "--results", str(tmp_path))
    found = rows(tmp_path / "kernels_cpu.md")
    assert len(found) == 2 * 5
    assert "GFLOP/s" in found[0][5] and "GB/s" in found[4][5]
    rate, share = float(found[0][5].split()[0]), float(found[0][6].strip("%"))
    assert share == pytest.approx(rate, abs=1)  # of 100
    picture = (tmp_path / "roofline_cpu.svg").read_text()
    assert "LeNet" in picture and "FLOP a byte" in picture


def test_crossover(monkeypatch, tmp_path):
    layers = (
        crossover.Layer(2, 32, 33, 7, 3),
        crossover.Layer(1, 1, 1, 5, 5, 2, 3),
        crossover.Layer(1, 3, 4, 5, 1),
    )
    monkeypatch.setattr(crossover, "LAYERS", layers)
    run(kernels, monkeypatch, "--crossover", "--threads", "1", "--minutes", "0", "--results", str(tmp_path))
    table = rows(tmp_path / "crossover_cpu.md")
    assert len(table) == 9
    found = [{told.rpartition(" ")[0] for told in row[4].split(", ")} for row in table]
    assert found[:3] == [{"direct", "im2col", "tap by tap", "winograd F2", "winograd F4"}] * 3
    assert found[3:6] == [{"direct", "im2col", "depthwise"}, {"im2col", "depthwise"}, found[3]]
    assert found[6:] == [{"direct", "im2col", "pointwise", "tap by tap"}] * 3
    assert all(row[2] in methods for row, methods in zip(table, found, strict=True))


def test_a_wrong_method_is_not_timed():
    right = np.ones(3, np.float32)
    crossover.check({"a": lambda: right, "b": lambda: right * np.float32(1 + 1e-5)})
    with pytest.raises(AssertionError, match="b"):
        crossover.check({"a": lambda: right, "b": lambda: right * np.float32(1.001)})


def test_all_on_the_cpu(monkeypatch, tmp_path, capsys):
    """Each part gets its share of the minutes that are left, and one that fails stops no other."""
    commands = []

    def start(command, env):
        assert env["NUMBA_NUM_THREADS"] == "2"
        commands.append(command[2:])
        return subprocess.CompletedProcess(command, int("benchmarks.inference" in command))

    monkeypatch.setattr(subprocess, "run", start)
    run(on_cpu, monkeypatch, "--minutes", "12", "--threads", "1", "2", "--results", str(tmp_path), code=1)
    assert "inference       failed with exit code 1" in capsys.readouterr().out
    assert [c[0] for c in commands] == [f"benchmarks.{p.program}" for p in on_cpu.PARTS.values()]
    minutes = [float(c[c.index("--minutes") + 1]) for c in commands if "--minutes" in c]
    assert minutes == pytest.approx([12 * 3 / 12, 12 * 1 / 9, 12 * 3 / 8, 12], rel=0.01)
    numbers = {c[0]: c[c.index("--threads") + 1 :][:2] if "--threads" in c else [] for c in commands}
    few = {"benchmarks.memory": ["2"], "benchmarks.eager": [], "benchmarks.loading": []}
    assert numbers == {c[0]: ["1", "2"] for c in commands} | few


@pytest.mark.parametrize(
    "program", [train_step, kernels, inference, cold_start, memory, training_run, eager, loading, on_cpu]
)
def test_help(program, monkeypatch, capsys):
    run(program, monkeypatch, "--help")
    assert f"python -m {program.__name__}" in capsys.readouterr().out


def test_sizes():
    ours = {case.name: case for case in kernels.CASES}
    assert len(ours) == len(kernels.CASES) and set(kernels.NETS) == {
        "LeNet",
        "VGG",
        "ResNet",
        "MobileNet",
        "ViT",
    }
    both = kernels.Both(ours["conv 5x5/1 1>6 at 32"], 2, "cpu")
    assert both.case.work == 2 * 25 * 6 * 28 * 28 and both.slope.shape == (2, 6, 28, 28)
    assert both.told_rate(1e-6, False) == "470 GFLOP/s"
    assert both.rate(1e-6, True) == pytest.approx(3 * both.rate(1e-6, False))
    moved = 4 * (2 * 32 * 32 + 25 * 6 + 2 * 6 * 28 * 28)
    assert both.intensity() == pytest.approx(2 * both.case.work / moved)


def test_one_that_fails_leaves_the_others(monkeypatch, tmp_path):
    monkeypatch.setattr(mc.Tensor, "tanh", mc.Tensor.sigmoid)
    monkeypatch.setattr(kernels, "measured_roof", lambda threads: roofline.Roof(threads, 100.0, 10.0))
    small = ["--nets", "LeNet", "--batch-size", "1", "--threads", "1", "--minutes", "0.002"]
    run(kernels, monkeypatch, *small, "--results", str(tmp_path), code=1)
    text = (tmp_path / "kernels_cpu.md").read_text()
    assert "| LeNet | tanh 6 at 28 | 1 | 1 | failed: AssertionError: tanh 6 at 28: off by" in text
    assert text.count("| LeNet |") == 2 * 4 + 1


def test_a_wrong_result_is_not_timed(monkeypatch):
    both = kernels.Both(kernels.CASES[2], 1, "cpu")
    both.check(1e-5)
    monkeypatch.setattr(mc.Tensor, "tanh", mc.Tensor.sigmoid)
    with pytest.raises(AssertionError, match="tanh 6 at 28"):
        both.check(1e-5)
