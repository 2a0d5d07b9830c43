"""Losses with a margin, and distances, against PyTorch; and what they refuse."""

import numpy as np
import pytest
import torch

import both
import minicnn as mc

REDUCTION = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


def fn(m):
    return m.nn.functional


def signs(*shape):
    return np.random.default_rng(8).choice([-1.0, 1.0], shape)


def others(*shape):
    """Numbers near those of `both.draw`, so that some pairs keep the margin and some do not."""
    return both.draw(shape) + np.random.default_rng(9).normal(0, 0.9, shape)


@REDUCTION
@pytest.mark.parametrize("shape", [(7,), (3, 5)])
@pytest.mark.parametrize("margin", [0, 0.7])
def test_margin_ranking_loss(shape, margin, reduction):
    y = signs(*shape)

    def loss(m, a, b):
        return fn(m).margin_ranking_loss(a, b, m.tensor(y, dtype=a.dtype), margin, reduction=reduction)

    both.check(loss, both.draw(shape), others(*shape))


@REDUCTION
@pytest.mark.parametrize("shape", [(7,), (3, 5)])
def test_hinge_embedding_loss(shape, reduction):
    y = signs(*shape)

    def loss(m, x):
        return fn(m).hinge_embedding_loss(x, m.tensor(y, dtype=x.dtype), 1.3, reduction=reduction)

    both.check(loss, both.draw(shape))


@REDUCTION
@pytest.mark.parametrize("shape", [(4,), (6, 4)])
@pytest.mark.parametrize("margin", [0, 0.3])
def test_cosine_embedding_loss(shape, margin, reduction):
    y = signs(*shape[:-1])

    def loss(m, a, b):
        target = m.tensor(y, dtype=a.dtype)
        return fn(m).cosine_embedding_loss(a, b, target, margin, reduction=reduction)

    both.check(loss, both.draw(shape), others(*shape))


@REDUCTION
@pytest.mark.parametrize("settings", [{}, {"p": 1, "margin": 2.5}, {"swap": True, "margin": 3.0}])
@pytest.mark.parametrize("shape", [(4,), (6, 4), (2, 3, 5)])
def test_triplet_margin_loss(shape, settings, reduction):
    def loss(m, a, p, n):
        return fn(m).triplet_margin_loss(a, p, n, reduction=reduction, **settings)

    both.check(loss, both.draw(shape), others(*shape), both.draw(shape)[::-1] * 0.97)


@REDUCTION
@pytest.mark.parametrize("shape", [(7,), (3, 5)])
def test_soft_margin_loss(shape, reduction):
    y = signs(*shape)

    def loss(m, x):
        return fn(m).soft_margin_loss(x, m.tensor(y, dtype=x.dtype), reduction=reduction)

    both.check(loss, both.draw(shape))


@REDUCTION
@pytest.mark.parametrize("weighted", [False, True])
def test_multilabel_soft_margin_loss(weighted, reduction):
    y = (signs(3, 5) + 1) / 2

    def loss(m, x):
        weight = m.tensor([0.5, 1, 2, 1, 3], dtype=x.dtype) if weighted else None
        target = m.tensor(y, dtype=x.dtype)
        return fn(m).multilabel_soft_margin_loss(x, target, weight, reduction=reduction)

    both.check(loss, both.draw((3, 5)))


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("shapes", [((4,), (4,)), ((3, 4), (3, 4)), ((3, 4), (4,)), ((2, 1, 4), (3, 4))])
def test_pairwise_distance(shapes, p, keepdim):
    def distance(m, a, b):
        return m.nn.PairwiseDistance(p, keepdim=keepdim)(a, b)

    both.check(distance, both.draw(shapes[0]), others(*shapes[1]))


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_cosine_similarity_layer(dim):
    both.check(lambda m, a, b: m.nn.CosineSimilarity(dim)(a, b), both.draw((3, 4)), others(3, 4))


LAYERS = {
    "MarginRankingLoss": ({"margin": 0.5}, [(5,), (5,)]),
    "HingeEmbeddingLoss": ({}, [(5,)]),
    "CosineEmbeddingLoss": ({"margin": 0.2}, [(5, 4), (5, 4)]),
    "SoftMarginLoss": ({}, [(5,)]),
    "MultiLabelSoftMarginLoss": ({}, [(5, 5)]),
}


@REDUCTION
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, reduction):
    settings, shapes = LAYERS[name]
    y = np.array([1.0, -1, 1, -1, -1]) if "Label" not in name else np.eye(5)
    ours, theirs = (getattr(m.nn, name)(**settings, reduction=reduction) for m in (mc, torch))
    assert repr(ours) == repr(theirs)

    def loss(m, *xs):
        return (ours if m is mc else theirs)(*xs, m.tensor(y, dtype=xs[0].dtype))

    both.check(loss, *(others(*shape) * (i + 1) for i, shape in enumerate(shapes)))


def test_triplet_layer():
    def loss(m, a, p, n):
        return m.nn.TripletMarginLoss(2.0, p=1.0, swap=True)(a, p, n)

    both.check(loss, both.draw((3, 4)), others(3, 4), both.draw((3, 4))[::-1] * 0.97)


X = (5, 4)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda m: fn(m).margin_ranking_loss(m.ones(5), m.ones(5, 1), m.ones(5)),
            "as many dimensions",
        ),
        (
            lambda m: fn(m).cosine_embedding_loss(m.ones(X), m.ones(X), m.ones(5, 1)),
            r"target \(N\)",
        ),
        (
            lambda m: fn(m).cosine_embedding_loss(m.ones(4), m.ones(X), m.ones(5)),
            r"inputs \(N, D\)",
        ),
        (
            lambda m: fn(m).triplet_margin_loss(m.ones(X), m.ones(4), m.ones(X)),
            "as many dimensions",
        ),
        (lambda m: fn(m).triplet_margin_loss(*[m.ones(X)] * 3, margin=0), "margin must be above 0"),
        (lambda m: m.nn.TripletMarginLoss(-1.0), "margin must be above 0, got -1"),
        (lambda m: fn(m).pairwise_distance(m.ones(3), m.ones(4)), r"\(3,\).*\(4,\)"),
        (lambda m: fn(m).soft_margin_loss(m.ones(2), m.ones(2), reduction="some"), "reduction"),
    ],
)
def test_they_refuse(make, words):
    with pytest.raises((RuntimeError, ValueError), match=words) as ours:
        make(mc)
    with pytest.raises((RuntimeError, ValueError)) as theirs:
        make(torch)
    assert isinstance(theirs.value, ours.type)
