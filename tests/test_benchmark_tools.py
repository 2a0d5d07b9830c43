"""What benchmarks share: timings, tables, the machine's roof, and models that are the same in PyTorch."""

import os
import time

import numpy as np
import pytest
import torch

import minicnn as mc
import twins as by_hand
from benchmarks import report, roofline, timing, train_step, twins

RNG = np.random.default_rng(2)


def test_alternate():
    calls = []

    def function(name, seconds):
        calls.append(name)
        time.sleep(seconds)

    quick, slow = timing.alternate([lambda: function("q", 0.002), lambda: function("s", 0.004)], 0.2, 5)
    assert calls[:6] == ["q", "s"] * 3  # compiled, and timed to see how long they take
    order = "".join(calls[6:])
    assert order.count("qs") == 5 and order.count("sq") == 4
    assert np.median(quick) == pytest.approx(0.002, rel=0.5) and np.median(slow) == pytest.approx(
        0.004, rel=0.5
    )
    assert len(quick) > 5
    once, twice = timing.alternate([lambda: None, lambda: time.sleep(0.01)], 0.0)
    assert len(once) == len(twice) == 3


def functions_apart(*values):
    """What the other process is asked to make."""
    if not values:
        raise ValueError("no functions")
    return [lambda: float(os.getpid()), lambda: float(os.environ[timing.KEEP_MEMORY]), lambda: values[0]]


def test_a_process_of_its_own(monkeypatch):
    monkeypatch.setenv(timing.KEEP_MEMORY, "1")
    with timing.apart() as other:
        process, keeps, text = other.calls(functions_apart, "text")
        assert os.environ[timing.KEEP_MEMORY] == "1"
        assert process() != os.getpid() and keeps() == 0.0 and text() is None
        here, there = timing.alternate([os.getpid, process], 0.01, 3)
        assert min(*here, *there) > 0
        assert len(process.block(0.0, 1.0)) == 1 and len(process.block(0.01, 0.0)) > 10
        with pytest.raises(ValueError, match="no functions"):
            other.calls(functions_apart)
    monkeypatch.delenv(timing.KEEP_MEMORY)
    with timing.apart():
        assert timing.KEEP_MEMORY not in os.environ


def test_no_fewer_threads_than_told():
    with pytest.raises(ValueError, match="100000 threads: this process has "):
        timing.set_threads(100_000)


def test_budget(monkeypatch):
    now = iter([0.0, 0.0, 50.0, 130.0, 150.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    budget = timing.Budget(2.0, 3)
    assert budget.seconds(2) == pytest.approx(120 / 3 / 2 / 2)
    assert budget.seconds(1) == pytest.approx(70 / 2 / 2)
    assert budget.seconds(1) == budget.seconds(1) == timing.LEAST  # the time is up


def test_figures():
    assert [timing.figure(x) for x in (0.01234, 1.234, 12.34, 123.4)] == ["0.012", "1.23", "12.3", "123"]
    times = [0.001, 0.002, 0.003, 0.004, 0.005]
    assert timing.told_ms(times) == "3.00 (1.50-4.50)"
    modes = {"default": [0.009] * 3, "fused": [0.006] * 3}
    assert report.beside(times, modes) == ("3.00 (1.50-4.50)", "6.00 (6.00-6.00), fused", "**2.00**")


def test_tables_are_kept_row_by_row(tmp_path, capsys):
    table = report.Table(tmp_path / "new" / "here.md", "Title", ["About."], ["a", "b"])
    assert not (tmp_path / "new").exists()
    table.add("x", 1)
    expected = "# Title\n\nAbout.\n\n| a | b |\n| --- | --- |\n| x | 1 |\n"
    assert (tmp_path / "new" / "here.md").read_text() == expected == capsys.readouterr().out
    report.Table(None, "Title", [], ["a"]).add(1)


def test_options_keep_the_docstring():
    parser = report.options("First line.\n\n    command\n")
    assert "\n    command\n" in parser.format_help()


def test_roof():
    roof = roofline.Roof(2, 100.0, 10.0)
    np.testing.assert_allclose(roof.over(np.array([1.0, 10.0, 50.0])), [10, 100, 100])
    found = roofline.measured_roof(1, count=1000, copied=1 << 20, times=3)
    assert found.threads == 1 and found.peak > 1 and found.bandwidth > 0.1


def test_the_loop_that_measures_the_peak_multiplies_and_adds():
    lanes = roofline.lanes(np.empty(0, np.float32))
    starts = RNG.random((roofline.MR * roofline.NV + 2, lanes), np.float32)
    expected = starts.astype(np.float64)
    roofline.multiply_and_add(starts, 5)
    for _ in range(5):
        expected[:-2] = expected[:-2] * expected[-2] + expected[-1]
    np.testing.assert_allclose(starts, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["lenet5", "simplecnn", "simplecnn_cifar"])
def test_a_twin_is_what_one_writes_by_hand(name):
    ours, theirs = by_hand.twins(name)
    x = torch.from_numpy(RNG.standard_normal((2, *train_step.INPUTS[name]), np.float32))
    with torch.no_grad():
        np.testing.assert_allclose(twins.twin(ours)(x), theirs(x), atol=1e-6)


@pytest.mark.parametrize("name", ["resnet18_cifar", "mobilenet_v2", "efficientnet_b0", "vit_s_16"])
def test_twins(name):
    """Layers are PyTorch's own, the state is the model's, and the scores of a calmed model are no noise."""
    settings = {"image_size": 64} if name == "vit_s_16" else {}
    model = twins.model_for(name, (4, 3, 64, 64), **settings).eval()
    theirs = twins.twin(model)
    assert not theirs.training
    assert {k: tuple(v.shape) for k, v in theirs.state_dict().items()} == {
        k: v.shape for k, v in model.state_dict().items()
    }
    own = [type(m) for m in theirs.modules() if not [*m.children()]]
    assert all(kind.__module__.startswith("torch.nn.") for kind in own)
    x = RNG.standard_normal((2, 3, 64, 64), np.float32)
    with mc.no_grad(), torch.no_grad():
        scores = model(mc.from_numpy(x))
        twins.same(name, scores, theirs(torch.from_numpy(x)), 1e-4)
    assert 1e-3 < np.abs(scores.numpy()).max() < 1e3
    again = twins.model_for(name, (4, 3, 64, 64), **settings)
    for key, value in again.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), model.state_dict()[key].numpy(), err_msg=key)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_nothing_is_no_agreement(bad):
    a = torch.full((3,), bad)
    with pytest.raises(AssertionError, match="scores: PyTorch gives nothing but"):
        twins.same("scores", a, a, 1.0)
