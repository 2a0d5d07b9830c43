"""Models on a GPU: random masks, what moves and what is saved, and LeNet-5 in training.

The GPU is that of the machine with ``--device cuda``, and else the emulated one.
"""

import copy
import importlib
import io
import pickle
from typing import Any

import pytest

import minicnn as mc
import minicnn.nn as nn
import minicnn.nn.functional as F
from dialect.check import compare

# chance


@pytest.mark.parametrize(
    "layer", [nn.Dropout(0.3), nn.Dropout2d(0.3), nn.StochasticDepth(0.3, "row")], ids=str
)
def test_masks_are_drawn_there(layer, cuda):
    x = mc.ones(4000, 3, 2, 2, device=cuda, requires_grad=True)
    mc.manual_seed(5)
    y, other = layer(x), layer(x)
    mc.manual_seed(5)
    assert y.is_cuda and y.equal(layer(x)) and not y.equal(other)
    assert y.detach().unique().tolist() == [0, pytest.approx(1 / 0.7)]
    assert (y == 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    y.sum().backward()
    assert x.grad.equal(y.detach())


def test_a_recorded_graph_copies_nothing_from_the_cpu(cuda, real_gpu, monkeypatch):
    if real_gpu:
        pytest.skip("a real recording is another test")
    from emulator import gpu

    x = mc.ones(3, 4, device=cuda)
    layer = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)).to(cuda)
    layer(x)
    monkeypatch.setattr(gpu.Stream, "is_capturing", lambda self: True)
    F.cross_entropy(layer(x), mc.zeros(3, device=cuda, dtype=mc.int64)).backward()
    F.nll_loss(x, mc.full((3,), 9, device=cuda, dtype=mc.int64).remainder(4))
    with pytest.raises(RuntimeError, match="a CUDA graph cannot hold a copy from the CPU"):
        mc.ones(2).to(cuda)


# models


def test_a_model_moves(cuda):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    weight = model[0].weight
    model[0].weight.grad = mc.ones(2, 1, 3, 3)
    assert model.to(cuda) is model and model[0].weight is weight and weight.is_leaf
    assert all(x.is_cuda for x in [*model.parameters(), *model.buffers(), weight.grad])
    state = model.state_dict()
    assert all(x.is_cuda for x in state.values())
    here = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    here.load_state_dict(state)
    assert not here[0].weight.is_cuda and here[0].weight.equal(weight.cpu())
    model.load_state_dict(here.state_dict())
    assert weight.is_cuda
    model.cpu()
    assert not any(x.is_cuda for x in [*model.parameters(), *model.buffers(), weight.grad])
    assert model.cuda(0).to(mc.float64)[0].weight.dtype == mc.float64 and weight.is_cuda


def test_saved_and_loaded(cuda, tmp_path):
    state = {"model": {"w": mc.arange(3.0, device=cuda)}, "epoch": 3, "more": [mc.ones(2, device=cuda)]}
    mc.save(state, tmp_path / "state")
    here, there = (mc.load(tmp_path / "state", map_location=where) for where in (None, cuda))
    assert not here["model"]["w"].is_cuda and here["model"]["w"].tolist() == [0, 1, 2]
    assert there["model"]["w"].is_cuda and there["more"][0].is_cuda and there["epoch"] == 3
    stream = io.BytesIO()
    mc.save(state["model"], stream)
    stream.seek(0)
    assert mc.load(stream, map_location=mc.device("cuda:0"))["w"].is_cuda


def test_copied_and_pickled(cuda):
    x = nn.Parameter(mc.arange(3.0, device=cuda))
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert y.is_cuda and y.requires_grad and isinstance(y, nn.Parameter) and y.tolist() == [0, 1, 2]


def train(device: str, steps: int = 1) -> list[Any]:
    """The losses and weights of LeNet-5 in training."""
    mc.manual_seed(0)
    model = mc.models.LeNet5().to(device)
    optimizer = mc.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    images, labels = mc.rand(2, 1, 32, 32, device=device), mc.randint(10, (2,), device=device)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert {x.device.type for x in model.parameters()} == {device}
    assert momenta(optimizer) == {device}
    mc.save(optimizer.state_dict(), stream := io.BytesIO())
    stream.seek(0)
    optimizer.load_state_dict(mc.load(stream))
    assert momenta(optimizer) == {device}
    return [losses, [x.detach().cpu().numpy() for x in model.parameters()]]


def momenta(optimizer: mc.optim.Optimizer) -> set[str]:
    """Where an optimizer keeps its memories."""
    return {memory["momentum_buffer"].device.type for memory in optimizer.state.values()}


def test_lenet_trains_as_by_definition(device):
    """On the CPU and on the GPU as with the reference kernels."""
    with importlib.import_module("minicnn.device").use_kernels("reference"):
        expected = train("cpu")
    compare(train(device), expected, "float32", "")


def test_lenet_trains_on_as_on_the_cpu(cuda):
    compare(train(cuda, steps=3), train("cpu", steps=3), "float32", "")
