"""Whole programs written for PyTorch: with other import lines minicnn runs them, and computes the same."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import minicnn

FOLDER = Path(__file__).parent / "scripts"
# what the programs compute in, with the rounding that a few steps of training leave
DOUBLE = {"rtol": 1e-9, "atol": 1e-9}
SINGLE = {"rtol": 2e-4, "atol": 2e-5}
SCRIPTS = {
    "blitz": SINGLE,
    "digits": SINGLE,
    "families": DOUBLE,
    "generate": DOUBLE,
    "likeness": DOUBLE,
    "looking": DOUBLE,
    "modern": DOUBLE,
    "resnet": DOUBLE,
    "scratch": SINGLE,
    "segment": SINGLE,
    "transformer": DOUBLE,
    "tricks": DOUBLE,
    "vit": {"rtol": 1e-7, "atol": 1e-7},  # float64 but for the sines of its positions
}
NUMBER = re.compile(r"-?\d+\.\d*(?:e[+-]?\d+)?")


def for_minicnn(text):
    """The program with minicnn's import lines."""

    def other(line):
        return re.sub(r"\btorch\b", "minicnn", line[0]) + (" as torch" if line[0] == "import torch" else "")

    return re.sub(r"^(?:import|from) torch\b.*", other, text, flags=re.MULTILINE)


def run(text):
    """What the program prints, and the variables that it leaves behind."""
    names = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        exec(compile(text, "script", "exec"), names)
    return shown.getvalue().replace("torch.", ""), names  # shapes and dtypes print without their library


def numbers(value):
    """Tensors, numbers and what holds them as nested lists with arrays at the ends; None for other things."""
    if isinstance(value, torch.Tensor | minicnn.Tensor):
        return value.detach().numpy()
    if isinstance(value, bool | int | float | np.ndarray):
        return np.asarray(value)
    if isinstance(value, dict):
        return [[str(key), numbers(x)] for key, x in value.items()]
    if isinstance(value, list | tuple):
        return [numbers(x) for x in value]
    return None


def assert_same(ours, theirs, tolerance, what):
    """Equal up to rounding, and of the same shapes and dtypes."""
    if isinstance(theirs, list):
        assert len(ours) == len(theirs), what
        for i, (x, y) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(x, y, tolerance, f"{what}[{i}]")
    elif isinstance(theirs, np.ndarray):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), what
        np.testing.assert_allclose(ours, theirs, **tolerance, err_msg=what)
    else:
        assert ours == theirs, what


def test_every_script_is_run():
    assert {path.stem for path in FOLDER.glob("*.py")} == {*SCRIPTS, "made"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(name, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    ours, theirs = for_minicnn(text), text
    changed = [y for x, y in zip(ours.splitlines(), theirs.splitlines(), strict=True) if x != y]
    assert changed and all(line.startswith(("import ", "from ")) for line in changed)
    expected, reference = run(theirs)
    shown, mine = run(ours)
    assert NUMBER.split(shown) == NUMBER.split(expected)
    for x, y in zip(NUMBER.findall(shown), NUMBER.findall(expected), strict=True):
        assert float(x) == pytest.approx(float(y), rel=2e-3, abs=2e-3)  # as far as they are printed
    compared = {name: numbers(value) for name, value in reference.items() if not name.startswith("_")}
    assert any(isinstance(value, list | np.ndarray) for value in compared.values())
    for variable, value in compared.items():
        assert_same(numbers(mine[variable]), value, SCRIPTS[name], variable)
