"""The command that compiles ahead."""

import os
import re
import subprocess
import sys

import pytest

from layout import ROOT
from minicnn.cli import main

TRAIN = """
import minicnn as mc
from minicnn import models
from minicnn.data import TensorDataset

model = models.create("twolayer")
pictures = TensorDataset(mc.randn(200, 1, 28, 28), mc.randint(10, (200,)))
mc.Trainer(model, mc.optim.Adam(model.parameters()), device="cpu").fit(pictures, 3, pictures, verbose=False)
"""


def test_warmup_leaves_nothing_to_compile(tmp_path):
    """Training in another process finds whatever it needs in the folder."""

    def python(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path)}
        command = [sys.executable, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done

    first = python("-m", "minicnn", "warmup", "twolayer")
    ready, where = first.stdout.splitlines()
    assert re.fullmatch(r"twolayer: ready after [0-9.]+ s", ready)
    assert where.startswith(f"the kernels are in {tmp_path}")
    assert "minicnn: compiling optim.adam " in first.stderr
    assert python("-c", TRAIN).stderr == ""


def test_warmup_needs_a_folder(monkeypatch, capsys):
    monkeypatch.setattr("minicnn.kernels.cpu.jit.FOLDER", None)
    assert main(["warmup"]) == 2
    assert "set NUMBA_CACHE_DIR" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [("lenet", "did you mean 'lenet5'"), ("lenet5 unet", "no classifier"), ("lenet5 --size 28", "32x32")],
)
def test_warmup_says_what_is_wrong_before_it_begins(arguments, said, capsys):
    assert main(["warmup", *arguments.split()]) == 2
    printed, complaint = capsys.readouterr()
    assert said in complaint
    assert printed == ""
