"""Compiled models and functions against the same ones as they are, bit for bit where nothing is fused.

Each pair of twins goes through the same calls with the same seeds, long enough for the one to be recorded and
repeated; a warning is an error here, so what falls back to eager is seen.
"""

import copy

import numpy as np
import pytest
import torch

import minicnn as mc
import minicnn.nn.functional as F
from minicnn import nn
from minicnn.plan.compiled import PLANS

RNG = np.random.default_rng(5)
ROUNDING = {"rtol": 1e-5, "atol": 2e-6}  # of what is fused, relative to the largest number


def normal(*shape, requires_grad=False):
    return mc.tensor(RNG.standard_normal(shape, np.float32), requires_grad=requires_grad)


def tensors_in(value):
    if isinstance(value, mc.Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return [t for part in parts for t in tensors_in(part)]


def same(left, right, what="", exact=True):
    """Two lists of Tensors, or None, have the same values."""
    assert len(left) == len(right), what
    for a, b in zip(left, right, strict=True):
        assert (a is None) == (b is None), what
        if a is None:
            continue
        a, b = (x.numpy(force=True) for x in (a, b))
        assert a.dtype == b.dtype and a.shape == b.shape
        if exact:
            np.testing.assert_array_equal(a, b, what)
        elif a.size:
            scale = max(1.0, float(np.abs(b).max()))
            np.testing.assert_allclose(a, b, ROUNDING["rtol"], ROUNDING["atol"] * scale, err_msg=what)


class Twins:
    """A model, and a compiled copy of it, called in the same way."""

    def __init__(self, model, exact=True):
        self.eager, self.exact = model, exact
        self.inner = copy.deepcopy(model)
        self.compiled = mc.compile(self.inner)

    def plans(self):
        return [plan for plan in self.compiled._compiled.plans.values() if plan is not None]

    def call(self, *args, seed=0, backward=True, **kwargs):
        outs = []
        for model in (self.eager, self.compiled):
            copies = [x.detach().clone().requires_grad_(x.requires_grad) for x in args]
            mc.manual_seed(seed)
            out = model(*copies, **kwargs)
            model.zero_grad()
            parts = tensors_in(out)
            if backward and mc.is_grad_enabled():
                sum((t * t * 0.1).sum() for t in parts if t.requires_grad).backward()
            outs.append(parts)
            grads = [x.grad for x in copies] + [p.grad for p in model.parameters()]
            outs.append(grads)
        same(outs[2], outs[0], "outputs", self.exact)
        same(outs[3], outs[1], "gradients", self.exact)
        same([*self.inner.buffers()], [*self.eager.buffers()], "buffers", self.exact)
        return outs[2]

    def modes(self, *args, **kwargs):
        """Training, evaluation with and without gradients, and training again."""
        for mode in (True, False, True):
            self.eager.train(mode), self.compiled.train(mode)
            for seed in range(4):
                self.call(*args, seed=seed, **kwargs)
        self.eager.eval(), self.compiled.eval()
        with mc.no_grad():
            for seed in range(4):
                self.call(*args, seed=seed, **kwargs)
        assert len(self.plans()) == 3 if any(True for _ in self.eager.parameters()) else True


class Residual(nn.Module):
    """Batch norm, dropout, a write in place, a branch that is used twice."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.down = nn.Conv2d(2, 4, 1)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.4)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        identity = self.down(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(self.drop(out)))
        out += identity
        out = F.relu(out) + identity * 0.5
        return self.fc(F.adaptive_avg_pool2d(out, 1).flatten(1))


class Up(nn.Module):
    """Two resolutions that meet in a cat."""

    def __init__(self):
        super().__init__()
        self.down, self.middle = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)
        self.up, self.last = nn.ConvTranspose2d(4, 3, 2, stride=2), nn.Conv2d(6, 2, 1)

    def forward(self, x):
        skip = F.relu(self.down(x))
        deep = F.relu(self.middle(F.max_pool2d(skip, 2)))
        wide = F.interpolate(deep, scale_factor=2, mode="bilinear")
        return {
            "out": self.last(mc.cat([skip, self.up(deep)], 1)),
            "aux": [wide.mean(), wide.shape[-1], None],
        }


class Block(nn.Module):
    """A transformer's block over patches."""

    def __init__(self):
        super().__init__()
        self.cls, self.places = nn.Parameter(mc.randn(1, 1, 8)), nn.Parameter(mc.randn(1, 5, 8))
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, 8))

    def forward(self, x):
        x = mc.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.places
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return (x + self.mlp(self.norm2(x)))[:, 0]


NETS = {
    "lenet5": (lambda: mc.models.create("lenet5"), (3, 1, 32, 32)),
    "simplecnn": (lambda: mc.models.create("simplecnn"), (3, 1, 28, 28)),
    "batch norm, dropout": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(0.3),
            nn.Conv2d(4, 6, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(), nn.LazyLinear(3),
        ),
        (5, 1, 12, 12),
    ),
    "residual": (Residual, (3, 2, 6, 6)),
    "unet": (Up, (2, 1, 8, 8)),
    "transformer": (Block, (3, 4, 8)),
    "norms, dropout": (
        lambda: nn.Sequential(nn.LayerNorm(8), nn.GELU(), nn.Dropout(0.2), nn.GroupNorm(2, 4), nn.Softmax(2)),
        (3, 4, 8),
    ),
    "resnet20": (lambda: mc.models.create("resnet20"), (2, 3, 32, 32)),
}  # fmt: skip
NOT_FUSED = {"norms, dropout"}  # the same bits


@pytest.mark.parametrize("name", NETS)
def test_a_compiled_net_is_the_net(name):
    make, shape = NETS[name]
    model, x = make(), normal(*shape, requires_grad=True)
    model(x)  # lazy layers
    Twins(model, exact=name in NOT_FUSED).modes(x)


@pytest.mark.parametrize("name", ["lenet5", "simplecnn"])
def test_training_agrees_with_pytorch(name):
    from benchmarks.twins import twin as in_pytorch

    make, shape = NETS[name]
    model = make()
    twin = in_pytorch(model)
    compiled, loss = mc.compile(model), mc.compile(nn.CrossEntropyLoss())
    ours, theirs = mc.optim.SGD(model.parameters(), 0.05, 0.9), torch.optim.SGD(twin.parameters(), 0.05, 0.9)
    for _ in range(6):
        x, y = RNG.standard_normal(shape, np.float32), RNG.integers(0, 10, shape[0])
        ours.zero_grad()
        theirs.zero_grad()
        scores = compiled(mc.tensor(x))
        mine = loss(scores, mc.tensor(y))
        other = torch.nn.functional.cross_entropy(twin(torch.tensor(x)), torch.tensor(y))
        mine.backward()
        other.backward()
        np.testing.assert_allclose(mine.item(), other.item(), rtol=1e-4)
        for p, q in zip(model.parameters(), twin.parameters(), strict=True):
            scale = q.grad.abs().max().item()
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-3, atol=1e-3 * scale)
        ours.step()
        theirs.step()
    assert len([*compiled._compiled.plans.values()]) == 1 and loss._compiled.plans
    assert scores.grad_fn.name() == "Compiled"
    assert mine.grad_fn.name() == "CrossEntropy"  # a single operation runs as it is


def test_shapes_that_change():
    twins = Twins(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()), False)
    for size in (5, 6, 5, 6, 6, 5, 7, 5):
        for batch in (1, 3):
            twins.call(normal(batch, 1, size, size))
    assert len(twins.plans()) == 4  # two recordings of each, but of size 7 there was one


def test_too_many_shapes_run_as_they_are():
    twins = Twins(nn.Linear(2, 2))
    for batch in range(1, PLANS + 5):
        for _ in range(3):
            twins.call(normal(batch, 2))
    assert len(twins.plans()) == PLANS


def test_parameters_are_looked_up():
    twins = Twins(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)))
    x, other = normal(2, 3), nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    for _ in range(3):
        twins.call(x)
    for model in (twins.eager, twins.inner):
        model.load_state_dict(other.state_dict())
    twins.call(x)
    for model in (twins.eager, twins.inner):
        model[0].weight.data = mc.ones(4, 3)
    twins.call(x)
    assert len(twins.plans()) == 1
    for model in (twins.eager, twins.inner):
        model[0].weight.requires_grad_(False)
    for _ in range(3):
        twins.call(x)
        assert twins.inner[0].weight.grad is None
    for model in (twins.eager, twins.inner):
        model[0] = copy.deepcopy(other[0])
    for _ in range(3):
        twins.call(x)
    for model in (twins.eager, twins.inner):
        model.double()
    for _ in range(3):
        twins.call(x.double())
    assert len(twins.plans()) == 4


def test_settings_are_part_of_the_plan():
    twins = Twins(nn.Sequential(nn.Dropout(0.5), nn.LeakyReLU(0.1)))
    x = normal(4, 5, requires_grad=True)
    for p in (0.5, 0.2):
        for model in (twins.eager, twins.inner):
            model[0].p = p
        for seed in range(4):
            twins.call(x, seed=seed)
    assert len(twins.plans()) == 2
