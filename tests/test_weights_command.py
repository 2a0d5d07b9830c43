"""``minicnn weights convert``: PyTorch's files become safetensors."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import minicnn as mc
from minicnn.cli import main

STATE = {"fc.weight": torch.arange(6.0).reshape(2, 3).T, "fc.bias": torch.ones(3), "steps": torch.tensor(4)}


def convert(*arguments):
    return main(["weights", "convert", *map(str, arguments)])


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize(
    "content",
    [STATE, {"epoch": 3, "state_dict": STATE}, {"model_state_dict": STATE, "args": {"lr": 0.1}}],
    ids=["alone", "state_dict", "checkpoint"],
)
def test_convert(tmp_path, capsys, content, new):
    torch.save(content, tmp_path / "net.pth", _use_new_zipfile_serialization=new)
    assert convert(tmp_path / "net.pth") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'net.safetensors'}: 3 tensors, 10 numbers\n"
    read = load_file(tmp_path / "net.safetensors")
    assert read.keys() == STATE.keys()
    assert all(torch.equal(read[name], STATE[name]) for name in STATE)


def test_weights_of_a_network(tmp_path):
    theirs = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.PReLU())
    torch.save(theirs.state_dict(), tmp_path / "net.pth")
    assert convert(tmp_path / "net.pth", "--out", tmp_path / "mine.safetensors") == 0
    ours = mc.nn.Sequential(mc.nn.Conv2d(1, 2, 3), mc.nn.BatchNorm2d(2), mc.nn.PReLU())
    ours.load_state_dict(mc.load(tmp_path / "mine.safetensors"))
    x = torch.randn(2, 1, 5, 7)
    expected = theirs.eval()(x).detach().numpy()
    np.testing.assert_allclose(ours.eval()(mc.tensor(x.numpy())).detach().numpy(), expected, rtol=1e-5)


def test_nothing_is_replaced_unasked(tmp_path, capsys):
    torch.save(STATE, tmp_path / "net.pth")
    (tmp_path / "net.safetensors").write_text("mine")
    assert convert(tmp_path / "net.pth") == 2
    assert "net.safetensors exists; pass --overwrite" in capsys.readouterr().err
    assert (tmp_path / "net.safetensors").read_text() == "mine"
    assert convert(tmp_path / "net.pth", "--overwrite") == 0
    assert load_file(tmp_path / "net.safetensors").keys() == STATE.keys()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.nn.Linear(2, 3), r"save model.state_dict() in PyTorch, not the model"),
        ([torch.ones(2)], "expected a dict of names to Tensors, by itself or as state_dict"),
        ({"state_dict": {"a": 1}}, "expected a dict of names to Tensors"),
        ({}, "expected a dict of names to Tensors"),
    ],
)
def test_what_is_refused(tmp_path, capsys, content, message):
    torch.save(content, tmp_path / "some.pth")
    assert convert(tmp_path / "some.pth") == 2
    error = capsys.readouterr().err
    assert error.startswith("minicnn: error: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "some.safetensors").exists()


def test_missing_files(tmp_path, capsys):
    assert convert(tmp_path / "none.pth") == 2
    assert "none.pth: No such file" in capsys.readouterr().err


def test_an_action_is_needed(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["weights"])
    assert "required: ACTION" in capsys.readouterr().err
