"""What benchmarks share in telling: their options, the machine, and a table that is kept."""

import argparse
import datetime
import importlib.metadata
import os
import platform
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.timing import median_ms, told_ms

RESULTS = Path(__file__).parent / "results"
LIBRARIES = "torch", "numba", "numpy"


def options(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the program's docstring."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


def add_results(parser: argparse.ArgumentParser) -> None:
    """``--results``."""
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="keep the table there, too")


def file_in(results: Path | None, name: str) -> Path | None:
    """The file of that name in the folder, if there is one."""
    return results and results / name


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


def meaning(what: str) -> str:
    """What the figures of a table say."""
    return (
        f"Milliseconds {what}: median (quartiles). Both libraries take turns, each in a process of its own. "
        "Ratio = PyTorch's median / minicnn's: above 1, minicnn is faster."
    )


def beside(ours: Sequence[float], theirs: Mapping[str, Sequence[float]]) -> tuple[str, str, str]:
    """Cells of a table: minicnn's times; those of PyTorch's best mode, and which it is; their ratio."""
    best = fastest(theirs)
    mode = next(mode for mode, times in theirs.items() if times is best)
    return told_ms(ours), f"{told_ms(best)}, {mode}", f"**{median_ms(best) / median_ms(ours):.2f}**"


def fastest(modes: Mapping[str, Sequence[float]]) -> Sequence[float]:
    """The times of the mode with the smallest median."""
    return min(modes.values(), key=median_ms)


class Table:
    """A table of results that is printed, and kept row by row: a run that is ended leaves what it found.

    Parameters
    ----------
    path : Path or None
        The file, if it is kept; an earlier run's stays until there is a row.
    title : str
        What is measured.
    remarks : sequence of str
        Paragraphs above the table: the machine, the setting.
    columns : sequence of str
        Their heads.
    """

    def __init__(self, path: Path | None, title: str, remarks: Sequence[str], columns: Sequence[str]) -> None:
        self.path, self.failed = path, False
        self.lines = [f"# {title}", ""]
        for remark in remarks:
            self.lines += [remark, ""]
        for cells in (columns, ["---"] * len(columns)):
            self.lines.append(f"| {' | '.join(cells)} |")
        print("\n".join(self.lines), flush=True)

    def add(self, *cells: object) -> None:
        """One more row."""
        self.keep(f"| {' | '.join(map(str, cells))} |")

    def keep(self, line: str) -> None:
        """One more line."""
        print(line, flush=True)
        self.lines.append(line)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text("\n".join(self.lines) + "\n")

    @contextmanager
    def attempt(self, *what: object) -> Iterator[None]:
        """Let what is measured inside fail alone: it is told in full, gets a row, and the rest goes on."""
        try:
            yield
        except Exception as error:
            traceback.print_exc()
            self.failed = True
            told = f"{type(error).__name__}: {error}".splitlines()[0].replace("|", "/")
            self.add(*what, f"failed: {told[:200]}")
