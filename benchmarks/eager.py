"""What one operation on a small Tensor costs in minicnn and in PyTorch, in turn in one run: mostly overhead.

    python -m benchmarks.eager [--seconds 0.3]

Each of 20 operations runs on constants and on Tensors that require grad (forward only, recorded). One thread.
Ratio = PyTorch's median / minicnn's: above 1, minicnn is faster. With --results the table goes to
eager_cpu.md in that folder.
"""

import statistics
import sys
from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch

import minicnn as mc
from benchmarks.report import Table, add_results, file_in, machine, options
from benchmarks.timing import alternate, median_ms, set_threads

CALLS = 100  # in one timing
COLUMNS = "minicnn", "PyTorch", "ratio"

# name -> function of module, two matrices (4, 4), pictures (2, 3, 6, 6), their weight (4, 3, 3, 3) and labels
OPERATIONS: dict[str, Callable] = {
    "a + b": lambda m, a, b, x, w, y: a + b,
    "a * 2": lambda m, a, b, x, w, y: a * 2.0,
    "a / b": lambda m, a, b, x, w, y: a / b,
    "a ** 2": lambda m, a, b, x, w, y: a**2,
    "a @ b": lambda m, a, b, x, w, y: a @ b,
    "a > 0": lambda m, a, b, x, w, y: a > 0,
    "exp": lambda m, a, b, x, w, y: a.exp(),
    "tanh": lambda m, a, b, x, w, y: a.tanh(),
    "relu": lambda m, a, b, x, w, y: a.relu(),
    "sum": lambda m, a, b, x, w, y: a.sum(),
    "mean of a dimension": lambda m, a, b, x, w, y: a.mean(dim=1),
    "argmax": lambda m, a, b, x, w, y: a.argmax(dim=1),
    "view": lambda m, a, b, x, w, y: a.view(2, 8),
    "transpose": lambda m, a, b, x, w, y: a.transpose(0, 1),
    "a[:, 1:3]": lambda m, a, b, x, w, y: a[:, 1:3],
    "cat": lambda m, a, b, x, w, y: m.cat([a, b], dim=1),
    "linear": lambda m, a, b, x, w, y: m.nn.functional.linear(a, b),
    "conv2d": lambda m, a, b, x, w, y: m.nn.functional.conv2d(x, w, padding=1),
    "max_pool2d": lambda m, a, b, x, w, y: m.nn.functional.max_pool2d(x, 2),
    "cross_entropy": lambda m, a, b, x, w, y: m.nn.functional.cross_entropy(a, y),
}


def many(operation: Callable, module: ModuleType, requires_grad: bool) -> Callable[[], object]:
    """A function that runs the operation CALLS times."""
    rng = np.random.default_rng(0)
    tensors = [
        module.tensor(rng.random(shape, np.float32), requires_grad=requires_grad)
        for shape in ((4, 4), (4, 4), (2, 3, 6, 6), (4, 3, 3, 3))
    ]
    labels = module.tensor([0, 1, 2, 3])

    def run() -> None:
        for _ in range(CALLS):
            operation(module, *tensors, labels)

    return run


def main() -> None:
    """Print a line for each operation, and the geometric means."""
    parser = options(__doc__)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each operation and library")
    add_results(parser)
    args = parser.parse_args()
    set_threads(1)
    sides = [f"{what}{column}" for what in ("constants: ", "requires grad: ") for column in COLUMNS]
    table = Table(
        file_in(args.results, "eager_cpu.md"),
        "One operation on a small Tensor, on the CPU",
        [
            f"{machine()} One thread.",
            "Microseconds a call, forward only: medians. Ratio = PyTorch's / minicnn's: above 1, minicnn is "
            "faster.",
        ],
        ["", *sides],
    )
    ratios: tuple[list[float], list[float]] = ([], [])
    for name, operation in OPERATIONS.items():
        with table.attempt(name):
            cells = []
            for requires_grad in (False, True):
                functions = [many(operation, module, requires_grad) for module in (mc, torch)]
                ours, theirs = (
                    median_ms(times) * 1e3 / CALLS for times in alternate(functions, args.seconds, 5)
                )
                ratios[requires_grad].append(theirs / ours)
                cells += [f"{ours:.2f}", f"{theirs:.2f}", f"{theirs / ours:.2f}"]
            table.add(name, *cells)
    means = [f"**{statistics.geometric_mean(both):.2f}**" for both in ratios]
    table.add("geometric mean", "", "", means[0], "", "", means[1])
    sys.exit(table.failed)


if __name__ == "__main__":
    main()
