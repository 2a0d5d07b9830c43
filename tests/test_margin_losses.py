"""What losses with a margin refuse, as in PyTorch."""

import pytest
import torch

import minicnn as mc


def fn(m):
    return m.nn.functional


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
