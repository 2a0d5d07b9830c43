"""What benchmarks share in telling: their options, the machine, and a table that is kept."""

import argparse
import datetime
import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.timing import median_ms, told_ms

RESULTS = Path(__file__).parent / "results"
LIBRARIES = "torch", "numba", "numpy"


def options(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the program's docstring."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


def add_keep(parser: argparse.ArgumentParser) -> None:
    """``--keep``."""
    parser.add_argument("--keep", action="store_true", help="write the table into benchmarks/results, too")


def machine() -> str:
    """Date, processor and versions, in a sentence."""
    today = datetime.date.today()
    told = [f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES]
    busy = f"load average {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    parts = [f"{processor()}, {os.cpu_count()} cores", busy, f"Python {platform.python_version()}", *told]
    return f"{today}, " + ", ".join(part for part in parts if part) + "."


def processor() -> str:
    """Its name and its widest vectors."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    about = dict(line.replace("\t", "").split(":", 1) for line in reversed(lines) if ":" in line)
    flags = about.get("flags", "").split()
    widest = next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), "")
    return f"{about.get('model name', platform.machine()).strip()} {widest}".strip()


def beside(ours: Sequence[float], theirs: Mapping[str, Sequence[float]]) -> tuple[str, str, str]:
    """Cells of a table: minicnn's times; those of PyTorch's best mode, and which it is; their ratio."""
    best = min(theirs, key=lambda mode: median_ms(theirs[mode]))
    ratio = median_ms(theirs[best]) / median_ms(ours)
    return told_ms(ours), f"{told_ms(theirs[best])}, {best}", f"**{ratio:.2f}**"


class Report:
    """Lines that are printed, and in the end kept in ``results/``."""

    def __init__(self, title: str) -> None:
        self.lines = [f"# {title}", ""]

    def add(self, line: str = "") -> None:
        """One more line."""
        print(line, flush=True)
        self.lines.append(line)

    def head(self, *columns: str) -> None:
        """The head of a table."""
        self.add()
        self.row(columns)
        self.row(["---"] * len(columns))

    def row(self, cells: Iterable[Any]) -> None:
        """A row of a table."""
        self.add(f"| {' | '.join(map(str, cells))} |")

    def save(self, name: str) -> None:
        """Keep them, in place of an earlier run's."""
        path = RESULTS / name
        path.write_text("\n".join(self.lines) + "\n")
        print(f"kept in {path}")
