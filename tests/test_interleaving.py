"""Plans with interleaved pictures: the program's results, and where pictures are turned."""

import numpy as np
import pytest

import minicnn as mc
from minicnn import models, nn
from minicnn.kernels.cpu.interleaved import LANES
from minicnn.nn import functional as F
from minicnn.plan.fusion import FoldedConv2d
from minicnn.plan.interleaving import Interleave, InterleavedConv2d, Separate


class Branches(nn.Module):
    """Values that are read in groups and as they were; activations on both sides of pooling; a stride."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.c, self.d = nn.Conv2d(8, 6, 3, stride=2, dilation=2), nn.Linear(14, 10)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x):
        x = F.max_pool2d(F.sigmoid(self.a(x)), 2)
        y = x + F.gelu(self.norm(self.b(x)))
        z = F.avg_pool2d(F.relu(self.c(y)), 2)
        return self.d(mc.cat([z.flatten(1).mean(1, keepdim=True).expand(-1, 6), y.mean((2, 3))], 1))


class Normed(nn.Module):
    """Batch norm, every pooling, and shortcuts with slices and padding between convolutions."""

    def __init__(self):
        super().__init__()
        # before batch norm a bias has the gradient 0, of which there is nothing but rounding to compare
        self.a, self.b = nn.Conv2d(3, 8, 3, bias=False), nn.Conv2d(8, 10, 3, 2, 1, bias=False)
        self.c = nn.Conv2d(10, 10, 1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(8), nn.BatchNorm2d(10)])
        self.d = nn.Linear(60, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norms[0](self.a(x))), 3, 2, 1)
        x = F.relu(F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 1)) + self.norms[1](self.b(x)))
        x = F.max_pool2d(F.avg_pool2d(self.c(x) + 1, 3, 1, 1), 2)
        return self.d(F.adaptive_avg_pool2d(x[:, :, :, :-1], (3, 2)).flatten(1))


class Sliced(nn.Module):
    """Slices between convolutions, and of what goes back to one."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 6, 3), nn.Conv2d(6, 5, 3, stride=2)
        self.d = nn.Linear(5 * 4 * 3, 10)

    def forward(self, x):
        x = self.b(F.relu(self.a(x))[:, :, 1:-1])
        return 2 * self.d(F.tanh(self.c(x[:, :, :, 1:]))[:, :, :, 1:].flatten(1))


def functions(compiled):
    """What the steps of the only plan do."""
    (plan,) = getattr(compiled, "_compiled", compiled).plans.values()
    return [step.function for step in plan.steps]


def step_of(model, x, target):
    model.zero_grad()
    loss = F.cross_entropy(model(x), target)
    loss.backward()
    return [loss.detach().numpy(), *[p.grad.numpy().copy() for p in model.parameters()]]


CASES = {
    "lenet5": (models.lenet5, (2 * LANES, 1, 32, 32), 2),
    "simplecnn": (models.simplecnn, (LANES, 1, 28, 28), 2),
    "lenet5, not full": (models.lenet5, (2 * LANES - 3, 1, 32, 32), 2),
    "simplecnn, not full": (models.simplecnn, (LANES - 2, 1, 28, 28), 2),
    "branches, not full": (Branches, (LANES - 1, 3, 21, 19), 3),
    "branches": (Branches, (LANES, 3, 21, 19), 3),
    "sliced": (Sliced, (LANES, 3, 15, 15), 3),
    "normed": (Normed, (2 * LANES, 3, 35, 29), 3),
}


@pytest.mark.parametrize("name", CASES)
def test_same_results_and_gradients(name):
    make, shape, convolutions = CASES[name]
    mc.manual_seed(0)
    eager, x, target = make(), mc.randn(*shape), mc.randint(0, 10, shape[:1])
    model = make()
    model.load_state_dict(eager.state_dict())
    compiled = mc.compile(model)
    expected = step_of(eager, x, target)
    for _ in range(4):  # two recordings, two replays
        for got, wanted in zip(step_of(compiled, x, target), expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-5 * max(abs(wanted).max(), 1e-3))
    assert functions(compiled).count(InterleavedConv2d) == convolutions


@pytest.mark.parametrize("name", ["lenet5", "simplecnn", "normed"])
def test_pictures_are_turned_once_each_way(name):
    make, shape, _ = CASES[name]
    compiled = mc.compile(make())
    for _ in range(3):
        compiled(mc.zeros(*shape))
    assert functions(compiled)[0] is Interleave
    assert [functions(compiled).count(turn) for turn in (Interleave, Separate)] == [1, 1]


def test_wide_networks_are_not_turned():
    compiled = mc.compile(models.resnet18(num_classes=10))
    for _ in range(3):
        compiled(mc.zeros(LANES, 3, 32, 32))
    assert not {Interleave, Separate} & set(functions(compiled))


@pytest.mark.parametrize("evaluation", [False, True])
def test_norms_of_few_channels(evaluation):
    """They start groups; but in evaluation the convolutions do what the norms would."""
    compiled = mc.compile(models.resnet20().train(not evaluation))
    with mc.no_grad():
        for _ in range(3):
            compiled(mc.zeros(LANES, 3, 32, 32))
    assert functions(compiled).count(InterleavedConv2d) == (0 if evaluation else 19)
    assert (FoldedConv2d in functions(compiled)) == evaluation


@pytest.mark.parametrize("cut", [np.s_[..., ::2], np.s_[3:], np.s_[:, 0], np.s_[:, :, ::2, None, ::2]])
def test_other_slices_are_of_pictures_as_they_were(cut):
    mc.manual_seed(0)
    conv, x = nn.Conv2d(1, 4, 3), mc.randn(LANES, 1, 9, 9)
    compiled = mc.compile(lambda x: F.max_pool2d(conv(x), 2)[cut].exp())
    for _ in range(3):
        got = compiled(x).detach().numpy()
    assert functions(compiled).count(InterleavedConv2d) == 1
    expected = F.max_pool2d(conv(x), 2)[cut].exp().detach().numpy()
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


def test_only_whole_groups_in_single_precision():
    for shape, dtype in (((LANES + 1, 1, 32, 32), mc.float32), ((LANES, 1, 32, 32), mc.float64)):
        compiled = mc.compile(models.lenet5().to(dtype))
        for _ in range(3):
            compiled(mc.zeros(*shape, dtype=dtype))
        assert InterleavedConv2d not in functions(compiled)


def test_gradient_of_the_picture():
    mc.manual_seed(0)
    model = models.lenet5()
    compiled, x = mc.compile(model), mc.randn(LANES, 1, 32, 32).requires_grad_()
    wanted = mc.autograd.grad(model(x).square().sum(), x)[0].numpy()
    for _ in range(3):
        got = mc.autograd.grad(compiled(x).square().sum(), x)[0].numpy()
    np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-5 * abs(wanted).max())


def test_what_is_wanted_outside_is_as_the_program_has_it():
    mc.manual_seed(0)
    conv, x = nn.Conv2d(1, 4, 3), mc.randn(LANES, 1, 9, 9)
    compiled = mc.compile(lambda x: (pooled := F.max_pool2d(conv(x), 2), pooled.relu()))
    for _ in range(3):
        pooled, rectified = compiled(x)
    np.testing.assert_allclose(pooled.detach().numpy(), F.max_pool2d(conv(x), 2).detach().numpy(), atol=1e-6)
    np.testing.assert_array_equal(rectified.detach().numpy(), np.maximum(pooled.detach().numpy(), 0))


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (models.lenet5, (2 * LANES, 1, 32, 32)),
        (models.simplecnn, (2 * LANES, 1, 28, 28)),
        (models.resnet18, (2, 3, 32, 32)),
    ],
)
def test_pictures_are_not_copied_to_lie_otherwise(make, shape, compiled, monkeypatch):
    """Neither those of a step nor their gradients; a picture whose channels lie together is, once."""
    copied, contiguous = [], np.ascontiguousarray

    def counted(a, *args):
        result = contiguous(a, *args)
        if result.shape[0] in (shape[0], shape[0] // LANES) and not np.shares_memory(result, a):
            copied.append(result.shape)
        return result

    model = make()
    run = mc.compile(model) if compiled else model
    x, target = mc.zeros(*shape), mc.zeros(shape[0], dtype=mc.int64)
    monkeypatch.setattr(np, "ascontiguousarray", counted)
    for _ in range(3):
        F.cross_entropy(run(x), target).backward()
    assert copied == []
    together = mc.zeros(shape[0], 3, 4, 8).permute(0, 3, 1, 2)
    F.conv2d(together, mc.ones(8, 8, 3, 3))
    assert copied == [(shape[0], 8, 3, 4)]
