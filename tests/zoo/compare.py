"""Training steps of a minicnn model and of its twin in PyTorch, compared number by number."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

import minicnn as mc

STEPS = 3
# Relative to the largest value of a tensor.
TOLERANCE = {np.dtype(np.float32): 1e-3, np.dtype(np.float64): 1e-6, np.dtype(np.int64): 0}


def same_weights(ours: mc.nn.Module, theirs: torch.nn.Module) -> None:
    """Give the twin our weights: both list them in one order, the names are their own."""
    mine, twins = ours.state_dict(), theirs.state_dict()
    assert [v.shape for v in mine.values()] == [tuple(v.shape) for v in twins.values()]
    for source, target in zip(mine.values(), twins.values(), strict=True):
        target.copy_(torch.from_numpy(source.array))


def agree(name: str, ours: np.ndarray, theirs: np.ndarray, floor: float = 0.0) -> None:
    """Of the same values, within the tolerance, and direction.

    Tensors smaller than the floor are zero but for rounding, such as the gradient of a bias before a batch
    normalisation, and need only be small in both.
    """
    assert ours.shape == theirs.shape, name
    assert ours.dtype == theirs.dtype, name
    scale = np.abs(theirs).max(initial=0)
    off = np.abs(ours - theirs).max(initial=0)
    assert off <= TOLERANCE[theirs.dtype] * max(scale, floor), f"{name}: off by {off} of {scale}"
    if scale > floor:
        x, y = (a.ravel().astype(np.float64) for a in (ours, theirs))
        assert x @ y > 0.9999 * np.linalg.norm(x) * np.linalg.norm(y), name


def without_dropout(model: Any) -> None:
    """Dropout with probability 0, as its random numbers are not PyTorch's."""
    for module in model.modules():
        if type(module).__name__ in ("Dropout", "StochasticDepth"):
            module.p = 0.0


def outputs(result: Any) -> Sequence[Any]:
    """The scores, and those of the auxiliary heads after them."""
    return list(result) if isinstance(result, tuple) else [result]


def total_loss(functional: Any, results: Iterable[Any], labels: Any) -> Any:
    """Cross-entropy of the scores, plus 0.3 times that of the auxiliary ones, as GoogLeNet is trained."""
    first, *others = (functional.cross_entropy(scores, labels) for scores in results)
    return first + 0.3 * sum(others)


def train_alike(
    ours: mc.nn.Module,
    theirs: torch.nn.Module,
    shape: tuple[int, ...],
    lr: float,
    dtype: type = np.float64,
    steps: int = STEPS,
) -> None:
    """Outputs, loss, every gradient, the weights and the batch statistics, over a few steps of SGD."""
    same_weights(ours, theirs)
    for model in (ours, theirs):
        without_dropout(model)
        model.train()
        if dtype == np.float64:
            model.double()
    mine = mc.optim.SGD(ours.parameters(), lr=lr, momentum=0.9, weight_decay=1e-4)
    twin = torch.optim.SGD(theirs.parameters(), lr=lr, momentum=0.9, weight_decay=1e-4)
    x, y = np.random.default_rng(0).standard_normal(shape).astype(dtype), np.arange(shape[0]) % 10
    for step in range(steps):
        got, expected = outputs(ours(mc.tensor(x))), outputs(theirs(torch.from_numpy(x)))
        for i, (a, b) in enumerate(zip(got, expected, strict=True)):
            agree(f"output {i}, step {step}", a.detach().numpy(), b.detach().numpy())
        loss = total_loss(mc.nn.functional, got, mc.tensor(y))
        reference = total_loss(torch.nn.functional, expected, torch.from_numpy(y))
        agree(f"loss, step {step}", loss.detach().numpy(), reference.detach().numpy())
        for optimizer, value in ((mine, loss), (twin, reference)):
            optimizer.zero_grad()
            value.backward()
        gradients = [q.grad.numpy() for q in theirs.parameters()]
        floor = 1e-5 * max(np.abs(g).max() for g in gradients)
        for (key, p), g in zip(ours.named_parameters(), gradients, strict=True):
            assert p.grad is not None, key
            agree(f"gradient of {key}, step {step}", p.grad.numpy(), g, floor)
        mine.step()
        twin.step()
    for (key, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        agree(f"{key} after {steps} steps", a.numpy(), b.numpy(), 1e-4)
