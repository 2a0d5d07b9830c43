"""Plans replayed by one call each way: the same as step by step, bit for bit, and what a program keeps."""

import gc
import threading
import weakref

import numpy as np
import pytest

import minicnn as mc
from kernel_cases import run
from minicnn import nn
from minicnn.backends import cpu
from minicnn.device import use_kernels
from minicnn.kernels.cpu.interleaved import LANES
from minicnn.nn import functional as F

ACTIVATIONS = {"none": nn.Identity, "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
POOLINGS = {"max": nn.MaxPool2d, "mean": nn.AvgPool2d}


def network(activation="tanh", pooling="max", channels=8, **window):
    """Convolutions with and without bias, one that is pooled by 3, and two linear layers."""
    act = ACTIVATIONS[activation]
    return nn.Sequential(
        *(nn.Conv2d(2, channels, 3, **window), act(), POOLINGS[pooling](2)),
        *(nn.Conv2d(channels, 5, 3, padding=1, bias=False), act(), POOLINGS[pooling](3), nn.Flatten()),
        *(nn.LazyLinear(120), act(), nn.Linear(120, 50)),
    )


def compiled_with(model, shape=(2 * LANES, 2, 17, 15)):
    """A compiled model after two recordings and the first replay, which is recorded, too; and an input."""
    x = mc.randn(*shape)
    compiled = mc.compile(model)
    for _ in range(4):
        compiled(x).sum().backward()
    return compiled, x


def captured(compiled):
    """The captured form of the only plan."""
    *_, plan = compiled._compiled.plans.values()
    return plan.captured


def result(model, x, target):
    """The loss and all gradients of a step, as arrays of their own."""
    for p in model.parameters():
        p.grad = None
    out = model(x)
    F.cross_entropy(out, target).backward()
    return [out.detach().numpy().copy(), *[p.grad.numpy().copy() for p in model.parameters()]]


def step_by_step(compiled, x, target):
    """The same by the same plan without what was captured."""
    *_, plan = compiled._compiled.plans.values()
    kept, plan.captured = plan.captured, None
    try:
        return result(compiled, x, target)
    finally:
        plan.captured = kept


def check(compiled, x):
    """Some steps on other numbers, and with other parameters, against the plan step by step and the model."""
    for _ in range(3):
        target = mc.randint(0, 50, x.shape[:1])
        x = mc.randn_like(x)
        with mc.no_grad():
            for p in compiled.parameters():
                p.mul_(0.9).add_(mc.randn_like(p) * 0.02)
        got = result(compiled, x, target)
        for ours, wanted in zip(got, step_by_step(compiled, x, target), strict=True):
            np.testing.assert_array_equal(ours, wanted)
        for ours, wanted in zip(got, result(compiled._orig_mod, x, target), strict=True):
            np.testing.assert_allclose(ours, wanted, rtol=0, atol=3e-5 * max(abs(wanted).max(), 1e-3))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_same_as_step_by_step(activation, pooling):
    compiled, x = compiled_with(network(activation, pooling))
    check(compiled, x)
    assert captured(compiled).forward and captured(compiled).backward


@pytest.mark.parametrize(
    "options",
    [{"channels": 32}, {"channels": 32, "padding": 1}, {"stride": 2}, {"padding": 2, "dilation": 2}],
    ids=str,
)
def test_other_convolutions(options):
    compiled, x = compiled_with(network("relu", **options), (LANES, 2, 23, 25))
    check(compiled, x)
    assert captured(compiled).forward and captured(compiled).backward


def test_linear_layers_alone():
    model = nn.Sequential(nn.Flatten(), nn.Linear(300, 90), nn.ReLU(), nn.Linear(90, 50))
    compiled, x = compiled_with(model, (64, 3, 100))
    check(compiled, x)
    check(compiled, x[:, :, ::2].repeat(1, 1, 2).transpose(0, 1).contiguous().transpose(0, 1))  # another kind
    assert all(plan.captured.forward for plan in compiled._compiled.plans.values())


def test_gradient_of_the_input():
    model = network()
    x = mc.randn(LANES, 2, 17, 15, requires_grad=True)
    compiled = mc.compile(model)
    for step in range(6):
        with mc.no_grad():
            x.copy_(mc.randn_like(x))
        got, wanted = (mc.autograd.grad(f(x).sum(), x)[0].numpy() for f in (compiled, model))
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * abs(wanted).max())
        assert step < 3 or captured(compiled).backward


def test_what_the_program_keeps_stays():
    compiled, x = compiled_with(network())
    target = mc.zeros(len(x), dtype=mc.int64)
    outs, grads = [], []
    for scale in (1, 2, 3):
        compiled.zero_grad()
        outs.append(compiled(x * scale))
        F.cross_entropy(outs[-1], target).backward()
        grads.append([p.grad for p in compiled.parameters()])
    for scale, out, kept in zip((1, 2, 3), outs, grads, strict=True):
        wanted = step_by_step(compiled, x * scale, target)
        for ours, expected in zip((out, *kept), wanted, strict=True):
            np.testing.assert_array_equal(ours.detach().numpy(), expected)


def test_gradients_add_up():
    compiled, x = compiled_with(network())
    target = mc.zeros(len(x), dtype=mc.int64)
    once = result(compiled, x, target)[1:]
    for _ in range(2):
        F.cross_entropy(compiled(x), target).backward()
    for p, grad in zip(compiled.parameters(), once, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), grad + grad + grad)


def test_two_calls_before_the_way_back():
    compiled, x = compiled_with(network())
    first, second = compiled(x), compiled(2 * x)
    (weight, *_) = compiled.parameters()
    found = [mc.autograd.grad(out.sum(), weight)[0].numpy().copy() for out in (second, first)]
    wanted = [mc.autograd.grad(compiled._orig_mod(y).sum(), weight)[0].numpy() for y in (2 * x, x)]
    for ours, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5 * abs(expected).max())


def test_twice_back():
    compiled, x = compiled_with(network())
    (weight, *_) = compiled.parameters()
    out = compiled(x)
    first = mc.autograd.grad(out.sum(), weight, retain_graph=True)[0]
    compiled(-x)  # goes step by step, for the memory is still needed
    second = mc.autograd.grad(out.sum(), weight)[0]
    np.testing.assert_array_equal(first.numpy(), second.numpy())
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        out.sum().backward()


def test_a_parameter_written_before_the_way_back():
    compiled, x = compiled_with(network())
    out = compiled(x)
    with mc.no_grad():
        next(compiled.parameters()).add_(1)
        list(compiled.parameters())[1].add_(1)
        list(compiled.parameters())[2].add_(1)
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        out.sum().backward()


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("convolutional", [False, True])
def test_an_input_written_before_the_way_back(convolutional, read_only):
    """It is copied if that needs it, and else read where it lies."""
    linear = nn.Sequential(nn.Linear(30, 40), nn.Tanh(), nn.Linear(40, 50))
    compiled, x = compiled_with(network()) if convolutional else compiled_with(linear, (20, 30))
    assert (captured(compiled).entries[0] is not None) == convolutional
    target = mc.randint(0, 50, x.shape[:1])
    for _ in range(3):
        x = mc.randn_like(x)
        wanted = result(compiled._orig_mod, x, target)
        compiled.zero_grad()
        array = x.array.copy()
        array.flags.writeable = not read_only
        out = compiled(mc.from_numpy(array))
        array.flags.writeable = True
        array[...] = np.nan
        F.cross_entropy(out, target).backward()
        got = [out.detach().numpy(), *[p.grad.numpy() for p in compiled.parameters()]]
        for ours, theirs in zip(got, wanted, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=3e-5 * abs(theirs).max())


def test_other_memory_at_each_step():
    compiled, x = compiled_with(network())
    for _ in range(6):
        for p in compiled.parameters():
            p.data = p.data * 2
        got, wanted = (f(x).detach().numpy() for f in (compiled, compiled._orig_mod))
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * abs(wanted).max())
    assert captured(compiled) is None


def test_other_memory_other_settings():
    compiled, x = compiled_with(network(channels=32), (LANES, 2, 23, 25))
    before = captured(compiled).forward
    for p in compiled.parameters():
        p.data = p.data + 0
    check(compiled, x)
    assert captured(compiled).forward is not before
    choice, cpu.winograd = cpu.winograd, False
    try:
        check(compiled, x)
    finally:
        cpu.winograd = choice


def test_numbers_that_are_not_finite():
    compiled, x = compiled_with(network("relu", channels=32), (LANES, 2, 23, 25))
    target = mc.zeros(len(x), dtype=mc.int64)
    bad = x.clone()
    bad[3, 1, 10, 10] = float("nan")
    bad[4, 0, 3, 3] = float("inf")
    for y in (x, bad, x):
        got, wanted = result(compiled, y, target), step_by_step(compiled, y, target)
        for ours, expected in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(ours, expected)
    assert captured(compiled).backward


def test_any_number_of_threads():
    compiled, x = compiled_with(network())
    target = mc.zeros(len(x), dtype=mc.int64)
    before, found = mc.get_num_threads(), []
    for count in (1, 2, 3):
        mc.set_num_threads(count)
        found.append(result(compiled, x, target))
    mc.set_num_threads(before)
    for other in found[1:]:
        for ours, wanted in zip(other, found[0], strict=True):
            np.testing.assert_array_equal(ours, wanted)


ALONE = """
import numba
import minicnn as mc
from test_captured import captured, compiled_with, network

mc.set_num_threads(1)
compiled, x = compiled_with(network())
assert captured(compiled) is not None
compiled(x)
try:
    print(numba.threading_layer())
except ValueError:  # it has not been asked for
    print("none")
"""


def test_one_thread_starts_no_others():
    """OpenMP's threads are the whole program's: PyTorch beside us would get as many."""
    done = run(ALONE, NUMBA_NUM_THREADS="2")
    assert done.stdout == "none\n", done.stderr


def test_threads_of_the_program():
    compiled, x = compiled_with(network())
    inputs = [x * (1 + i) for i in range(4)]
    with mc.no_grad():
        wanted = [compiled._orig_mod(y).numpy() for y in inputs]
    wrong = []

    def work(i):
        for _ in range(20):
            with mc.enable_grad():
                out = compiled(inputs[i])
            if abs(out.detach().numpy() - wanted[i]).max() > 1e-4:
                wrong.append(i)
            mc.autograd.grad(out.sum(), list(compiled.parameters()))

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


def test_memory_goes_with_the_model():
    compiled, x = compiled_with(network())
    (array,) = captured(compiled).outs.values()
    gone = weakref.ref(array)
    gc.disable()
    try:
        del compiled, array
        assert gone() is None
    finally:
        gc.enable()


def test_what_is_not_captured():
    compiled, _ = compiled_with(nn.Sequential(nn.Conv2d(2, 4, 3), nn.LogSoftmax(1)))
    assert captured(compiled) is None
    reference, x = compiled_with(nn.Sequential(nn.Tanh(), nn.Linear(30, 4)), (2, 30))
    with use_kernels("reference"):
        reference(2 * x)
    assert captured(reference).forward
