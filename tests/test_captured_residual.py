"""Captured plans of networks with batch norm, sums, branches and what NumPy does between the kernels."""

import numpy as np
import pytest

import minicnn as mc
from minicnn import nn
from minicnn.kernels.cpu.interleaved import LANES
from minicnn.kernels.cpu.memory import Blocks
from minicnn.nn import functional as F
from test_captured import captured, compiled_with, result


class Residual(nn.Module):
    """Batch norm, a sum, a part that two read, branches side by side, padding, a mean and dropout."""

    def __init__(self, channels=6):
        super().__init__()
        self.conv1 = nn.Conv2d(2, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.deep = nn.Conv2d(channels, channels, 3, padding=1, stride=2, groups=channels)
        self.side = nn.Conv2d(channels, 5, 1, stride=2)
        self.norms = nn.ModuleList([nn.BatchNorm2d(channels) for _ in range(3)])
        self.drop, self.head = nn.Dropout(0.3), nn.Linear(2 * channels + 5, 50)

    def forward(self, x):
        x = F.relu6(self.norms[0](self.conv1(x)))
        x = F.relu(x + self.norms[1](self.conv2(x)))
        y = F.silu(self.norms[2](self.deep(x)))
        z = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 0))[:, 1:]
        x = mc.cat([y, z, self.side(x)], 1)
        return self.head(self.drop(x.mean((2, 3))))


def same_step(model, x, target, seed):
    """`result`, and the running statistics, which stay as they were."""
    before = [b.numpy().copy() for b in model.buffers()]
    mc.manual_seed(seed)
    found = result(model, x, target)
    for b, kept in zip(model.buffers(), before, strict=True):
        found.append(b.numpy().copy())
        b.numpy()[...] = kept
    return found


@pytest.mark.parametrize("channels", [6, 40])
@pytest.mark.parametrize("shape", [(5, 2, 12, 14), (2 * LANES, 2, 6, 6), (40, 2, 24, 24)], ids=str)
def test_residual_networks(shape, channels):
    compiled, x = compiled_with(Residual(channels), shape)
    plan = list(compiled._compiled.plans.values())[-1]
    kept = plan.captured
    assert kept.forward and kept.backward
    for seed in range(3):
        x, target = mc.randn(*shape), mc.randint(0, 50, shape[:1])
        with mc.no_grad():
            for p in (*compiled.parameters(), *compiled.buffers()):
                if p.is_floating_point():
                    p.mul_(0.9)
        found = []
        for way in (kept, None):
            plan.captured = way
            found.append(same_step(compiled, x, target, seed))
        plan.captured = kept
        for ours, wanted in zip(*found, strict=True):
            np.testing.assert_array_equal(ours, wanted)
        wanted = same_step(compiled._orig_mod, x, target, seed)
        for ours, expected in zip(found[0], wanted, strict=True):
            np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4 * max(abs(expected).max(), 1e-3))


def test_residual_networks_in_evaluation():
    model = Residual(40).eval()
    compiled, x = mc.compile(model), mc.randn(3, 2, 12, 14)
    for step in range(7):
        with mc.no_grad():
            for p in (*model.parameters(), *model.buffers()):
                if p.is_floating_point():
                    p.mul_(0.9)
            got, wanted = compiled(x * step).numpy(), model(x * step).numpy()
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * abs(wanted).max())
    assert captured(compiled).forward
    assert (
        captured(compiled).forward.blocks.nbytes < 2 * 4 * 3 * 40 * 12 * 14 * 4
    )  # less than two steps' results


def test_constant_statistics_that_move_before_the_way_back():
    norm = nn.BatchNorm2d(3).eval()
    model = nn.Sequential(nn.Conv2d(2, 3, 3), norm, nn.ReLU())
    compiled, x = compiled_with(model, (4, 2, 9, 9))
    assert captured(compiled).backward
    found = []
    for f in (compiled, model):
        with mc.no_grad():
            norm.running_mean.fill_(0.3)
        out = f(x)
        with mc.no_grad():
            norm.running_mean.fill_(-5)
        found.append([g.numpy() for g in mc.autograd.grad(out.sum(), list(model.parameters()))])
    for ours, wanted in zip(*found, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-4 * abs(wanted).max())


def test_statistics_and_random_numbers_after_some_that_are_not_finite():
    norm = nn.BatchNorm2d(32, momentum=None)
    model = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), norm, nn.ReLU(), nn.Dropout(0.3))
    compiled, x = compiled_with(model, (40, 32, 20, 20))
    assert captured(compiled).forward.flags
    x[0, 0, 0, 0] = float("inf")
    plan, found = list(compiled._compiled.plans.values())[-1], []
    for way in (plan.captured, None):
        plan.captured = way
        before = [b.numpy().copy() for b in model.buffers()]
        mc.manual_seed(0)
        out = compiled(x).detach().numpy()
        found.append([out, mc.rand(3).numpy(), *[b.numpy().copy() for b in model.buffers()]])
        for b, kept in zip(model.buffers(), before, strict=True):
            b.numpy()[...] = kept
    for ours, wanted in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, wanted)


def test_all_plans_together_keep_so_much_memory(monkeypatch):
    monkeypatch.setattr("minicnn.plan.captured.MOST", Blocks.planned() + 1000)
    compiled, x = compiled_with(Residual(), (5, 2, 12, 14))
    assert captured(compiled) is None
    compiled(x)
