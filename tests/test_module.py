"""Modules: what they hold, save, print and refuse, as PyTorch's do."""

import copy
from collections import OrderedDict

import numpy as np
import pytest
import torch

import minicnn as mc
import minicnn.nn as nn
from parity import assert_close, numbers


def make_net(nn):
    """One program, for minicnn.nn and for torch.nn."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(nn.Linear(1, 4, bias=False).weight.detach().clone())  # (4, 1)
            self.stem = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.ReLU(inplace=True))
            self.blocks = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
            self.blocks.append(nn.Identity())
            self.pool = nn.MaxPool2d((2, 3), ceil_mode=True)
            self.loss = nn.CrossEntropyLoss(weight=self.scale.detach()[:, 0] * self.scale.detach()[:, 0] + 1)
            self.head = nn.Sequential(
                OrderedDict(drop=nn.Dropout(0.2), flat=nn.Flatten(), out=nn.Linear(24, 4))
            )

        def forward(self, x, y):
            x = self.pool(self.stem(x)).flatten(2).transpose(1, 2) @ (self.scale * self.scale).expand(4, 4)
            for block in self.blocks:
                x = block(x).tanh()
            return self.loss(self.head(x), y)

    return Net()


@pytest.fixture
def nets():
    """The net in both libraries with the same weights."""
    theirs = make_net(torch.nn)
    ours = make_net(nn)
    ours.load_state_dict({name: mc.tensor(value.numpy()) for name, value in theirs.state_dict().items()})
    return ours, theirs


def test_a_program_for_pytorch_runs_as_it_is(nets):
    ours, theirs = (net.eval() for net in nets)
    x, y = numbers(5, 2, 6, 5), np.array([0, 3, 1, 1, 2])
    mine, reference = ours(mc.Tensor(x), mc.Tensor(y)), theirs(torch.tensor(x), torch.tensor(y))
    assert_close(mine, reference)
    mine.backward()
    reference.backward()
    for (name, p), (their_name, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == their_name
        assert_close(p.grad, q.grad, name)


def test_structure_is_as_in_pytorch(nets):
    ours, theirs = nets
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for walk in ("named_modules", "named_children", "named_parameters", "named_buffers"):
        assert [name for name, _ in getattr(ours, walk)()] == [name for name, _ in getattr(theirs, walk)()]
    assert [type(m).__name__ for m in ours.modules()] == [type(m).__name__ for m in theirs.modules()]
    assert [p.shape for p in ours.parameters()] == [tuple(p.shape) for p in theirs.parameters()]
    assert len(list(ours.parameters(recurse=False))) == 1


# attributes


def test_parameters_of_any_tensor():
    p = nn.Parameter(mc.ones(2))
    assert isinstance(p, mc.Tensor)
    assert p.requires_grad
    assert not nn.Parameter(mc.ones(2), requires_grad=False).requires_grad
    assert repr(p) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert not isinstance(p * 2, nn.Parameter)
    with pytest.raises(RuntimeError, match="floating point"):
        nn.Parameter(mc.tensor([1, 2]))


@pytest.mark.parametrize("value", [nn.Parameter(mc.ones(2)), nn.ReLU()])
def test_attributes_before_init(value):
    class Hasty(nn.Module):
        def __init__(self):
            self.part = value
            super().__init__()

    with pytest.raises(AttributeError, match=r"cannot assign .* 'part' before Module.__init__\(\) call"):
        Hasty()


def test_only_fitting_values_replace_parameters_modules_and_buffers():
    m = nn.Linear(2, 3)
    m.child = nn.ReLU()
    m.register_buffer("mean", mc.zeros(3))
    with pytest.raises(TypeError, match="cannot assign Tensor as parameter 'weight'"):
        m.weight = mc.zeros(3, 2)
    with pytest.raises(TypeError, match="cannot assign int as child module 'child'"):
        m.child = 3
    with pytest.raises(TypeError, match="cannot assign list as buffer 'mean'"):
        m.mean = [1, 2, 3]
    m.bias = None
    m.child = None
    m.mean = mc.ones(3)
    assert [name for name, _ in m.named_parameters()] == ["weight"]
    assert list(m.children()) == []
    assert m.state_dict()["mean"].tolist() == [1, 1, 1]
    m.mean = nn.Parameter(mc.zeros(3))
    assert [name for name, _ in m.named_parameters()] == ["weight", "mean"]
    assert list(m.buffers()) == []
    del m.weight
    assert [name for name, _ in m.named_parameters()] == ["mean"]
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'weight'"):
        m.forward(mc.zeros(1, 2))


def test_registering():
    m = nn.Module()
    m.register_parameter("p", nn.Parameter(mc.ones(1)))
    m.register_parameter("none", None)
    m.register_buffer("kept", mc.ones(2))
    m.register_buffer("passing", mc.ones(3), persistent=False)
    m.register_buffer("empty", None)
    m.add_module("0", nn.Linear(1, 1))
    assert list(m.state_dict()) == ["p", "kept", "0.weight", "0.bias"]
    assert [name for name, _ in m.named_buffers()] == ["kept", "passing"]
    del m.passing
    assert [name for name, _ in m.named_buffers()] == ["kept"]


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda m: m.register_parameter("p", mc.ones(1)), TypeError, "'p' to be a Parameter, got Tensor"),
        (lambda m: m.register_buffer("b", np.ones(1)), TypeError, "'b' to be a Tensor, got ndarray"),
        (lambda m: m.add_module("c", mc.ones(1)), TypeError, "'c' to be a Module, got Tensor"),
        (lambda m: m.add_module("a.b", nn.ReLU()), KeyError, 'contain "."'),
        (lambda m: m.add_module("", nn.ReLU()), KeyError, "empty"),
        (lambda m: m.add_module("forward", nn.ReLU()), KeyError, "'forward' already exists"),
        (lambda m: m.add_module(3, nn.ReLU()), TypeError, "name as a str, got int"),
        (
            lambda m: m(1),
            NotImplementedError,
            r'Module \[Module\] is missing the required "forward" function',
        ),
        (lambda m: m.train("yes"), ValueError, "expected mode as True or False, got 'yes'"),
        (lambda m: m.to(mc.int64), TypeError, "expected a floating point dtype, got int64"),
        (lambda m: m.load_state_dict([1]), TypeError, "a dict of names to Tensors, got list"),
    ],
)
def test_module_refuses(call, kind, words):
    with pytest.raises(kind, match=words):
        call(nn.Module())


# state


def test_state_dict_shares_memory_and_loading_copies():
    a, b = nn.Linear(2, 3), nn.Linear(2, 3)
    state = a.state_dict()
    assert not state["weight"].requires_grad
    b.load_state_dict(state)
    state["weight"].zero_()
    assert a.weight.array.max() == 0
    assert b.weight.array.min() != 0
    assert b.weight.requires_grad


def test_load_state_dict_names_every_fault_and_changes_nothing():
    m = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(4, 5))
    before = {name: value.array.copy() for name, value in m.state_dict().items()}
    state = {
        "0.weight": mc.zeros(2, 1, 3, 3),
        "1.weight": mc.zeros(4, 5),
        "1.bias": np.zeros(5),
        "2.bias": mc.ones(1),
    }
    with pytest.raises(RuntimeError) as error:
        m.load_state_dict(state)
    for words in (
        "load_state_dict: the values do not fit Sequential",
        "missing key: 0.bias",
        "unexpected key: 2.bias",
        "size mismatch: 1.weight has shape (5, 4), got (4, 5)",
        "1.bias: expected a Tensor, got ndarray",
    ):
        assert words in str(error.value)
    assert all((value.array == before[name]).all() for name, value in m.state_dict().items())


def test_load_state_dict_that_is_not_strict():
    m = nn.Linear(2, 1)
    keys = m.load_state_dict({"bias": mc.tensor([7.0]), "other": mc.ones(1)}, strict=False)
    assert keys == (["weight"], ["other"])
    assert (keys.missing_keys, keys.unexpected_keys) == (["weight"], ["other"])
    assert m.bias.tolist() == [7]
    with pytest.raises(RuntimeError, match=r"size mismatch: bias has shape \(1,\), got \(2,\)"):
        m.load_state_dict({"bias": mc.ones(2)}, strict=False)


def test_loading_keeps_the_dtype():
    m = nn.Linear(2, 1)
    m.load_state_dict({"weight": mc.tensor([[1.0, 2.0]]).double(), "bias": mc.tensor([3])})
    assert m.weight.dtype == m.bias.dtype == np.float32
    assert m(mc.ones(1, 2)).tolist() == [[6]]


def test_shared_parts_count_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(3, 3)
            self.b = nn.Linear(3, 3)
            self.b.weight = self.a.weight
            self.again = self.a

    m = Tied()
    assert [name for name, _ in m.named_parameters()] == ["a.weight", "a.bias", "b.bias"]
    assert [name for name, _ in m.named_modules()] == ["", "a", "b"]
    assert len(m.state_dict()) == 6  # under each name, as in PyTorch
    m.load_state_dict({name: value * 0 for name, value in m.state_dict().items()})
    assert m.b.weight is m.a.weight


def test_modes_freezing_and_gradients():
    m = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout(), nn.Linear(2, 1)))
    assert m.eval() is m
    assert [x.training for x in m.modules()] == [False] * 5
    assert m.train().training
    m[1].requires_grad_(False)
    m(mc.ones(1, 2)).sum().backward()
    assert [p.grad is None for p in m.parameters()] == [False, False, True, True]
    m.zero_grad(set_to_none=False)
    assert m[0].bias.grad.tolist() == [0, 0]
    m.zero_grad()
    assert m[0].bias.grad is None


def test_apply_calls_children_first():
    m = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh()))
    seen = []
    assert m.apply(seen.append) is m
    assert seen == [m[0], m[1][0], m[1], m]


def test_dtypes():
    m = nn.Linear(2, 1)
    m.register_buffer("count", mc.tensor([3]))
    weight = m.weight
    m(mc.ones(1, 2)).sum().backward()
    assert m.double() is m
    assert m.weight is weight
    assert m.weight.dtype == m.weight.grad.dtype == np.float64
    assert m.count.dtype == np.int64
    assert m(mc.ones(1, 2, dtype=mc.float64)).dtype == np.float64
    assert m.float().weight.dtype == np.float32
    assert m.to("cpu") is m
    assert nn.Conv2d(1, 1, 1, dtype=mc.float64).bias.dtype == np.float64


def test_deep_copies_are_apart(nets):
    ours, _ = nets
    twin = copy.deepcopy(ours)
    assert repr(twin) == repr(ours)
    ours.head.out.bias.array[:] = 5
    assert twin.head.out.bias.array.max() < 5
    assert isinstance(twin.scale, nn.Parameter)


# containers


def test_sequential_as_a_list():
    a, b, c, d = nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4), nn.Tanh()
    m = nn.Sequential(a, b).append(c)
    assert list(m) == [a, b, c]
    assert len(m) == 3
    assert m[0] is a
    assert m[-1] is c
    assert list(m[1:]) == [b, c]
    assert list(m[1:].state_dict()) == ["2.weight", "2.bias"]  # a slice keeps the names, as in PyTorch
    m[1] = d
    assert list(m) == [a, d, c]
    m.insert(1, b).extend([d])
    assert list(m) == [a, b, d, c, d]
    del m[1]
    assert [name for name, _ in m.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    del m[1:]
    assert list(m) == [a]
    x = mc.ones(1, 2)
    assert nn.Sequential(a, b)(x).tolist() == b(a(x)).tolist()
    assert nn.Sequential()(x) is x


def test_sequential_calls_a_shared_layer_each_time():
    double = nn.Linear(1, 1)
    double.load_state_dict({"weight": mc.tensor([[2.0]]), "bias": mc.zeros(1)})
    assert nn.Sequential(double, double, double)(mc.ones(1, 1)).item() == 8


def test_sequential_with_names():
    m = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), then=nn.ReLU()))
    assert m.first is m[0]
    assert list(m.state_dict()) == ["first.weight", "first.bias"]
    assert repr(m[:1]) == "Sequential(\n  (first): Linear(in_features=2, out_features=3, bias=True)\n)"


def test_module_list():
    m = nn.ModuleList(nn.Linear(1, n) for n in (1, 2, 2))
    assert [layer.out_features for layer in m[1:]] == [2, 2]
    assert isinstance(m[1:], nn.ModuleList)
    assert len(list(m.parameters())) == 6
    with pytest.raises(NotImplementedError, match="ModuleList"):
        m(mc.ones(1, 1))


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda m: m[2], IndexError, "Sequential: index 2 is out of range for 2 modules"),
        (lambda m: m[-3], IndexError, "Sequential: index -3 is out of range for 2 modules"),
        (lambda m: m.append(3), TypeError, "Sequential: expected a Module, got int"),
        (lambda m: nn.Sequential([nn.ReLU()]), TypeError, r"got list; .*Sequential\(\*modules\)"),
        (lambda m: nn.Sequential({"fit": nn.ReLU()}), KeyError, "'fit' already exists"),
    ],
)
def test_containers_refuse(call, kind, words):
    with pytest.raises(kind, match=words):
        call(nn.Sequential(nn.ReLU(), nn.Tanh()))


def test_sequential_shortcuts():
    x = mc.randn(64, 2)
    y = (x[:, 0] * x[:, 1] > 0).long()
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    data = mc.data.TensorDataset(x, y)
    history = model.fit(data, 30, mc.optim.Adam(model.parameters(), lr=0.05), batch_size=16, verbose=False)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    scores = model.predict(x)
    assert scores.shape == (64, 2)
    right = (scores.array.argmax(1) == y.array).mean()
    assert model.evaluate(data)["accuracy"] == pytest.approx(right)
    assert model.summary((2,)).parameters == 2 * 16 + 16 + 16 * 2 + 2
    assert model.fit(data, 1, verbose=False).epochs == 1  # with an Adam of its own
