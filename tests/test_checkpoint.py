"""`mc.save` and `mc.load`: weights, and the dictionaries that training loops keep."""

import io
import json
import struct

import numpy as np
import pytest
from safetensors import torch as safetensors_torch

import minicnn as mc
from minicnn import nn, optim


def same(a, b) -> bool:
    if isinstance(a, mc.Tensor):
        return isinstance(b, mc.Tensor) and a.dtype == b.dtype and np.array_equal(a.numpy(), b.numpy())
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


def trained():
    model = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        (model(mc.ones(4, 5)) ** 2).mean().backward()
        optimizer.step()
    return model, optimizer


def test_weights_are_a_plain_file(tmp_path):
    model, _ = trained()
    path = tmp_path / "model.pt"
    mc.save(model.state_dict(), path)
    assert set(safetensors_torch.load_file(path)) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    loaded = mc.load(path, map_location=mc.device("cpu"), weights_only=True)
    assert same(dict(model.state_dict()), loaded)
    fresh, _ = trained()
    fresh.load_state_dict(loaded)
    assert np.array_equal(fresh(mc.ones(1, 5)).detach().numpy(), model(mc.ones(1, 5)).detach().numpy())
    mc.save(model.state_dict(), str(path))
    assert same(mc.load(str(path), "cpu"), loaded)


def test_checkpoint_as_tutorials_write_it(tmp_path):
    model, optimizer = trained()
    path = tmp_path / "checkpoint.tar"
    mc.save(
        {
            "epoch": 3,
            "model_state_dict": model.state_dict(),
            "optimizer_state_dict": optimizer.state_dict(),
            "loss": 0.1,
        },
        path,
    )
    names = set(safetensors_torch.load_file(path))
    assert {"model_state_dict.0.weight", "model_state_dict.2.bias"} <= names
    checkpoint = mc.load(path)
    assert checkpoint["epoch"] == 3 and checkpoint["loss"] == 0.1
    fresh, other = trained()
    fresh.load_state_dict(checkpoint["model_state_dict"])
    other.load_state_dict(checkpoint["optimizer_state_dict"])
    for network, steps in ((model, optimizer), (fresh, other)):
        steps.zero_grad()
        (network(mc.ones(4, 5)) ** 3).mean().backward()
        steps.step()
    assert same(dict(model.state_dict()), dict(fresh.state_dict()))


VALUES = {
    "numbers": [1, -(2**70), 0.1, float("inf"), float("-inf"), float("nan"), True, False, None],
    "text": "ä\n{}",
    3: {1.5: (), True: [], None: {}, "nested": [{"x": (mc.tensor([1, 2]), "y")}]},
    "a.b": mc.tensor([[1.0]]),
    "a": {"b": mc.tensor(2.0)},
    "": mc.zeros(0, 3),
}


@pytest.mark.parametrize("value", [VALUES, mc.tensor([1.0, 2.0]), [mc.tensor([True])], 5, "text", None, {}])
def test_what_goes_in_comes_out(value):
    buffer = io.BytesIO()
    mc.save(value, buffer)
    buffer.seek(0)
    assert same(mc.load(buffer), value)


def test_numpy_values():
    buffer = io.BytesIO()
    mc.save({"loss": np.float32(0.5), "count": np.int64(3), "array": np.arange(3)}, buffer)
    buffer.seek(0)
    loaded = mc.load(buffer)
    assert loaded["loss"] == 0.5 and type(loaded["loss"]) is float and type(loaded["count"]) is int
    assert loaded["array"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "value, message",
    [
        ({"model": object()}, "got 'model': object"),
        (nn.Linear(1, 1), r"got Linear; save its state_dict\(\)"),
        ({"a": [1, nn.Linear(1, 1)]}, "got 'a.1': Linear; save its state_dict"),
        ({"a": {(1, 2): 3}}, r"keys must be strings or numbers, got \(1, 2\) in a"),
        ({"a": 1, "f": len}, "got 'f': builtin"),
    ],
)
def test_only_plain_values(tmp_path, value, message):
    with pytest.raises(TypeError, match=message):
        mc.save(value, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_damaged_structures_are_told(tmp_path):
    for structure in ("{", '{"tensor": "b"}', '{"call": "print"}', '{"dict": [1]}', "{}", '{"float": "x"}'):
        header = json.dumps({"__metadata__": {"minicnn.structure": structure}}).encode()
        (tmp_path / "file").write_bytes(struct.pack("<Q", len(header)) + header)
        with pytest.raises(ValueError, match=r"file has a damaged structure"):
            mc.load(tmp_path / "file")


def test_other_devices():
    buffer = io.BytesIO()
    mc.save({"a": mc.ones(1)}, buffer)
    with pytest.raises(RuntimeError, match="load: cuda:0 is not available"):
        mc.load(buffer, map_location="cuda:0")
    buffer.seek(0)
    assert mc.load(buffer, map_location=lambda storage, location: storage)["a"].item() == 1
