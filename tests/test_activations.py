"""Activations and their layers against PyTorch, with kinks and extremes, and what they refuse."""

import numpy as np
import pytest
import torch

import both
import minicnn as mc
import minicnn.nn as nn
import minicnn.nn.functional as F
from parity import assert_same, numbers

TF = torch.nn.functional
FUNCTIONS = [
    ("relu", {}),
    ("relu6", {}),
    ("hardtanh", {}),
    ("hardtanh", {"min_val": -2.5, "max_val": 0.7}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.3}),
    ("elu", {}),
    ("elu", {"alpha": 0.4}),
    ("selu", {}),
    ("celu", {}),
    ("celu", {"alpha": 0.5}),
    ("silu", {}),
    ("mish", {}),
    ("gelu", {}),
    ("gelu", {"approximate": "tanh"}),
    ("hardswish", {}),
    ("hardsigmoid", {}),
    ("softplus", {}),
    ("softplus", {"beta": 2.0, "threshold": 3.0}),
    ("logsigmoid", {}),
    ("softsign", {}),
    ("tanhshrink", {}),
    ("threshold", {"threshold": 0.4, "value": -2.0}),
    ("hardshrink", {"lambd": 0.9}),
    ("softshrink", {}),
    ("softshrink", {"lambd": 0.0}),
    ("tanh", {}),
    ("sigmoid", {}),
    ("glu", {"dim": 1}),
    ("softmax", {"dim": 1}),
    ("log_softmax", {"dim": 0}),
    ("softmin", {"dim": -1}),
]
FUNCTION = pytest.mark.parametrize(("name", "settings"), FUNCTIONS)
EXTREMES = [0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 6.0, 19.0, 21.0, -80.0, 90.0, 1e4, -1e4, np.inf, -np.inf, np.nan]


def functional(m):
    return F if m is mc else TF


@FUNCTION
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extremes(name, settings, dtype):
    """Kinks take the side that PyTorch takes; nothing overflows on the way. Infinities in float64 too."""
    x = np.array(EXTREMES, dtype)[:, None] * np.ones(2, dtype)
    if name in ("mish", "gelu", "silu", "hardswish", "softsign", "tanhshrink", "glu", "log_softmax", "elu"):
        x = x[np.isfinite(x[:, 0])]  # the gradient of inf * 0, which formulas round differently
    if name == "gelu":
        x = x[np.abs(x[:, 0]) < 1e3]
    results, gradients = zip(
        *(both.run(m, lambda m, x: getattr(functional(m), name)(x, **settings), [x], np.dtype(dtype).name)
          for m in (mc, torch)),
        strict=True,
    )  # fmt: skip
    for got, expected in (*zip(*results, strict=True), *zip(*gradients, strict=True)):
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


INPLACE = ["relu", "relu6", "hardtanh", "leaky_relu", "elu", "selu", "celu", "silu", "mish", "hardswish"]


@pytest.mark.parametrize("name", [*INPLACE, "hardsigmoid"])
def test_in_place(name):
    """The same object gets the values, and the gradient of what it was computed from stays right."""
    values = both.draw((3, 5))
    grads = []
    for m in (mc, torch):
        x = m.tensor(values, requires_grad=True)
        y = x * 2
        assert getattr(functional(m), name)(y, inplace=True) is y
        (y * y).sum().backward()
        grads.append(x.grad.numpy())
    both.same(*grads)
    x = mc.tensor(values)
    assert getattr(F, name)(x, inplace=True) is x
    both.same(x.numpy(), getattr(TF, name)(torch.tensor(values)).numpy())


@pytest.mark.filterwarnings("ignore:Implicit dimension choice:UserWarning")
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
@pytest.mark.parametrize("shape", [(), (4,), (3, 4), (2, 3, 4), (2, 3, 4, 2), (0, 3)])
def test_softmax_chooses_a_dimension(name, shape):
    both.compare(lambda m, x: getattr(functional(m), name)(x), both.draw(shape))


def test_integers_can_be_limited():
    both.agree(lambda m: functional(m).relu6(m.tensor([-3, 5, 9])))
    both.agree(lambda m: functional(m).hardtanh(m.tensor([-3, 5, 9]), -2, 7))


@pytest.mark.filterwarnings("ignore:Implicit dimension choice:UserWarning")
@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax", "Softmin"])
def test_softmax_layers_choose_a_dimension(name):
    ours, theirs = getattr(nn, name)(), getattr(torch.nn, name)()
    assert repr(ours) == repr(theirs)
    assert_same(ours, theirs, numbers(3, 4))


def test_kinds_of_layers():
    """isinstance finds what it finds in PyTorch."""
    for library in (nn, torch.nn):
        assert isinstance(library.ReLU6(), library.Hardtanh)
        assert not isinstance(library.LogSoftmax(1), library.Softmax)
        assert not isinstance(library.Softmin(1), library.Softmax)
        assert not isinstance(library.CELU(), library.ELU)
        assert not isinstance(library.Softshrink(), library.Hardshrink)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        *(
            (lambda m, name=name: getattr(functional(m), name)(m.tensor([1, 2])), f"{name}: expected")
            for name in ("leaky_relu", "elu", "selu", "celu", "silu", "mish", "gelu", "hardswish")
        ),
        *(
            (lambda m, name=name: getattr(functional(m), name)(m.tensor([1, 2])), f"{name}: expected")
            for name in ("hardsigmoid", "softplus", "hardshrink", "softshrink")
        ),
        (lambda m: functional(m).relu6(m.tensor([True])), "relu6: expected numbers, got truth values"),
        (lambda m: functional(m).gelu(m.ones(2), approximate="fast"), "gelu: .*'fast'"),
        (lambda m: functional(m).celu(m.ones(2), alpha=0), "celu: alpha must not be 0"),
        (lambda m: functional(m).softshrink(m.ones(2), -1), "softshrink: lambd must be at least 0, got -1"),
        (lambda m: functional(m).glu(m.ones(3, 5)), r"glu: expected an even size along dim -1, got \(3, 5\)"),
        (lambda m: functional(m).glu(m.tensor(1.0)), "glu: expected at least one dimension"),
        (lambda m: functional(m).prelu(m.ones(2, 3), m.ones(2)), r"3 channels \(2, 3\) .* 2 weights"),
        (lambda m: functional(m).prelu(m.ones(3), m.ones(3)), r"1 channels \(3,\) .* 3 weights"),
        (lambda m: functional(m).prelu(m.ones(2, 3), m.ones(1, 3)), r"prelu: expected a weight .*\(1, 3\)"),
        (lambda m: functional(m).prelu(m.ones(2), m.ones(1).double()), "input is float32 but weight is fl"),
        (lambda m: functional(m).hardtanh(m.ones(2), 2, 1), "min_val must not be above max_val, got 2 and 1"),
        (lambda m: (nn if m is mc else m.nn).Hardtanh(2, 1), "Hardtanh: min_val must be below"),
        (lambda m: (nn if m is mc else m.nn).Softmax2d()(m.ones(2, 3)), r"Softmax2d: expected .*\(2, 3\)"),
        (lambda m: functional(m).softmax(m.ones(2, 3), dim=2), "softmax.* dim 2|Dimension out of range"),
        (lambda m: functional(m).gelu([1.0, 2.0]), "gelu: expected input to be a Tensor, got list"),
        (lambda m: functional(m).leaky_relu(1.0), "leaky_relu: expected input to be a Tensor, got float"),
    ],
)
def test_activations_refuse(make, words):
    with pytest.raises(Exception, match=words) as ours:
        make(mc)
    with pytest.raises((RuntimeError, TypeError, ValueError, IndexError, AssertionError)) as theirs:
        make(torch)
    assert isinstance(theirs.value, ours.type)
