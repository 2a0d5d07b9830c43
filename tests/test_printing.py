"""How a Tensor prints."""

from math import inf, nan

import numpy as np
import pytest
import torch

import minicnn as mc

rng = np.random.default_rng(0)
PRINTED = [
    2.0, 3.5, 7, True, [], [[], []], [1.0, 2, 3], [1.5, 2, -3], [0.0, -0.0], [[1, 2], [3, 4]], [1, -20, 300],
    [[True, False], [True, True]], [1e-5, 1], [1e10, 1], [1e5, 1.5], [1001.0, 1], [1000.0, 1], [1e-4, 0.05],
    [nan, 1.5, inf], [nan, 1, -inf], [inf, -inf], [1e-30], rng.normal(size=(3, 4)),
    rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 2, 2, 2)) * 100, rng.normal(size=(3, 30)),
    rng.normal(size=8) * 1e-6, np.arange(2000.0), np.arange(2000), rng.normal(size=(100, 20)),
    rng.uniform(1, 2, (10, 20, 7)), np.arange(100).reshape(10, 10), np.arange(25),
    rng.normal(size=(1200, 2)), rng.normal(size=50) > 0,
    [True], [[True, True]], [True, False], np.zeros((0, 3)), np.zeros((2, 0, 4)),
]  # fmt: skip


@pytest.mark.parametrize("data", PRINTED, ids=range(len(PRINTED)))
def test_prints_as_pytorch(data):
    array = np.asarray(data)
    array = array.astype(np.float32) if array.dtype == np.float64 else array
    assert repr(mc.tensor(array)) == str(mc.tensor(array)) == repr(torch.tensor(array))


def test_prints_notes():
    assert repr(mc.tensor([1.5], dtype=mc.float64)) == "tensor([1.5000], dtype=float64)"
    assert repr(mc.tensor([1], dtype=mc.uint8)) == "tensor([1], dtype=uint8)"
    x = mc.tensor([1.5], requires_grad=True)
    assert repr(x) == "tensor([1.5000], requires_grad=True)"
    assert repr(x + 1) == "tensor([2.5000], grad_fn=<Add>)"
    assert repr(x.detach()) == "tensor([1.5000])"
