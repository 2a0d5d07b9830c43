"""Where a compiled function runs as it is: what it looks at, draws, changes or prints."""

import itertools
import random
from collections.abc import Iterator

import numpy as np
import pytest

import minicnn as mc
from minicnn import nn


def test_hooks_prints_and_no_tensors_run_as_they_are(capsys):
    model = nn.Sequential(nn.Linear(2, 2))
    compiled, calls = mc.compile(model), []
    for _ in range(3):
        compiled(mc.ones(1, 2))
    with model[0].register_forward_hook(lambda *_: calls.append(1)):
        for _ in range(3):
            compiled(mc.ones(1, 2))
    assert len(calls) == 3
    compiled(mc.ones(1, 2))
    assert len(calls) == 3
    with model[0].register_full_backward_hook(lambda *_: calls.append(1)):
        for _ in range(3):
            compiled(mc.ones(1, 2)).sum().backward()
    assert len(calls) == 6
    seen = []
    model[0].weight.register_hook(lambda g: seen.append(g.shape))
    for _ in range(3):
        compiled(mc.ones(1, 2)).sum().backward()
    assert len(seen) == 3
    talk = mc.compile(lambda x: print("hello") or x * 2)
    for _ in range(3):
        talk(mc.ones(1))
    assert capsys.readouterr().out == "hello\n" * 3
    assert mc.compile(lambda path: len(path))(np.ones(3)) == 3


def reads_item(x):
    return x * x.sum().item()


def asks_for_truth(x):
    if x.sum() > 0:
        return x
    return -x


def turns_into_numpy(x):
    return x + mc.tensor(x.detach().numpy() * 2)


def lends_memory(x):
    return x * float(np.from_dlpack(x.detach())[0])


def makes_random_numbers(x):
    return x + mc.rand(3)


def chooses_by_mask(x):
    return x[x > 0].sum()


def throws_dice(x):
    return x * random.random()


class Moving(nn.Module):
    """Something that is another number at each use."""

    def __init__(self, numbers):
        super().__init__()
        self.numbers = numbers

    def forward(self, x):
        number = next(self.numbers) if isinstance(self.numbers, Iterator) else self.numbers.random()
        return x * float(number > 0.5)


@pytest.mark.parametrize(
    "make",
    [lambda: np.random.default_rng(3), lambda: random.Random(3), lambda: itertools.cycle([1, 1, 1, 0])],
)
def test_dice_and_iterators_of_a_module_run_as_they_are(make):
    compiled, plain, x = mc.compile(Moving(make())), Moving(make()), mc.ones(2)
    expected = [plain(x).tolist() for _ in range(12)]
    assert len(set(map(tuple, expected))) == 2
    assert [compiled(x).tolist() for _ in range(12)] == expected


class Scaled(mc.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 5


def test_functions_with_a_derivative_of_their_own():
    f, w = mc.compile(lambda x: Scaled.apply(x * w) + 1), mc.ones(2, requires_grad=True)
    for _ in range(4):
        w.grad = None
        x = mc.tensor([1.0, 2.0], requires_grad=True)
        out = f(x)
        out.sum().backward()
        assert (out.tolist(), x.grad.tolist(), w.grad.tolist()) == ([3, 5], [5, 5], [5, 10])
    assert out.grad_fn.name() == "Compiled"


def writes_into_its_argument(x):
    x += 1
    return x


def shows_its_argument(x):
    return x[:2]


WEIGHT = nn.Parameter(mc.ones(3))
OPTIMIZER = mc.optim.SGD([WEIGHT], 0.1)


def takes_a_step(x):
    OPTIMIZER.zero_grad()
    loss = (x * WEIGHT).sum()
    loss.backward()
    OPTIMIZER.step()
    return loss.detach()


def only_steps(x):
    OPTIMIZER.step()
    return x * 2


def watches_a_gradient(x):
    y = x * WEIGHT
    y.register_hook(lambda grad: grad * 2)
    return y


def sets_the_seed(x):
    mc.manual_seed(3)
    return mc.nn.functional.dropout(x)


def asks_for_gradients(x):
    return (x * 1).requires_grad_()


FALLS_BACK = {
    takes_a_step: ("sets a gradient", 1),
    only_steps: ("steps an optimizer", 1),
    watches_a_gradient: ("registers a hook", 2),
    sets_the_seed: ("sets the seed", 1),
    asks_for_gradients: ("changes requires_grad", 1),
    reads_item: ("reads a Tensor's number", 1),
    asks_for_truth: ("asks for the truth of a Tensor", 1),
    turns_into_numpy: ("turns a Tensor into an array", 1),
    lends_memory: ("lends a Tensor's memory", 1),
    makes_random_numbers: ("uses an array that is no argument, parameter or buffer", 1),
    chooses_by_mask: ("chooses elements by a Tensor", 1),
    throws_dice: ("random numbers of Python's", 0),
    shows_its_argument: ("returns a view of an argument", 0),
}


@pytest.mark.parametrize("function", FALLS_BACK, ids=lambda f: f.__name__)
def test_what_cannot_be_repeated_runs_as_it_is_and_says_why(function):
    what, offset = FALLS_BACK[function]
    compiled = mc.compile(function)
    x = mc.tensor([1.0, 2.0, -4.0])
    line = function.__code__.co_firstlineno + offset
    with pytest.warns(
        UserWarning, match=rf"compile: .*test_compile_eager\.py:{line if offset else ''}.*{what}"
    ) as seen:
        compiled(x)
    assert len(seen) == 1 and seen[0].filename == __file__
    for sign in (1, -1, 1, -1):  # and no second warning
        y = (x * sign).requires_grad_()
        results = []
        for run in (function, compiled):
            mc.manual_seed(1), random.seed(1)
            WEIGHT.data = mc.ones(3)
            results.append(run(y).tolist())
        assert results[0] == results[1]
    with pytest.raises(RuntimeError, match="cannot be repeated"):
        mc.compile(function, fullgraph=True)(x)


def test_writes_into_arguments():
    f, x = mc.compile(writes_into_its_argument), mc.zeros(2)
    for _ in range(4):
        assert f(x) is x
    assert x.tolist() == [4, 4]


class Remembers(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x * self.calls


def test_what_changes_attributes_runs_as_it_is():
    compiled, results = mc.compile(Remembers()), []
    with pytest.warns(UserWarning, match=r"changes what it relies on \(attributes"):
        for _ in range(8):
            results.append(compiled(mc.ones(1)).item())
    assert results == [1, 2, 3, 4, 5, 6, 7, 8]
