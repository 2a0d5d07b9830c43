"""From the shell to the first training step, in minicnn and in PyTorch: a new process for each figure.

    python -m benchmarks.cold_start [--models lenet5 simplecnn] [--threads 2] [--runs 5]

A process starts Python, imports the library, makes the model, and takes one step of Adam with 64 random
pictures; what counts is the time until then. Cold: the folder for compiled kernels is empty. Warm: it has
what the cold run left there. With --results the table goes to cold_start_cpu.md in that folder.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIDES = {"lenet5": 32, "simplecnn": 28}  # of their pictures


def first_step(name: str, library: str) -> float:
    """The loss of one training step in this process; the lines are the same for both."""
    if library == "minicnn":
        import minicnn as module
        from minicnn import nn
    else:
        import torch as module
        from torch import nn

    if name == "lenet5":
        layers = [nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2)]
        layers += [nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten()]
        layers += [nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)]
    else:
        layers = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2)]
        layers += [nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
        layers += [nn.Linear(1600, 128), nn.ReLU(), nn.Linear(128, 10)]
    model = nn.Sequential(*layers)
    optimizer = module.optim.Adam(model.parameters(), lr=1e-3)
    x, y = module.rand(64, 1, SIDES[name], SIDES[name]), module.zeros(64, dtype=module.int64)
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def seconds(name: str, library: str, threads: int, folder: str) -> float:
    """From the start of a process to its first step; compiled kernels are kept in that folder."""
    number = str(threads)
    settings = {"NUMBA_NUM_THREADS": number, "OMP_NUM_THREADS": number, "NUMBA_CACHE_DIR": folder}
    command = [sys.executable, "-m", "benchmarks.cold_start", "--alone", name, library]
    start = time.time()
    done = subprocess.run(command, env=os.environ | settings, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1]) - start


def main() -> None:
    """Measure and print a table."""
    if sys.argv[1:2] == ["--alone"]:  # nothing else is imported
        first_step(*sys.argv[2:])
        print(time.time())
        return

    from benchmarks.report import Table, add_results, file_in, machine, options

    parser = options(__doc__)
    parser.add_argument("--models", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--runs", type=int, default=5, help="warm ones; the cold one is one")
    add_results(parser)
    args = parser.parse_args()
    table = Table(
        file_in(args.results, "cold_start_cpu.md"),
        "From the shell to the first training step, on the CPU",
        [machine(), "Seconds; of warm runs the median (all)."],
        ["model", "threads", "minicnn, cold", "minicnn, warm", "PyTorch"],
    )
    for name in args.models:
        for threads in args.threads:
            with table.attempt(name, threads), tempfile.TemporaryDirectory() as folder:
                cold = seconds(name, "minicnn", threads, folder)
                assert any(Path(folder).rglob("*.nbi")), "no kernel was kept"
                warm = [seconds(name, "minicnn", threads, folder) for _ in range(args.runs)]
                theirs = [seconds(name, "PyTorch", threads, folder) for _ in range(args.runs)]
                table.add(name, threads, f"{cold:.1f}", told(warm), told(theirs))
    sys.exit(table.failed)


def told(times: list[float]) -> str:
    """Their median, and all of them."""
    return f"{sorted(times)[len(times) // 2]:.2f} ({', '.join(f'{t:.2f}' for t in sorted(times))})"


if __name__ == "__main__":
    main()
