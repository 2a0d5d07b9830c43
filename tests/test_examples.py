"""The examples run, and what their headers claim holds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
def test_mnist(tmp_path):
    """The accuracy in the header is reached, give or take a quarter of a point."""
    script = EXAMPLES / "mnist.py"
    claimed = float(re.search(r"([\d.]+) % of the test digits", script.read_text()).group(1))
    command = [sys.executable, "-W", "error", str(script)]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    reached = float(re.search(r"test accuracy ([\d.]+) %", shown).group(1))
    assert reached == pytest.approx(claimed, abs=0.25)
