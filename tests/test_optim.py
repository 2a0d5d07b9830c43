"""Optimizers against torch.optim over many steps, their states, and what they refuse."""

import numpy as np
import pytest
import torch

import minicnn as mc
from minicnn import nn, optim
from parity import assert_close, numbers

SHAPES = [(3, 2, 3, 1), (5,), (), (7, 3), (1, 1)]
CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.2, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.7, 0.9), "eps": 1e-3}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.3}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.3, "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "betas": (0.8, 0.99), "maximize": True}),
    ("Adam", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.1, "amsgrad": True, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {"lr": 0.1, "alpha": 0.7, "eps": 1e-2, "centered": True}),
    ("RMSprop", {"lr": 0.1, "alpha": 0.7, "eps": 1e-2, "centered": True, "momentum": 0.5}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.1, "initial_accumulator_value": 0.3}),
    ("Adagrad", {"lr": 0.1, "eps": 1e-3, "maximize": True}),
]


class Pair:
    """The same parameters under the same optimizer in both libraries."""

    def __init__(self, name, dtype, *groups, **settings):
        values = [numbers(*shape, dtype=dtype) for shape in SHAPES]
        self.ours = [nn.Parameter(mc.tensor(v)) for v in values]
        self.theirs = [torch.nn.Parameter(torch.tensor(v)) for v in values]
        self.optimizers = [
            getattr(library, name)(self.grouped(params, groups), **settings)
            for library, params in ((optim, self.ours), (torch.optim, self.theirs))
        ]

    @staticmethod
    def grouped(params, groups):
        """All parameters, or the settings given for the first, the second ... with their parameter."""
        return [{"params": [p], **group} for p, group in zip(params, groups, strict=False)] or params

    def step(self, without=()):
        """One step with the same random gradients, some parameters without one."""
        for i, (p, q) in enumerate(zip(self.ours, self.theirs, strict=True)):
            gradient = numbers(*p.shape, dtype=p.dtype)
            p.grad = None if i in without else mc.Tensor(gradient)
            q.grad = None if i in without else torch.tensor(gradient)
        for optimizer in self.optimizers:
            optimizer.step()

    def compare(self):
        for p, q in zip(self.ours, self.theirs, strict=True):
            assert_close(p, q)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_steps(name, settings, dtype):
    pair = Pair(name, dtype, **settings)
    for step in range(20):
        pair.step(without=[1] if step % 3 == 0 else [])
        pair.compare()


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_defaults(name):
    ours, theirs = (group[0] for group in (o.param_groups for o in Pair(name, np.float32).optimizers))
    assert {key: theirs[key] for key in ours if key != "params"} == {
        k: v for k, v in ours.items() if k != "params"
    }


def test_groups_and_changed_learning_rates():
    pair = Pair("SGD", np.float64, {"lr": 0.5}, {"momentum": 0.5}, {"weight_decay": 0.1}, lr=0.1)
    for optimizer, extra in zip(pair.optimizers, (pair.ours[4], pair.theirs[4]), strict=True):
        optimizer.add_param_group({"params": extra, "lr": 0.2})
    for step in range(6):
        for optimizer in pair.optimizers:
            optimizer.param_groups[1]["lr"] = 0.1 / (step + 1)
        pair.step()
    pair.compare()
    assert [len(g["params"]) for g in pair.optimizers[0].param_groups] == [1, 1, 1, 1]


def test_a_group_of_two_dtypes():
    """And of parameters without a gradient, at first all of them; their values may be replaced."""
    both = [numbers(3, 2, dtype=dtype) for dtype in (np.float32, np.float64, np.float32)]
    ours, theirs = (
        [nn.Parameter(mc.tensor(x)) for x in both],
        [torch.nn.Parameter(torch.tensor(x)) for x in both],
    )
    optimizers = optim.Adam(ours), torch.optim.Adam(theirs)
    for without in ([0, 1, 2], [1], [2], [], [0, 1]):
        ours[0].data, theirs[0].data = mc.tensor(both[2]), torch.tensor(both[2])
        for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            p.grad = None if i in without else mc.tensor(both[i] + len(without))
            q.grad = None if i in without else torch.tensor(both[i] + len(without))
        for optimizer in optimizers:
            optimizer.step()
        for p, q in zip(ours, theirs, strict=True):
            assert_close(p, q)


def test_large_parameters():
    """Enough numbers for several threads, and not a multiple of a vector's."""
    values, gradient = numbers(300_007), numbers(300_007)
    for name, settings in (("Adam", {"weight_decay": 0.1}), ("SGD", {"lr": 0.1, "momentum": 0.9})):
        ours, theirs = nn.Parameter(mc.tensor(values)), torch.nn.Parameter(torch.tensor(values))
        ours.grad, theirs.grad = mc.Tensor(gradient), torch.tensor(gradient)
        optimizers = (
            getattr(optim, name)([ours], **settings),
            getattr(torch.optim, name)([theirs], **settings),
        )
        for optimizer in (*optimizers, *optimizers):
            optimizer.step()
        assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("name", "settings", "key"),
    [
        ("SGD", {"lr": 0.1, "momentum": 0.9}, "momentum_buffer"),
        ("Adam", {}, "exp_avg"),
        ("Adam", {"betas": (0.9, 0.9)}, "exp_avg_sq"),
        ("RMSprop", {"momentum": 0.9}, "momentum_buffer"),
        ("RMSprop", {"alpha": 0.9}, "square_avg"),
        ("RMSprop", {"alpha": 0.9, "centered": True}, "grad_avg"),
    ],
)
def test_means_without_gradients_go_to_zero(name, settings, key):
    """Not to denormal numbers, with which processors are slow; on the CPU."""
    pair, tiny = Pair(name, np.float32, **settings), np.finfo(np.float32).tiny
    pair.step()
    for p, q in zip(pair.ours, pair.theirs, strict=True):
        memory = pair.optimizers[0].state[p][key]
        memory.array[...] *= np.float32(1e-36) / np.abs(memory.array).max()
        pair.optimizers[1].state[q][key].copy_(torch.from_numpy(memory.array))
        p.grad, q.grad = mc.zeros(p.shape), torch.zeros(q.shape)
    for optimizer in pair.optimizers * 60:
        optimizer.step()
    for p, q in zip(pair.ours, pair.theirs, strict=True):
        assert not pair.optimizers[0].state[p][key].array.any()
        assert 0 < pair.optimizers[1].state[q][key].abs().max() < tiny  # where PyTorch's stays
    pair.compare()


def test_memory_in_any_order():
    values, gradient = numbers(5, 3), numbers(5, 3)
    turned = np.asfortranarray(values)
    ours, theirs = nn.Parameter(mc.Tensor(turned)), torch.nn.Parameter(torch.tensor(values))
    optimizers = optim.Adam([ours], lr=0.1), torch.optim.Adam([theirs], lr=0.1)
    ours.grad, theirs.grad = mc.Tensor(np.asfortranarray(gradient)), torch.tensor(gradient)
    for optimizer in (*optimizers, *optimizers):
        optimizer.step()
    assert_close(ours, theirs)
    assert ours.array is turned


# the loop around the step


def test_zero_grad():
    p = nn.Parameter(mc.ones(2))
    optimizer = optim.SGD([p], lr=1)
    (p * p).sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0, 0]
    optimizer.zero_grad()
    assert p.grad is None
    optimizer.step()
    assert p.tolist() == [1, 1]


def test_closure():
    p = nn.Parameter(mc.ones(2))
    optimizer = optim.SGD([p], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with mc.no_grad():
        assert optimizer.step(closure).item() == 2
    assert p.tolist() == [0.5, 0.5]


def test_a_graph_from_before_the_step_is_stale():
    p = nn.Parameter(mc.ones(2))
    optimizer = optim.SGD([p], lr=0.5)
    loss = (p * p).sum()
    p.grad = mc.ones(2)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        loss.backward()


# saving and loading


@pytest.mark.parametrize(("name", "settings"), [("SGD", {"lr": 0.1}), *CASES[3:5], *CASES[9:]])
def test_state_dict_has_pytorchs_structure(name, settings):
    pair = Pair(name, np.float32, **settings)
    for _ in range(2):
        pair.step(without=[2])
    ours, theirs = (optimizer.state_dict() for optimizer in pair.optimizers)
    assert ours.keys() == theirs.keys()
    assert ours["state"].keys() == theirs["state"].keys()
    for number, memory in ours["state"].items():
        assert memory.keys() == theirs["state"][number].keys()
        for key, value in memory.items():
            if key == "step":
                assert value == theirs["state"][number]["step"].item()
            else:
                assert_close(value, theirs["state"][number][key])
    assert [group["params"] for group in ours["param_groups"]] == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize(("name", "settings"), [CASES[4], CASES[9], CASES[13], CASES[18], CASES[20]])
def test_a_resumed_run_is_the_same_run(name, settings):
    values, gradients = numbers(6, 3), [numbers(6, 3) for _ in range(6)]

    def run(optimizer, p, gradients):
        for gradient in gradients:
            p.grad = mc.tensor(gradient)
            optimizer.step()

    whole, first = nn.Parameter(mc.tensor(values)), nn.Parameter(mc.tensor(values))
    run(getattr(optim, name)([whole], **settings), whole, gradients)
    optimizer = getattr(optim, name)([first], **settings)
    run(optimizer, first, gradients[:3])
    state = optimizer.state_dict()
    second = nn.Parameter(first.detach().clone())
    resumed = getattr(optim, name)([second], lr=77)
    resumed.load_state_dict(state)
    run(optimizer, first, gradients[3:])  # goes on by itself: what was loaded is a copy
    run(resumed, second, gradients[3:])
    assert resumed.param_groups[0]["lr"] == settings["lr"]
    assert first.tolist() == second.tolist() == whole.tolist()


def test_loaded_memories_take_the_dtype_of_their_parameter():
    a, b = nn.Parameter(mc.ones(2)), nn.Parameter(mc.ones(2).double())
    a.grad, b.grad = mc.ones(2), mc.ones(2).double()
    one, two = optim.Adam([a]), optim.Adam([b])
    one.step()
    two.load_state_dict(one.state_dict())
    assert two.state[b]["exp_avg"].dtype == np.float64
    two.step()
    assert two.state[b]["step"] == 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: optim.SGD([p[0]], momentum=0.9), r"SGD has groups of \[2\] parameters, got \[1\]"),
        (lambda p: optim.SGD([{"params": p[:1]}, {"params": p[1:]}]), r"groups of \[2\] .*got \[1, 1\]"),
        (lambda p: optim.Adam(p), r"SGD needs the settings \['dampening', 'momentum', 'nesterov'\]"),
        (
            lambda p: optim.SGD(p[::-1], momentum=0.9),
            r"momentum_buffer of parameter 0 .*\(3,\), expected \(2,\)",
        ),
    ],
)
def test_states_of_others_are_refused(make, words):
    params = [nn.Parameter(mc.ones(2)), nn.Parameter(mc.ones(3))]
    for p in params:
        p.grad = mc.ones(*p.shape)
    other, optimizer = make(params), optim.SGD(params, lr=0.5, momentum=0.9)
    other.step()
    optimizer.step()
    before = optimizer.state_dict()
    with pytest.raises(ValueError, match=words):
        optimizer.load_state_dict(other.state_dict())
    assert str(optimizer.state_dict()) == str(before)


def test_states_of_unknown_parameters_are_refused():
    optimizer = optim.SGD([nn.Parameter(mc.ones(2))])
    state = optimizer.state_dict()
    state["state"][5] = {}
    with pytest.raises(ValueError, match="there is no parameter 5, only 1 of them"):
        optimizer.load_state_dict(state)


# what they refuse

P = nn.Parameter(mc.ones(2))


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: optim.SGD([P], lr=-1), ValueError, "SGD: lr must be at least 0, got -1"),
        (lambda: optim.SGD([P], lr=float("nan")), ValueError, "SGD: lr must be at least 0, got nan"),
        (lambda: optim.SGD([P], lr="0.1"), TypeError, "SGD: expected lr as a number, got '0.1'"),
        (lambda: optim.SGD([P], momentum=-1), ValueError, "momentum must be at least 0"),
        (lambda: optim.SGD([P], weight_decay=-1), ValueError, "weight_decay must be at least 0"),
        (
            lambda: optim.SGD([P], nesterov=True),
            ValueError,
            "nesterov requires a momentum and zero dampening",
        ),
        (lambda: optim.SGD([{"params": [P], "lr": -1}]), ValueError, "SGD: lr must be at least 0, got -1"),
        (lambda: optim.Adam([P], lr=-1), ValueError, "Adam: lr must be at least 0, got -1"),
        (lambda: optim.Adam([P], eps=-1), ValueError, "eps must be at least 0"),
        (lambda: optim.Adam([P], betas=(0.9, 1.0)), ValueError, r"betas .*got \(0.9, 1.0\)"),
        (lambda: optim.Adam([P], betas=(0.9,)), ValueError, "betas as two numbers"),
        (lambda: optim.AdamW([P], weight_decay=-1), ValueError, "AdamW: weight_decay must be at least 0"),
        (lambda: optim.RMSprop([P], alpha=-1), ValueError, "RMSprop: alpha must be at least 0, got -1"),
        (lambda: optim.RMSprop([P], momentum=-1), ValueError, "RMSprop: momentum must be at least 0, got -1"),
        (lambda: optim.Adagrad([P], lr_decay=-1), ValueError, "Adagrad: lr_decay must be at least 0, got -1"),
        (lambda: optim.Adagrad([P], initial_accumulator_value=-1), ValueError, "initial_accumulator_value"),
        (lambda: optim.SGD([]), ValueError, "empty parameter list"),
        (lambda: optim.SGD(P), TypeError, "list of Tensors or dicts, got Parameter"),
        (lambda: optim.SGD(nn.ReLU()), TypeError, r"got ReLU; call its parameters\(\)"),
        (lambda: optim.SGD([P.array]), TypeError, "can only optimize Tensors, got ndarray"),
        (lambda: optim.SGD([P * 2]), ValueError, "can only optimize leaves, got the result of Mul"),
        (lambda: optim.SGD([{"params": [P]}, {"params": [P]}]), ValueError, r"\(2,\) is in two groups"),
        (lambda: optim.SGD([{"params": {P}}]), TypeError, "a set has no order"),
        (lambda: optim.SGD([P]).add_param_group([P]), TypeError, "group as a dict, got list"),
    ],
)
def test_optimizers_refuse(make, kind, words):
    with pytest.raises(kind, match=words):
        make()


@pytest.mark.parametrize("values", [mc.ones(3), mc.ones(2, dtype=mc.float64)])
def test_foreign_gradients_are_refused(values):
    p = nn.Parameter(mc.ones(2))
    p.grad = mc.ones(2)
    p.grad.data = values
    with pytest.raises(RuntimeError, match=r"Adam.step: a parameter is float32 \(2,\), its gradient float"):
        optim.Adam([p]).step()
    assert p.tolist() == [1, 1]
