"""Calls of compiled functions: arguments, results, backward passes, errors, printing."""

import copy
import weakref
from collections import OrderedDict, namedtuple
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import minicnn as mc
import minicnn.nn.functional as F
from minicnn import nn
from minicnn.device import use_kernels
from minicnn.kernels import reference
from minicnn.plan.compiled import KINDS, PLANS
from minicnn.plan.surroundings import STATES

Size = namedtuple("Size", "number unit")
RNG = np.random.default_rng(6)


def normal(*shape, requires_grad=False):
    return mc.tensor(RNG.standard_normal(shape, np.float32), requires_grad=requires_grad)


def test_several_backward_passes():
    w = mc.tensor([2.0, 3.0], requires_grad=True)
    f = mc.compile(lambda x: (x * w, (x + w).tanh()))
    x = mc.tensor([1.0, -1.0], requires_grad=True)
    grads = []
    for _ in range(4):
        x.grad = w.grad = None
        a, b = f(x)
        a.sum().backward(retain_graph=True)
        first = x.grad.tolist()
        (a.sum() + b.sum()).backward()
        grads.append((first, x.grad.tolist(), w.grad.tolist()))
        with pytest.raises(RuntimeError, match="freed by an earlier backward"):
            a.sum().backward()
    assert grads[0] == grads[1] == grads[2] == grads[3] and a.grad_fn.name() == "Compiled"
    given = mc.tensor([1.0, 1.0])
    g = mc.compile(lambda x: x + w)
    for _ in range(3):
        x.grad = None
        g(x).backward(given)
        x.grad += 1
        assert given.tolist() == [1, 1]


def test_memory_that_was_overwritten_is_noticed():
    w = mc.tensor([2.0], requires_grad=True)
    f = mc.compile(lambda x: x * w)
    x = mc.tensor([1.0], requires_grad=True)
    for _ in range(4):
        out = f(x)
        with mc.no_grad():
            w += 1
        with pytest.raises(RuntimeError, match="modified by an in-place"):
            out.backward()
    assert len(f.plans) == 1


def test_interleaved_calls_keep_their_own_arrays():
    eager = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1))
    inner = copy.deepcopy(eager)
    xs = [normal(2, 3) for _ in range(5)]
    for model in (eager, mc.compile(inner)):
        for _ in range(2):
            model(xs[0])
        model.zero_grad()
        outs = [model(x) for x in xs]
        for out in outs[::-1]:
            out.sum().backward()
    for p, q in zip(inner.parameters(), eager.parameters(), strict=True):
        assert p.grad.tolist() == q.grad.tolist()


def test_arguments_of_all_kinds():
    def f(first, *more, scale=1.0, names=("a",)):
        out = {name: first["x"] * scale for name in names}
        return out, sum(more), first["x"], len(more)

    g = mc.compile(f)
    for scale in (1.0, 2.0, 1, 2.0):
        for more in ((normal(2),), (normal(2), normal(2))):
            for _ in range(3):
                x = normal(2)
                left, right = f({"x": x}, *more, scale=scale), g({"x": x}, *more, scale=scale)
                assert right[0]["a"].tolist() == left[0]["a"].tolist()
                assert (
                    right[1].tolist() == left[1].tolist()
                    and right[2] is x
                    and right[3] == len(more)
                    and [*right[0]] == ["a"]
                )
    x, y = normal(2), normal(2)
    h = mc.compile(lambda x, y: x - 2 * y)
    for a, b in [(x, y), (x, x), (y, y), (y, x)] * 3:
        assert h(a, b).tolist() == (a - 2 * b).tolist()
    assert len(h.plans) == 2


def test_the_wrapper_is_a_module():
    model = nn.ModuleDict({"fc": nn.Linear(2, 2)})
    model.forward = lambda x: model.fc(x)
    compiled = mc.compile(model)
    assert [*compiled.parameters()] == [*model.parameters()] and compiled.fc is model.fc
    assert compiled.eval() is compiled and not model.training
    assert [*compiled.state_dict()] == [f"_orig_mod.{name}" for name in model.state_dict()]
    assert mc.compile(model, disable=True) is model

    @mc.compile(mode="max-autotune")
    def f(x):
        """Twice."""
        return x * 2

    assert f.__name__ == "f" and f.__doc__ == "Twice." and f(mc.ones(1)).item() == 2
    outer = mc.compile(lambda x: compiled(x) * 2)
    x = normal(2, 2)
    for _ in range(3):
        assert outer(x).tolist() == (model(x) * 2).tolist()
    with pytest.raises(TypeError, match="expected a module or a function, got int"):
        mc.compile(3)


def test_attributes_are_set_on_the_module():
    model = nn.Module()
    model.fc, model.factor = nn.Linear(3, 3), 2
    model.forward = lambda x: model.fc(x) * model.factor
    compiled, x = mc.compile(model), normal(2, 3)
    for _ in range(3):
        compiled(x)
    compiled.fc, compiled.factor = nn.Linear(3, 7), 5
    assert model.factor == 5 and [*compiled.parameters()] == [*model.fc.parameters()]
    for _ in range(3):
        assert compiled(x).tolist() == (model.fc(x) * 5).tolist()
    assert [*compiled.state_dict()] == ["_orig_mod.fc.weight", "_orig_mod.fc.bias"]
    del compiled.factor
    assert not hasattr(model, "factor")
    compiled.training = False
    assert not compiled.eval().training and not copy.deepcopy(compiled).training


def test_plans_that_are_out_of_use_make_room(monkeypatch):
    monkeypatch.setattr("minicnn.plan.compiled.IDLE", 3 * PLANS)
    model, x = nn.Module(), normal(2)
    model.forward = lambda x: x * model.temperature
    compiled = mc.compile(model)
    for temperature in np.arange(4.0 * PLANS):
        model.temperature = temperature
        for _ in range(6):
            assert compiled(x).tolist() == model(x).tolist()
    *_, last = compiled._compiled.plans.values()
    assert len(compiled._compiled.plans) == PLANS and last.used == compiled._compiled.calls
    assert len(compiled._compiled.surroundings.states) <= STATES


def test_a_function_that_is_never_called_alike_runs_as_it_is():
    compiled = mc.compile(lambda x: x * 2)
    with pytest.warns(UserWarning, match=f"called twice with the same shapes and settings in {KINDS} calls"):
        for size in range(KINDS + 3):
            assert compiled(mc.ones(size)).tolist() == [2] * size
    assert not any(compiled.plans.values())


def test_other_kernels_are_asked_for():
    f, x, calls = mc.compile(lambda x: x.relu() * 2), normal(3), []
    for _ in range(4):
        f(x)
    with use_kernels("reference"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "relu", lambda x: calls.append(1) or np.maximum(x, 0))
        assert f(x).tolist() == (2 * np.maximum(x.numpy(), 0)).tolist()
    assert calls == [1]


def test_errors_are_those_of_the_function():
    loss = mc.compile(nn.CrossEntropyLoss())
    x, y = normal(2, 3, requires_grad=True), mc.tensor([0, 2])
    for _ in range(3):
        loss(x, y)
    with pytest.raises(IndexError, match="out of bounds"):
        loss(x, mc.tensor([0, 3]))
    with pytest.raises(ValueError, match="cross_entropy: expected x"):
        loss(x, mc.tensor([0, 1, 2]))
    assert loss(x, y).item() == F.cross_entropy(x, y).item()


def test_a_plan_prints():
    model = mc.models.create("lenet5")
    compiled, x = mc.compile(model), normal(2, 1, 32, 32)
    assert "not recorded yet" in str(compiled)
    compiled(x), compiled(x)
    text = str(compiled)
    assert "Conv2d" in text and "input 0, conv1 " in text and "2 x 6 x 28 x 28" in text
    assert "backward passes" in text


def test_outputs_go_back_each_on_its_own():
    a, b = mc.ones(2, requires_grad=True), mc.ones(2, requires_grad=True)
    apart, joined = mc.compile(lambda x: (x * a, x * b)), mc.compile(lambda x: ((y := x * a) * 2, y * b))
    for _ in range(4):
        a.grad = b.grad = None
        first, second = apart(mc.tensor([2.0, 3.0]))
        first.sum().backward()
        assert (a.grad.tolist(), b.grad) == ([2, 3], None)
        second.sum().backward()
        assert a.grad.tolist() == b.grad.tolist() == [2, 3]
        first, second = joined(mc.ones(2))
        first.sum().backward()
        with pytest.raises(RuntimeError, match="freed by an earlier backward"):
            second.sum().backward()
        assert a.grad.tolist() == [4, 5]


def test_copies_have_plans_of_their_own():
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    compiled, x = mc.compile(model), normal(1, 2)
    for _ in range(3):
        compiled(x)
    other = copy.deepcopy(compiled)
    with mc.no_grad():
        model[0].weight += 1
    for _ in range(3):
        assert compiled(x).tolist() == model(x).tolist() != other(x).tolist()
    assert len(other._compiled.plans) == 1


def test_threads_call_the_same_function():
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 2))
    compiled, xs = mc.compile(model), [normal(3, 8) for _ in range(6)]
    compiled(xs[0])
    compiled.eval()
    expected = [model(x).tolist() for x in xs]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(20):
            assert list(pool.map(lambda x: compiled(x).tolist(), xs)) == expected
    assert any(compiled._compiled.plans.values())


def test_without_gradients_a_recording_keeps_no_arrays():
    alive = []

    def f(x):
        y = x * 2
        alive.append(weakref.ref(y.array))
        y = y + 1
        return [ref() is None for ref in alive], y

    with mc.no_grad():
        gone, _ = mc.compile(f)(mc.ones(3))
    assert gone == [True]


def test_detached_results_have_no_gradient():
    w = mc.ones(2, requires_grad=True)

    def f(x):
        y = x * w
        return OrderedDict(y=y, apart=y.detach(), twice=y.detach() * 2, x=x.detach(), pair=(y, Size(2, "m")))

    compiled = mc.compile(f)
    for _ in range(4):
        x = mc.tensor([1.0, 2.0], requires_grad=True)
        out = compiled(x)
        assert type(out) is OrderedDict and type(out["pair"][1]) is Size and out["pair"][1].unit == "m"
        wanted = {name: out[name].requires_grad for name in ("y", "apart", "twice", "x")}
        assert wanted == {"y": True, "apart": False, "twice": False, "x": False}
        assert out["x"] is not x and out["x"].tolist() == [1, 2] and out["twice"].tolist() == [2, 4]
        (out["y"] * out["apart"]).sum().backward()
        assert x.grad.tolist() == [1, 2]
    assert out["y"].grad_fn.name() == "Compiled"
