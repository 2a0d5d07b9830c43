"""The arguments of optimizers: minicnn takes what PyTorch takes, and refuses what it refuses, with words."""

import inspect

import pytest
import torch

import minicnn as mc
from both import BOTH

NAMES = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"]


def leaf(m):
    return m.nn.Parameter(m.ones(2))


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_pytorchs(name):
    ours, theirs = (inspect.signature(getattr(m.optim, name)).parameters for m in (mc, torch))
    assert [(p.name, p.default) for p in ours.values()] == [(p.name, p.default) for p in theirs.values()]


@pytest.mark.parametrize("name", NAMES)
def test_print_as_in_pytorch(name):
    def told(m):
        groups = [{"params": [leaf(m)], "lr": 0.5}, {"params": [leaf(m)]}]
        return repr(getattr(m.optim, name)(groups, lr=0.25))

    assert told(mc) == told(torch)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("variant", [{"foreach": True}, {"foreach": False}])
def test_variants_change_nothing(name, variant):
    results = []
    for settings in ({}, variant):
        p = leaf(mc)
        optimizer = getattr(mc.optim, name)([p], lr=0.5, **settings)
        for _ in range(3):
            p.grad = p.detach() * 3
            optimizer.step()
        results.append(p.tolist())
    assert results[0] == results[1] != [1, 1]


@BOTH
def test_named_parameters(m):
    layer = m.nn.Linear(2, 2)
    optimizer = m.optim.SGD(layer.named_parameters(), lr=0.5)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert [id(p) for p in optimizer.param_groups[0]["params"]] == [id(p) for p in layer.parameters()]
    optimizer.add_param_group({"params": [("more", leaf(m))], "lr": 0.1})
    assert optimizer.state_dict()["param_groups"][1]["param_names"] == ["more"]
    twin = m.optim.SGD(layer.named_parameters(), lr=0.25)
    twin.add_param_group({"params": [("more", leaf(m))]})
    twin.load_state_dict(optimizer.state_dict())
    assert [group["lr"] for group in twin.param_groups] == [0.5, 0.1]


@BOTH
def test_a_parameter_twice_in_its_group_warns(m):
    p = leaf(m)
    with pytest.warns(UserWarning, match="parameter"):
        optimizer = m.optim.SGD([p, p], lr=0.25)
    p.grad = m.ones(2)
    optimizer.step()
    assert p.tolist() == [0.5, 0.5]


@BOTH
def test_settings_of_the_users_own_stay_in_the_group(m):
    group = m.optim.SGD([{"params": [leaf(m)], "name": "head"}], lr=0.1).param_groups[0]
    assert (group["name"], group["lr"]) == ("head", 0.1)


@BOTH
@pytest.mark.parametrize("set_to_none", [True, False])
def test_zero_grad(m, set_to_none):
    p = leaf(m)
    p.grad = m.ones(2)
    m.optim.SGD([p], lr=0.1).zero_grad(set_to_none=set_to_none)
    assert p.grad is None if set_to_none else p.grad.tolist() == [0, 0]


REFUSED = {
    "betas of one number": (lambda m: m.optim.Adam([leaf(m)], betas=0.9), "betas as two numbers, got 0.9"),
    "betas of words": (lambda m: m.optim.Adam([leaf(m)], betas=("a", 0.9)), "betas as a number, got 'a'"),
    "large betas": (lambda m: m.optim.Adam([leaf(m)], betas=(0.9, 1.5)), r"betas .*got \(0.9, 1.5\)"),
    "no params": (
        lambda m: m.optim.SGD([{"lr": 0.1}]),
        r"expected 'params' in a parameter group",
    ),
    "an empty state": (lambda m: m.optim.SGD([leaf(m)]).load_state_dict({}), "expected 'param_groups'"),
    "a method": (lambda m: m.optim.SGD(m.nn.Linear(2, 2).parameters), "got method; call it, with brackets"),
    "a module": (lambda m: m.optim.SGD(m.nn.Linear(2, 2)), r"got Linear; call its parameters\(\)"),
    "a Tensor": (lambda m: m.optim.SGD(leaf(m)), "expected params as a list"),
    "a number": (lambda m: m.optim.SGD(3), "expected params as a list of Tensors or dicts, got int"),
    "a word": (lambda m: m.optim.SGD("ab"), "can only optimize Tensors, got str"),
    "a state_dict": (lambda m: m.optim.SGD(m.nn.Linear(2, 2).state_dict()), "Tensors, got str"),
    "one group": (lambda m: m.optim.SGD({"params": [leaf(m)]}), "Tensors, got str"),
    "numbers": (lambda m: m.optim.SGD([1.0]), "can only optimize Tensors, got float"),
    "a set": (lambda m: m.optim.SGD([{"params": {leaf(m)}}]), "a set has no order"),
    "nothing": (lambda m: m.optim.SGD(iter([])), "SGD: got an empty parameter list"),
    "a result": (lambda m: m.optim.SGD([leaf(m) * 2]), "the result of Mul"),
    "a group after Tensors": (lambda m: m.optim.SGD([leaf(m), {"params": []}]), "Tensors, got dict"),
    "a Tensor after groups": (lambda m: m.optim.SGD([{"params": [leaf(m)]}, leaf(m)]), "group as a dict"),
    "names for some": (lambda m: m.optim.SGD([("a", leaf(m)), leaf(m)]), "names for all parameters"),
    "names in one group": (
        lambda m: m.optim.SGD([{"params": [("a", leaf(m))]}, {"params": [leaf(m)]}]),
        "names for all parameters or for none",
    ),
    "two implementations": (lambda m: m.optim.Adam([leaf(m)], foreach=True, fused=True), "got both"),
}


@pytest.mark.parametrize(("make", "words"), REFUSED.values(), ids=REFUSED)
def test_what_pytorch_refuses_is_refused_with_words(make, words):
    with pytest.raises(Exception) as theirs:
        make(torch)
    with pytest.raises(theirs.type, match=words):
        make(mc)


def test_a_parameter_in_two_groups():
    def make(m):
        p = leaf(m)
        return m.optim.SGD([{"params": [p]}, {"params": p}])

    for m, words in ((mc, "is in two groups"), (torch, "more than one parameter group")):
        with pytest.raises(ValueError, match=words):
            make(m)


def test_steps_are_not_recorded():
    with pytest.raises(NotImplementedError, match="differentiable must be False"):
        mc.optim.SGD([leaf(mc)], differentiable=True)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("SGD", {"momentum": 0.9, "nesterov": True}),
        ("Adam", {"amsgrad": True}),
        ("AdamW", {}),
        ("RMSprop", {"centered": True, "momentum": 0.5}),
        ("Adagrad", {"lr_decay": 0.1}),
    ],
)
def test_a_state_of_pytorch_is_loaded(name, settings):
    """Tensor by Tensor, the number of steps among them: the run goes on as there."""

    def ours(value):
        if isinstance(value, dict):
            return {key: ours(x) for key, x in value.items()}
        if isinstance(value, list):
            return [ours(x) for x in value]
        return mc.from_numpy(value.numpy()) if isinstance(value, torch.Tensor) else value

    def run(m, p, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            (p * p * m.tensor([1.0, 2.0], dtype=m.float64)).sum().backward()
            optimizer.step()

    theirs = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    reference = getattr(torch.optim, name)([theirs], lr=0.05, **settings)
    run(torch, theirs, reference, 3)
    mine = mc.nn.Parameter(mc.tensor(theirs.tolist(), dtype=mc.float64))
    optimizer = getattr(mc.optim, name)([mine])
    optimizer.load_state_dict(ours(reference.state_dict()))
    run(torch, theirs, reference, 3)
    run(mc, mine, optimizer, 3)
    assert mine.tolist() == pytest.approx(theirs.tolist(), rel=1e-14)
