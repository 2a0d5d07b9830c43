"""The programs that measure: they start, say what is missing, and compute what they time."""

import pytest

import minicnn as mc
from benchmarks import kernels, train_step


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
