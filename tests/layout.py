"""Checkers of the repository's own rules, for test_layout.py. They read source text and import none of it."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FOLDERS = (".ci", "benchmarks", "docs", "examples", "minicnn", "tests")

# Imports go down, or to a neighbour on the same floor that does not import back.
FLOORS = (
    {"minicnn", "cli"},  # "minicnn" is the package's own __init__.py
    {"training", "inspect", "interop", "testing", "utils"},
    {"models", "data", "plan"},
    {"nn", "optim"},
    {"tensor", "random"},
    {"ops"},
    {"autograd", "device", "memory", "capture", "cuda", "accelerator", "tape", "backends", "outside"},
    {"kernels"},
)
TELLINGS = {"reference", "cpu", "cuda"}  # of kernels; none imports another
LEVEL = {package: level for level, floor in enumerate(FLOORS) for package in floor}

# Imports upwards, lazy ones only: (module, package it imports) -> reason.
UPWARD = {
    ("minicnn.models.pretrained", "interop"): "weights=PATH reads a file",
    ("minicnn.nn.container", "training"): "Sequential has fit, evaluate and predict as shortcuts",
    ("minicnn.nn.container", "inspect"): "Sequential has summary as a shortcut",
}

# Modules that import by a computed name -> why this loads nothing that a file or a user names.
BY_NAME = {
    "minicnn": "public names are imported at their first use, from a table in the file",
    "minicnn.cli": "the file of a command, one of those that the argument parser knows",
    "minicnn.device": "one of the kernel packages, chosen from a list in the file",
}
HEAVY = {"numba", "torch", "cupy", "matplotlib", "scipy", "PIL", "tqdm"}
SOURCES = (".py", ".cu", ".cuh", ".h")
RUNS_CODE = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "runpy"}
PROPER_NAMES = {"lenet5", "cifar10", "tf32"}  # file names may end in a digit only as part of these


class Import(NamedTuple):
    target: str  # dotted, down to the imported name
    line: int
    lazy: bool  # inside a function, or for type checkers only


class Source(NamedTuple):
    module: str
    text: str
    is_package: bool = False


def imports_of(source: Source) -> Iterator[Import]:
    tree = ast.parse(source.text, source.module)
    lazy = {
        id(node)
        for part in ast.walk(tree)
        if isinstance(part, ast.FunctionDef)
        or (isinstance(part, ast.If) and ast.unparse(part.test) == "TYPE_CHECKING")
        for node in ast.walk(part)
    }
    parents = source.module.split(".")
    if not source.is_package:
        parents.pop()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = parents[: len(parents) - node.level + 1] if node.level else []
            start = [*above, node.module] if node.module else above
            targets = [".".join([*start, alias.name]) for alias in node.names]
        else:
            continue
        for target in targets:
            yield Import(target, node.lineno, id(node) in lazy)


def package_of(dotted: str) -> str:
    """The name that stands on a floor: ``nn`` of minicnn.nn.conv, ``minicnn`` of minicnn.Tensor."""
    second = dotted.split(".")[1:2]
    return second[0] if second and second[0] in LEVEL else "minicnn"


def floor_faults(sources: list[Source], upward: dict[tuple[str, str], str]) -> list[str]:
    """Imports that go up, neighbours that import each other, kernel packages that lean on each other."""
    faults = []
    neighbours: dict[str, set[str]] = {}
    unused = set(upward)
    for source in sources:
        mine = package_of(source.module)
        if mine == "minicnn" and source.module not in ("minicnn", "minicnn.__main__"):
            faults.append(f"{source.module} stands on no floor")
            continue
        for target, line, lazy in imports_of(source):
            theirs = package_of(target)
            if target.split(".")[0] != "minicnn":
                continue
            if mine == theirs == "kernels":
                own, other = source.module.split(".")[2:3], target.split(".")[2:3]
                if own != other and TELLINGS.intersection(other):
                    faults.append(f"{source.module}:{line} leans on another telling, {target}")
            elif LEVEL[theirs] < LEVEL[mine]:
                if lazy and (source.module, theirs) in upward:
                    unused.discard((source.module, theirs))
                else:
                    faults.append(f"{source.module}:{line} imports {target} from a floor above")
            elif LEVEL[theirs] == LEVEL[mine] and theirs != mine:
                neighbours.setdefault(mine, set()).add(theirs)
    try:
        TopologicalSorter(neighbours).prepare()
    except CycleError as error:
        faults.append(f"neighbours import each other: {' -> '.join(error.args[1])}")
    return faults + [f"{module} no longer imports {package}: strike it off" for module, package in unused]


def code_faults(source: Source) -> list[str]:
    """PyTorch or CuPy where they do not belong, and whatever could run code that came in a file."""
    faults = []
    for target, line, _ in imports_of(source):
        library = target.split(".")[0]
        if library == "torch" or library in RUNS_CODE:
            faults.append(f"{source.module}:{line} imports {library}")
        if library in ("cupy", "cupyx") and not re.match(r"minicnn\.(device$|kernels\.cuda)", source.module):
            faults.append(f"{source.module}:{line} imports {library}, which only device and kernels/cuda may")
    for node in ast.walk(ast.parse(source.text, source.module)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        by_name = called.rpartition(".")[2] == "import_module" and source.module not in BY_NAME
        if called in ("eval", "exec", "compile", "__import__") or by_name:
            faults.append(f"{source.module}:{node.lineno} calls {called}")
        if any(key.arg == "allow_pickle" and ast.unparse(key.value) != "False" for key in node.keywords):
            faults.append(f"{source.module}:{node.lineno} allows pickles")
    return faults


def signatures(text: str) -> dict[str, str]:
    """The functions in a module's ``__all__``, each with the names, order and defaults of its arguments."""
    tree = ast.parse(text)
    public: list[str] = []
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            public = ast.literal_eval(node.value)
        elif isinstance(node, ast.FunctionDef):
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
            found[node.name] = f"({ast.unparse(node.args)})"
    return {name: found.get(name, " is not defined in this file") for name in public}


def kernel_faults(reference: dict[str, str], other: dict[str, str]) -> list[str]:
    """How another telling of the kernels differs from the reference; both are family -> source text."""
    faults = []
    for family in sorted(reference.keys() | other.keys()):
        expected, got = signatures(reference.get(family, "")), signatures(other.get(family, ""))
        for name in sorted(expected | got):
            left, right = (f"{name}{told[name]}" if name in told else "missing" for told in (expected, got))
            if left != right or "not defined" in left:
                faults.append(f"{family}: {left} in reference, {right} here")
    return faults


def size_fault(text: str) -> bool:
    """More than 350 lines, and no line near the top says why."""
    lines = text.splitlines()
    return len(lines) > 350 and not any("Longer than 350 lines because" in line for line in lines[:40])


def long_lines(text: str) -> list[int]:
    """Lines of more than 110 characters, for what is no Python and so out of ruff's sight."""
    return [number for number, line in enumerate(text.splitlines(), 1) if len(line) > 110]


def numbered(path: Path) -> bool:
    """A file name that ends in a number (conv2, gemm_v3) where it should say the idea."""
    last = re.split(r"[_-]", path.stem)[-1]
    return last[-1:].isdigit() and last not in PROPER_NAMES


def machine_paths(text: str) -> list[str]:
    """Absolute paths of somebody's machine."""
    return re.findall(r"(?<![\w.])/(?:work|tmp|home|root|Users)/[\w.-]+|\b[A-Z]:\\Users\b", text)


def run_alone(statement: str) -> tuple[float, set[str]]:
    """Run a statement in a fresh interpreter: its processor seconds, the libraries loaded after it."""
    program = (
        f"import sys, time; start = time.process_time(); {statement}; seconds = time.process_time() - start\n"
        "print(seconds, *{name.partition('.')[0] for name in sys.modules})"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return float(answer[0]), set(answer[1:])


def project_files() -> list[Path]:
    """Every file of the project, but not what tools leave in its folder; relative to the root."""
    paths = [*ROOT.glob("[!.]*"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))]
    paths = [path for path in paths if path.parent.name != "__pycache__" and path.is_file()]
    return [path.relative_to(ROOT) for path in sorted(paths)]


def package_sources() -> list[Source]:
    sources = []
    for path in project_files():
        if path.parts[0] == "minicnn" and path.suffix == ".py":
            names = path.with_suffix("").parts
            is_package = names[-1] == "__init__"
            module = ".".join(names[:-1] if is_package else names)
            sources.append(Source(module, (ROOT / path).read_text(encoding="utf-8"), is_package))
    assert len(sources) > 20  # an empty list would satisfy every rule
    return sources


def telling(name: str) -> dict[str, str]:
    paths = (ROOT / "minicnn" / "kernels" / name).glob("[!_]*.py")
    return {path.stem: path.read_text(encoding="utf-8") for path in paths}
