"""Transformers in evaluation: attention head by head, linear layers with what follows; kernels and plans."""

import numpy as np
import pytest
import torch

import minicnn as mc
import minicnn.nn.functional as F
from kernel_cases import assert_near, numbers
from minicnn import nn
from minicnn.kernels import cpu
from minicnn.kernels.cpu.attention import fits
from minicnn.kernels.cpu.gemm import DEPTH
from plans import steps_of

DTYPES = [np.float32, np.float64]


def softmax(scores):
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("L", "S", "E", "V"),
    [(0, 8, 2, 2), (1, 8, 1, 1), (9, 13, 5, 70), (50, 49, 64, 16), (300, 300, 3, 2), (20, 1000, 4, 4)],
)
def test_attention(L, S, E, V, dtype):
    q, k, v = (
        numbers(2, tokens, 3, size, dtype=dtype, seed=i).swapaxes(1, 2)
        for i, (tokens, size) in enumerate([(L, E), (S, E), (S, V)])
    )
    assert fits(q.shape, k.shape, v.shape)
    got = cpu.attention(q, k, v, 0.3)
    exact = softmax(q.astype(float) @ k.swapaxes(2, 3).astype(float) * 0.3) @ v.astype(float)
    assert_near(got, exact.astype(dtype))
    assert got.swapaxes(1, 2).flags.c_contiguous


def test_attention_passes_nan_on():
    q, k, v = (numbers(1, 1, 9, 4, seed=i) for i in range(3))
    q[0, 0, 2, 1] = np.nan
    got = cpu.attention(q, k, v, 1.0)
    assert np.isnan(got[0, 0, 2]).all()
    assert np.isfinite(np.delete(got, 2, axis=2)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ["", "relu", "gelu"])
@pytest.mark.parametrize(("N", "I", "O"), [(3, 2, 5), (5, 90, 70), (70, 90, 100), (70, DEPTH + 3, 50)])
def test_a_linear_layer_with_more(N, I, O, activation, dtype):
    x, weight, bias, other = (
        numbers(*shape, dtype=dtype, seed=i) for i, shape in enumerate([(N, I), (O, I), (O,), (N, O)])
    )
    for shift in (bias, None):
        exact = torch.from_numpy(
            x.astype(float) @ weight.T.astype(float) + (0 if shift is None else shift) + other
        )
        exact = {"relu": torch.relu, "gelu": torch.nn.functional.gelu, "": lambda y: y}[activation](exact)
        assert_near(cpu.linear_plus(x, weight, shift, other, activation), exact.numpy().astype(dtype))


def compiled_in_evaluation(function, *inputs):
    """The compiled function, and that its results are the function's; without gradients."""
    compiled = mc.compile(function)
    with mc.no_grad():
        expected = function(*inputs).numpy()
        for _ in range(4):
            out = compiled(*inputs).numpy()
            assert out.dtype == expected.dtype
            np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
    return compiled


@pytest.mark.parametrize("dtype", [mc.float32, mc.float64])
def test_a_layer_of_attention_becomes_few_steps(dtype):
    layer = nn.MultiheadAttention(24, 3, batch_first=True).to(dtype).eval()
    x, keys = mc.randn(2, 9, 24, dtype=dtype), mc.randn(2, 11, 24, dtype=dtype)
    for inputs in (x,), (x, keys):
        compiled = compiled_in_evaluation(
            lambda x, k=None: (
                x + layer(x, x if k is None else k, x if k is None else k, need_weights=False)[0]
            ),
            *inputs,
        )
        steps = steps_of(compiled)
        assert steps.count("Attention") == 1
        assert not {"MatMul", "Softmax", "Mul", "Add", "Linear"} & set(steps)


def test_attention_with_scores_that_others_read_stays():
    q = mc.randn(1, 2, 9, 4)

    def and_weights(q):
        weights = (q @ q.transpose(2, 3)).softmax(-1)
        return weights @ q + weights.sum()

    def and_scores(q):
        scores = q @ q.transpose(2, 3)
        return scores.softmax(-1) @ q + scores.sum()

    def with_more_added(q):
        return (q @ q.transpose(2, 3) + q.sum()).softmax(-1) @ q

    def of_another_axis(q):
        return (q @ q.transpose(2, 3)).softmax(2) @ q

    for function in (and_weights, and_scores, with_more_added, of_another_axis):
        compiled = mc.compile(function)
        with mc.no_grad():
            for _ in range(4):
                out = compiled(q)
            np.testing.assert_allclose(out.numpy(), function(q).numpy(), rtol=1e-5, atol=1e-5)
        assert "Attention" not in steps_of(compiled)


def test_attention_with_gradients_stays():
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    compiled, x = mc.compile(lambda x: layer(x, x, x, need_weights=False)[0]), mc.randn(1, 9, 8)
    for _ in range(3):
        compiled(x).sum().backward()
    assert "Attention" not in steps_of(compiled)


def test_values_that_others_read_come_out_of_attention_as_they_are():
    """The scaled queries and turned keys too are steps of their own, which others may read."""

    def net(q, k):
        scaled, turned = q * 0.5, k.transpose(2, 3)
        return (scaled @ turned).softmax(-1) @ k + scaled.sum() + turned.sum()

    compiled = compiled_in_evaluation(net, mc.randn(1, 2, 9, 4), mc.randn(1, 2, 12, 4))
    assert {"Attention", "Mul", "Permute"} <= set(steps_of(compiled))


def test_linear_layers_with_what_follows_them():
    first, second, x = nn.Linear(6, 12), nn.Linear(12, 6, bias=False), mc.randn(2, 10, 6)
    compiled = compiled_in_evaluation(lambda x: x + second(F.gelu(first(x))), x)
    assert steps_of(compiled) == ["Dense", "Dense"]


def test_linear_layers_whose_sum_is_of_another_shape_or_dtype():
    layer, x = nn.Linear(6, 6), mc.randn(10, 6)
    for other in (mc.randn(6), mc.randn(3, 10, 6)):
        compiled = compiled_in_evaluation(lambda x, other=other: layer(x) + other, x)
        assert steps_of(compiled) == ["Dense", "Add"]
    compiled = compiled_in_evaluation(lambda x: layer(x) + x.double(), x)
    assert steps_of(compiled)[-1] == "Add"


def test_a_gradient_of_the_last_value_alone_is_enough():
    """What goes into a step needs no gradient, but what is added to it, or multiplied with it, does."""
    layer, x = nn.Linear(6, 6).requires_grad_(False), mc.randn(2, 3, 9, 6)
    for function in (
        lambda y: layer(x) + y,
        lambda y: (x @ x.transpose(2, 3)).softmax(-1) @ y,
    ):
        compiled, gradients = mc.compile(function), []
        for run in (function, compiled, compiled, compiled):
            y = mc.ones(2, 3, 9, 6, requires_grad=True)
            run(y).square().sum().backward()
            gradients.append(y.grad.numpy())
        np.testing.assert_allclose(gradients[0], gradients[-1], rtol=1e-5, atol=1e-5)


def test_a_number_may_be_added_that_is_a_slots():
    layer = nn.Linear(6, 6)
    for number in range(6):
        compiled_in_evaluation(lambda x, number=number: layer(x) + number, mc.randn(2, 6))


def test_linear_layers_with_gradients_keep_what_gelu_and_the_sum_need():
    layer, x = nn.Linear(6, 6), mc.randn(4, 6)
    for function in (lambda x: F.gelu(layer(x)), lambda x: x + layer(x)):
        compiled, gradients = mc.compile(function), []
        for run in (function, compiled, compiled, compiled):
            layer.zero_grad()
            run(x).square().sum().backward()
            gradients.append(layer.weight.grad.numpy())
        np.testing.assert_allclose(gradients[0], gradients[-1], rtol=1e-5, atol=1e-5)
