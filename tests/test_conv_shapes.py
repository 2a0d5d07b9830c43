"""Transposed convolution of any geometry, adaptive pooling, and what convolutions refuse."""

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from hypothesis import assume, given
from hypothesis import strategies as st

import minicnn as mc
import minicnn.nn as nn
import minicnn.nn.functional as F
from both import outcome
from kernel_cases import DTYPES as KINDS
from kernel_cases import assert_near
from minicnn.kernels import cpu, reference
from parity import assert_same, numbers

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def assert_alike(name, *arrays, **settings):
    assert_same(
        lambda *t: getattr(F, name)(*t, **settings), lambda *t: getattr(TF, name)(*t, **settings), *arrays
    )


@given(st.data())
def test_conv_transpose2d_of_any_geometry(data):
    def draw(low, high):
        return data.draw(st.integers(low, high))

    mc.manual_seed(draw(0, 99))
    groups, n, c, o = draw(1, 3), draw(1, 3), draw(1, 2), draw(1, 3)
    kernel, stride, dilation, size = ((draw(1, 4), draw(1, 3)) for _ in range(4))
    padding = draw(0, 2), draw(0, 2)
    extra = tuple(draw(0, max(s, d) - 1) for s, d in zip(stride, dilation, strict=True))
    rows = zip(size, kernel, stride, dilation, padding, extra, strict=True)
    assume(all((n - 1) * s - 2 * p + d * (k - 1) + e + 1 > 0 for n, k, s, d, p, e in rows))
    arrays = numbers(n, c * groups, *size, dtype=float), numbers(c * groups, o, *kernel, dtype=float)
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    assert_alike("conv_transpose2d", *arrays, **settings, output_padding=extra)


# adaptive pooling


@given(*[st.integers(1, 9)] * 4, st.sampled_from(KINDS), st.booleans())
def test_adaptive_kernels_against_reference(H, W, OH, OW, dtype, ties):
    x = numbers(2, 2, H, W, dtype=dtype)
    x = np.round(x) if ties else x
    if ties and H > 2:
        x[0, 0, 1, 0] = np.nan
    for got, expected in zip(
        cpu.adaptive_max_pool2d(x, (OH, OW)), reference.adaptive_max_pool2d(x, (OH, OW)), strict=True
    ):
        assert np.array_equal(got, expected, equal_nan=True)
    x, dy = numbers(2, 2, H, W, dtype=dtype), numbers(2, 2, OH, OW, dtype=dtype)
    assert_near(cpu.adaptive_avg_pool2d(x, (OH, OW)), reference.adaptive_avg_pool2d(x, (OH, OW)))
    arguments = dy, (2, 2, H, W)
    assert_near(
        cpu.adaptive_avg_pool2d_gradient(*arguments), reference.adaptive_avg_pool2d_gradient(*arguments)
    )


# layers


def test_conv_transpose2d_to_a_size():
    ours, theirs = nn.ConvTranspose2d(2, 3, 3, 2, 1), torch.nn.ConvTranspose2d(2, 3, 3, 2, 1)
    ours.load_state_dict({key: mc.tensor(value.numpy()) for key, value in theirs.state_dict().items()})
    assert_same(lambda x: ours(x, (10, 13)), lambda x: theirs(x, output_size=(10, 13)), numbers(1, 2, 5, 7))
    with pytest.raises(ValueError, match=r"output_size \(11, 13\)"):
        ours(mc.zeros(1, 2, 5, 7), (11, 13))


def test_starting_values_of_conv_transpose2d():
    mc.manual_seed(0)
    ours, theirs = nn.ConvTranspose2d(16, 32, 3), torch.nn.ConvTranspose2d(16, 32, 3)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert abs(p.array).max() == pytest.approx(q.abs().max().item(), rel=0.2)
        assert abs(p.array).max() <= 1 / np.sqrt(32 * 9)


# errors

X, W = (2, 3, 5, 7), (3, 4, 3, 3)
WRONG = {
    "conv_transpose2d channels": lambda m, f: f.conv_transpose2d(m.zeros(*X), m.zeros(4, 3, 3, 3)),
    "conv_transpose2d bias": lambda m, f: f.conv_transpose2d(m.zeros(*X), m.zeros(*W), m.zeros(3)),
    "conv_transpose2d groups": lambda m, f: f.conv_transpose2d(m.zeros(*X), m.zeros(*W), groups=2),
    "conv_transpose2d stride": lambda m, f: f.conv_transpose2d(m.zeros(*X), m.zeros(*W), stride=0),
    "conv_transpose2d padding": lambda m, f: f.conv_transpose2d(m.zeros(*X), m.zeros(*W), padding=-1),
    "conv_transpose2d dilation": lambda m, f: f.conv_transpose2d(m.zeros(*X), m.zeros(*W), dilation=0),
    "conv_transpose2d too much padding": lambda m, f: f.conv_transpose2d(m.zeros(*X), m.zeros(*W), padding=9),
    "conv_transpose2d output_padding": lambda m, f: f.conv_transpose2d(
        m.zeros(*X), m.zeros(*W), output_padding=1
    ),
    "conv_transpose2d weight": lambda m, f: f.conv_transpose2d(m.zeros(*X), m.zeros(3, 4, 3)),
    "conv_transpose2d input": lambda m, f: f.conv_transpose2d(m.zeros(5, 7), m.zeros(*W)),
    "conv_transpose2d dtype": lambda m, f: f.conv_transpose2d(m.zeros(*X).double(), m.zeros(*W)),
    "conv_transpose2d array": lambda m, f: f.conv_transpose2d(np.zeros(X), m.zeros(*W)),
    "conv1d channels": lambda m, f: f.conv1d(m.zeros(2, 3, 5), m.zeros(4, 2, 3)),
    "conv1d picture": lambda m, f: f.conv1d(m.zeros(*X), m.zeros(4, 3, 3)),
    "conv1d stride": lambda m, f: f.conv1d(m.zeros(2, 3, 5), m.zeros(4, 3, 3), stride=(1, 1)),
    "conv1d too short": lambda m, f: f.conv1d(m.zeros(2, 3, 5), m.zeros(4, 3, 9)),
    "adaptive_avg_pool2d size": lambda m, f: f.adaptive_avg_pool2d(m.zeros(*X), (1, -2)),
    "adaptive_avg_pool2d sizes": lambda m, f: f.adaptive_avg_pool2d(m.zeros(*X), (1, 2, 3)),
    "adaptive_avg_pool2d matrix": lambda m, f: f.adaptive_avg_pool2d(m.zeros(5, 7), (1, 2)),
    "adaptive_avg_pool2d float": lambda m, f: f.adaptive_avg_pool2d(m.zeros(*X), (1.5, 2)),
    "adaptive_max_pool2d nothing": lambda m, f: f.adaptive_max_pool2d(m.zeros(2, 3, 0, 7), 1),
    "ConvTranspose2d groups": lambda m, f: m.nn.ConvTranspose2d(3, 4, 3, groups=2),
    "ConvTranspose2d mode": lambda m, f: m.nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"),
    "Conv2d mode": lambda m, f: m.nn.Conv2d(3, 4, 3, padding_mode="mirror"),
    "Conv1d groups": lambda m, f: m.nn.Conv1d(3, 4, 3, groups=2),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name):
    expected = outcome(lambda m: WRONG[name](m, TF), torch)
    assert isinstance(expected, type), "PyTorch accepts this"
    with pytest.raises((RuntimeError, TypeError, ValueError)) as error:
        WRONG[name](mc, F)
    assert issubclass(expected, error.type), error.value
    assert str(error.value).partition(":")[0] in (name.split()[0], "conv2d")


def test_a_mean_of_nothing_is_refused():  # PyTorch gives NaN
    with pytest.raises(RuntimeError, match=r"adaptive_avg_pool2d: .* got \(2, 3, 0, 7\)"):
        F.adaptive_avg_pool2d(mc.zeros(2, 3, 0, 7), 1)
