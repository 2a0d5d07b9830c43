"""Attention and embeddings against PyTorch, with all masks, and what they refuse."""

import math

import numpy as np
import pytest
import torch

import both
import minicnn as mc
import minicnn.nn as nn
import minicnn.nn.functional as F
from parity import assert_close, numbers

TF = torch.nn.functional


def functional(m):
    return F if m is mc else TF


def masks(L, S):
    """Masks of every kind that leave each query a key."""
    rng = np.random.default_rng(5)
    some = rng.random((L, S)) < 0.6
    some[:, S // 2] = True
    return {"none": None, "bool": some, "float": rng.random((L, S)), "holes": np.where(some, 0.3, -math.inf)}


@pytest.mark.parametrize("lead", [(), (3,), (2, 3)])
@pytest.mark.parametrize("mask", ["none", "bool", "float", "holes", "causal"])
def test_scaled_dot_product_attention(lead, mask):
    L, S, E, V = 4, 5, 3, 2
    told = masks(L, S).get(mask)

    def attend(m, q, k, v):
        told_here = None if told is None else m.tensor(told, dtype=m.bool if mask == "bool" else q.dtype)
        return functional(m).scaled_dot_product_attention(q, k, v, told_here, is_causal=mask == "causal")

    both.check(attend, *(0.2 * both.draw((*lead, *shape)) for shape in ((L, E), (S, E), (S, V))))


def test_scale_and_broadcasting():
    def attend(m, q, k, v):
        mask = m.tensor(masks(3, 4)["bool"]).reshape(1, 1, 3, 4)
        return functional(m).scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=0.7)

    shapes = (2, 1, 3, 5), (2, 3, 4, 5), (1, 3, 4, 2)
    both.check(attend, *(0.2 * both.draw(shape) for shape in shapes))


@pytest.mark.parametrize("kind", ["bool", "float"])
def test_a_query_without_keys(kind):
    """It gets zeros, and sends no gradient back."""
    shut = np.array([[True, False, True], [False, False, False]])

    def attend(m, q, k, v):
        mask = m.tensor(shut) if kind == "bool" else m.tensor(np.where(shut, 0, -math.inf), dtype=q.dtype)
        return functional(m).scaled_dot_product_attention(q, k, v, mask)

    both.check(attend, *(0.2 * both.draw(shape) for shape in ((2, 4), (3, 4), (3, 5))))


def test_dropout_of_weights():
    q = mc.ones(40, 5)
    out = F.scaled_dot_product_attention(q, q, q, dropout_p=0.5)
    assert 0.8 < out.mean().item() < 1.2
    assert np.ptp(out.array) > 0.1


# several heads


def twins(*args, dtype=np.float32, **settings):
    """The layer in both libraries with the same weights, biases too."""
    ours, theirs = nn.MultiheadAttention(*args, **settings), torch.nn.MultiheadAttention(*args, **settings)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.to(dtype)
    theirs.to(torch.float64 if dtype is np.float64 else torch.float32)
    state = {k: numbers(*v.shape, dtype=dtype) for k, v in ours.state_dict().items()}
    ours.load_state_dict({k: mc.tensor(v) for k, v in state.items()})
    theirs.load_state_dict({k: torch.tensor(v) for k, v in state.items()})
    return ours, theirs


def assert_attends_alike(ours, theirs, arrays, **options):
    """Outputs, weights, and the gradients of inputs and parameters."""
    results = []
    for m, layer in ((mc, ours), (torch, theirs)):
        inputs = [m.tensor(a, requires_grad=True) for a in arrays]
        told = {k: m.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
        out, weights = layer(*inputs, **told)
        total = (out * m.tensor(np.cos(np.arange(out.numel())).reshape(out.shape), dtype=out.dtype)).sum()
        if weights is not None:
            total = total + (weights * weights).sum()
        total.backward()
        results.append([out, weights, *(x.grad for x in inputs), *(p.grad for p in layer.parameters())])
    for mine, other in zip(*results, strict=True):
        assert (mine is None) == (other is None)
        if mine is not None:
            assert_close(mine, other)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"need_weights": False},
        {"average_attn_weights": False},
        {"attn_mask": ~masks(3, 5)["bool"]},
        {"attn_mask": masks(3, 5)["holes"].astype(np.float32)},
        {"attn_mask": np.tile(~masks(3, 5)["bool"], (8, 1, 1)), "need_weights": False},
        {"key_padding_mask": np.arange(5) >= np.array([[5], [3], [4], [1]])},
        {
            "key_padding_mask": np.arange(5) >= np.array([[5], [3], [4], [1]]),
            "attn_mask": np.tri(3, 5) == 0,
        },
    ],
)
def test_multihead_attention(options, batch_first, dtype):
    L, S, N, E = 3, 5, 4, 6
    ours, theirs = twins(E, 2, batch_first=batch_first, dtype=dtype)
    shapes = [(N, n, E) if batch_first else (n, N, E) for n in (L, S, S)]
    told = {k: v.astype(dtype) if getattr(v, "dtype", None) == np.float32 else v for k, v in options.items()}
    assert_attends_alike(ours, theirs, [numbers(*shape, dtype=dtype) for shape in shapes], **told)


@pytest.mark.parametrize("settings", [{"bias": False}, {"kdim": 3, "vdim": 5}, {"kdim": 3, "bias": False}])
def test_other_projections(settings):
    ours, theirs = twins(4, 2, **settings)
    shapes = (3, 2, 4), (5, 2, settings.get("kdim", 4)), (5, 2, settings.get("vdim", 4))
    assert_attends_alike(ours, theirs, [numbers(*shape) for shape in shapes])


@pytest.mark.parametrize("more", [{"add_bias_kv": True}, {"add_zero_attn": True}])
@pytest.mark.parametrize("settings", [{}, {"kdim": 3, "vdim": 5}, {"add_bias_kv": True, "bias": False}])
def test_more_keys_than_are_given(more, settings):
    ours, theirs = twins(4, 2, **(settings | more))
    shapes = (3, 2, 4), (5, 2, settings.get("kdim", 4)), (5, 2, settings.get("vdim", 4))
    arrays = [numbers(*shape) for shape in shapes]
    padding = np.array([[True] * 5, [False] * 5])
    for options in ({}, {"attn_mask": np.tri(3, 5) == 0}, {"key_padding_mask": padding}):
        assert_attends_alike(ours, theirs, arrays, **options)


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_single_sample(batch_first):
    ours, theirs = twins(4, 2, batch_first=batch_first)
    arrays = [numbers(3, 4), numbers(5, 4), numbers(5, 4)]
    assert_attends_alike(ours, theirs, arrays)
    padding = np.array([False, True, False, False, True])
    assert_attends_alike(ours, theirs, arrays, key_padding_mask=padding, average_attn_weights=False)


def test_causal_hint():
    ours, theirs = twins(4, 2)
    mask = np.tri(3) == 0
    assert_attends_alike(ours, theirs, [numbers(3, 2, 4)] * 3, attn_mask=mask, is_causal=True)


def test_a_sample_without_keys():
    """Zeros, where PyTorch gives nan or zeros, depending on need_weights."""
    layer, theirs = twins(4, 2)
    x, shut = numbers(3, 2, 4), np.array([[True] * 3, [False] * 3])
    for need in (True, False):
        out, _ = layer(*[mc.tensor(x)] * 3, key_padding_mask=mc.tensor(shut), need_weights=need)
    expected, _ = theirs(*[torch.tensor(x)] * 3, key_padding_mask=torch.tensor(shut), need_weights=False)
    assert_close(out, expected)


def test_attention_layers_drop_in_training_only():
    layer, x = nn.MultiheadAttention(4, 2, dropout=0.9), mc.ones(5, 2, 4)
    assert (layer(x, x, x)[1].array == 0).any()
    weights = layer.eval()(x, x, x)[1]
    np.testing.assert_allclose(weights.detach().array, 0.2, rtol=1e-6)


def test_starting_values_of_attention():
    layer = nn.MultiheadAttention(32, 4)
    bound = math.sqrt(6 / (4 * 32))
    weight = layer.in_proj_weight.detach().array
    assert 0.97 * bound < np.abs(weight).max() <= bound
    assert not layer.in_proj_bias.detach().array.any()
    assert not layer.out_proj.bias.detach().array.any()
    assert layer.out_proj.weight.detach().array.std() > 0.05


# embeddings and their like


@pytest.mark.parametrize("padding", [None, 2, -4])
def test_embedding_layer(padding):
    ours, theirs = nn.Embedding(6, 3, padding), torch.nn.Embedding(6, 3, padding)
    assert repr(ours) == repr(theirs)
    assert (ours.weight.detach().array == 0).all(axis=1).tolist() == [
        i == theirs.padding_idx for i in range(6)
    ]
    ours.load_state_dict({"weight": mc.tensor(theirs.weight.detach().numpy())})
    index = [[1, 2, 2], [5, 0, 1]]
    a, b = ours(mc.tensor(index)), theirs(torch.tensor(index))
    assert_close(a, b)
    (a * a).sum().backward()
    (b * b).sum().backward()
    assert_close(ours.weight.grad, theirs.weight.grad)


def test_normalize_of_zeros():
    both.compare(lambda m, x: functional(m).normalize(x), np.array([[0.0, 0], [3, 4], [1e-14, 0]]))


def attention(*shapes, **settings):
    return lambda m: functional(m).scaled_dot_product_attention(*(m.ones(*s) for s in shapes), **settings)


def layer(*shapes, args=(4, 2), **options):
    def call(m):
        told = {k: v(m) if callable(v) else v for k, v in options.items()}
        return m.nn.MultiheadAttention(*args)(*(m.ones(*s) for s in shapes), **told)

    return call


X = (3, 2, 4)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (attention((4,), (3, 4), (3, 4)), r"expected query \(..., L, E\).*got \(4,\), \(3, 4\) and"),
        (attention((2, 5), (3, 4), (3, 4)), r"query has 5 features \(2, 5\) but key 4 \(3, 4\)"),
        (attention((2, 4), (3, 4), (5, 4)), r"there are 3 keys \(3, 4\) but 5 values \(5, 4\)"),
        (attention((2, 4), (3, 4), (3, 4), dropout_p=2.0), "dropout_p must be between 0 and 1, got 2.0"),
        (
            lambda m: functional(m).scaled_dot_product_attention(
                m.ones(2, 4), m.ones(2, 4).double(), m.ones(2, 4)
            ),
            r"one floating point dtype, got \['float32', 'float64'\]",
        ),
        (
            lambda m: functional(m).scaled_dot_product_attention(
                *[m.ones(2, 4)] * 3, attn_mask=m.ones(2, 2).bool(), is_causal=True
            ),
            "expected attn_mask or is_causal, got both",
        ),
        (
            lambda m: functional(m).scaled_dot_product_attention(*[m.ones(2, 4)] * 3, attn_mask=m.ones(3, 2)),
            r"an attn_mask that broadcasts to \(2, 2\), got \(3, 2\)",
        ),
        (
            lambda m: functional(m).scaled_dot_product_attention(
                *[m.ones(2, 4)] * 3, attn_mask=m.ones(2, 2).long()
            ),
            "expected attn_mask of truth values or float32, got int64",
        ),
        (lambda m: m.nn.MultiheadAttention(5, 2), "divisible by num_heads, got 5 and 2"),
        (lambda m: m.nn.MultiheadAttention(0, 2), "embed_dim must be at least 1, got 0"),
        (layer((3, 4), X, X), "all of 2 or 3 dimensions"),
        (layer((3, 2, 5), X, X), "expected 4, 4 and 4 features"),
        (layer(X, (5, 2, 4), X), "do not fit"),
        (layer(X, X, X, is_causal=True), "is_causal is only a hint"),
        (layer(X, X, X, attn_mask=lambda m: m.ones(2, 2)), r"expected attn_mask \(3, 3\) or \(4, 3, 3\)"),
        (layer(X, X, X, key_padding_mask=lambda m: m.ones(3, 2)), r"expected key_padding_mask \(2, 3\)"),
        (layer(X, X, X, key_padding_mask=lambda m: m.ones(2, 3).long()), "got int64"),
        (lambda m: functional(m).one_hot(m.tensor([1, 2], dtype=m.int32)), "one_hot: .* of int64, got int32"),
        (lambda m: functional(m).one_hot(m.tensor([1, -2])), "from 0 to 1, got -2 to 1"),
        (lambda m: functional(m).one_hot(m.tensor([1, 2]), 2), "from 0 to 1, got 1 to 2"),
        (lambda m: functional(m).one_hot(m.zeros(0).long()), "there is no class to count"),
        (lambda m: functional(m).embedding(m.tensor([4]), m.ones(4, 2)), "indices from 0 to 3, got 4 to 4"),
        (lambda m: functional(m).embedding(m.tensor([0.5]), m.ones(4, 2)), "integer indices, got float32"),
        (
            lambda m: functional(m).embedding(m.tensor([1]), m.ones(4)),
            r"expected weight \(V, D\), got \(4,\)",
        ),
        (lambda m: functional(m).embedding(m.tensor([1]), m.ones(4, 2), 4), "padding_idx 4 is out of range"),
        (lambda m: m.nn.Embedding(4, 2, 5), "padding_idx 5 is out of range for 4 embeddings"),
    ],
)
def test_they_refuse(make, words):
    kinds = RuntimeError, TypeError, ValueError, IndexError, AssertionError
    with pytest.raises(kinds, match=words) as ours:
        make(mc)
    with pytest.raises(kinds) as theirs:
        make(torch)
    assert isinstance(theirs.value, ours.type)
