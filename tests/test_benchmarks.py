"""The programs that measure on a GPU: they start, say what is missing, and compute what they time."""

import numpy as np
import pytest

import minicnn as mc
from benchmarks import gpu, kernels, train_step

RNG = np.random.default_rng(2)


def run(program, monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["benchmark", *arguments])
    program.main()


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
    with pytest.raises(SystemExit) as left:
        run(program, monkeypatch, *arguments)
    assert left.value.code == 2 and reason in capsys.readouterr().err


def test_pytorch_needs_the_gpu_too(cuda, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit):
        run(kernels, monkeypatch, "--device", "cuda")
    assert "has no GPU" in capsys.readouterr().err


def test_steps_on_the_cpu(monkeypatch, capsys):
    small = ["--models", "lenet5", "--batch-size", "2", "--seconds", "0.01", "--threads", "1"]
    run(train_step, monkeypatch, *small)
    assert "ratio to PyTorch's best" in capsys.readouterr().out


def test_operations_on_the_cpu(monkeypatch, capsys):
    run(kernels, monkeypatch, "--nets", "LeNet", "--batch-size", "1", "--seconds", "0.01", "--threads", "1")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 2 * 5 and all("ratio" in line for line in lines[1:])
    assert "GFLOP/s" in lines[1] and "GB/s" in lines[5]


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
    assert both.rate(1e-6, False).split() == ["470", "GFLOP/s"]


def test_a_wrong_result_is_not_timed(monkeypatch):
    both = kernels.Both(kernels.CASES[2], 1, "cpu")
    both.check(1e-5)
    monkeypatch.setattr(mc.Tensor, "tanh", mc.Tensor.sigmoid)
    with pytest.raises(AssertionError, match="tanh 6 at 28"):
        both.check(1e-5)


def test_our_step_and_operations_on_the_gpu(cuda):
    """What is timed there is the same as on the CPU, also as a graph."""
    x, y = RNG.standard_normal((2, 1, 32, 32), np.float32), np.array([1, 7])
    losses = []
    for device in ("cpu", cuda):
        mc.manual_seed(4)
        step = train_step.minicnn_step(mc.models.create("lenet5"), x, y, device)
        losses.append([step().item() for _ in range(4)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for backward in (False, True):
        places = [kernels.Both(kernels.CASES[1], 1, device).call(mc, backward) for device in ("cpu", cuda)]
        graph = mc.cuda.graph(places[1])
        for _ in range(4):
            found = [x if backward else [x] for x in (places[0](), graph())]
            for a, b in zip(*found, strict=True):
                np.testing.assert_allclose(a.numpy(), b.numpy(force=True), rtol=1e-4, atol=1e-5)


def test_timings_by_the_clock_of_the_gpu(cuda):
    calls = []
    times = gpu.alternate_on_gpu([(lambda: calls.append(1), gpu.OurEvent)], rounds=3, calls=2)
    assert len(times[0]) == 3 and len(calls) == 5 + 4 * 2


def test_reports_are_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "RESULTS", tmp_path)
    report = gpu.Report("Title")
    report.add("a line")
    report.save("here.md")
    assert (tmp_path / "here.md").read_text() == "# Title\n\na line\n"
    assert "a line" in capsys.readouterr().out
