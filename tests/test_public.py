"""The names in ``minicnn``: those there at once, those that load later, and PyTorch's functions."""

import subprocess
import sys

import numpy as np
import pytest

import minicnn as mc
from layout import ROOT


def test_every_public_name_is_there():
    for name in mc.__all__:
        assert getattr(mc, name) is not None
    assert set(mc.__all__) <= set(dir(mc))


def test_star_import_leaves_builtins_alone():
    names = {}
    exec("from minicnn import *", names)
    assert "Tensor" in names
    assert names.keys().isdisjoint({"sum", "max", "min", "abs", "pow", "int", "float", "bool"})


def test_unknown_names():
    with pytest.raises(AttributeError, match="module 'minicnn' has no attribute 'tensors'"):
        mc.tensors  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from minicnn import nothing  # noqa: F401


@pytest.mark.parametrize(
    "program",
    [
        "import minicnn as mc; assert 'minicnn.training' not in sys.modules; mc.Trainer; mc.data.MNIST",
        "import minicnn.nn as nn, minicnn.nn.functional as F, minicnn.optim as o; nn.ReLU, F.relu, o.SGD",
        "from minicnn import Trainer, History, models, summary; models.LeNet5, summary",
        "import minicnn.tensor, minicnn.inspect, minicnn as mc; mc.tensor([1]).item(), mc.summary",
        "from minicnn.models import LeNet5; import minicnn as mc; assert mc.models.LeNet5 is LeNet5",
    ],
)
def test_imports_of_a_fresh_interpreter(program):
    subprocess.run([sys.executable, "-W", "error", "-c", f"import sys; {program}"], cwd=ROOT, check=True)


def test_dtypes():
    assert mc.zeros(2, dtype=mc.float64).dtype == mc.double
    assert mc.tensor([1.0]).dtype == mc.float == mc.float32 == np.float32
    assert mc.tensor([1]).dtype == mc.long == mc.int64
    assert mc.zeros(1, dtype=mc.int).dtype == mc.int32
    assert mc.zeros(1, dtype=mc.uint8).dtype == np.uint8
    assert (mc.tensor([1]) == 1).dtype == mc.bool


def test_save_and_load(tmp_path):
    model, path = mc.models.LeNet5(), tmp_path / "model.safetensors"
    mc.save(model.state_dict(), path)
    loaded = mc.load(path)
    assert loaded.keys() == model.state_dict().keys()
    mc.save({"fc3.bias": model.fc3.bias * 2}, path)
    assert mc.load(path)["fc3.bias"].tolist() == (model.fc3.bias * 2).tolist()
    assert (loaded["conv1.weight"].array == model.conv1.weight.array).all()
