"""All that is measured on a CPU, one program after the other, each in a process of its own.

    python -m benchmarks.on_cpu [--minutes 45] [--parts inference kernels] [--threads 1 2]

The tables and a picture go to benchmarks/results/, each row as soon as it is known. The parts that take the
time they take come first; what is left is shared among the others by the number of their measurements. Let
the machine do nothing else meanwhile: each table says how busy it was before.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import RESULTS, options


class Part(NamedTuple):
    """A program of this folder, its arguments, and its weight when time is shared; 0: it takes its own.

    `threads` are the numbers of threads that it is given: all, the last, or none.
    """

    program: str
    arguments: tuple[str, ...] = ()
    weight: int = 0
    threads: slice = slice(None)


SMALL = "--models", "lenet5", "simplecnn", "simplecnn_cifar"
PARTS = {
    "cold_start": Part("cold_start"),
    "training_run": Part("training_run"),
    "memory": Part("memory", threads=slice(-1, None)),
    "eager": Part("eager", threads=slice(0)),
    "loading": Part("loading", threads=slice(0)),
    "train_step": Part("train_step", weight=3),
    "avx2": Part("train_step", ("--avx2", *SMALL), weight=1),
    "inference": Part("inference", weight=3),
    "kernels": Part("kernels", ("--batch-size", "8", "64"), weight=5),
}


def main() -> None:
    """Run them and say how each ended."""
    parser = options(__doc__)
    parser.add_argument("--minutes", type=float, default=45.0, help="for all parts together, about")
    parser.add_argument("--parts", nargs="+", choices=[*PARTS], default=[*PARTS])
    parser.add_argument("--threads", nargs="+", default=["1", "2"], help="rising; memory's is the last")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for the tables")
    args = parser.parse_args()
    end, ended = time.monotonic() + 60 * args.minutes, {}
    for i, name in enumerate(args.parts):
        program, arguments, weight, threads = PARTS[name]
        command = [sys.executable, "-m", f"benchmarks.{program}", *arguments, "--results", str(args.results)]
        command += ["--threads", *args.threads[threads]] if args.threads[threads] else []
        start = time.monotonic()
        if weight:
            left = max(0.0, end - start) / 60
            command += [
                "--minutes",
                str(left * weight / sum(PARTS[later].weight for later in args.parts[i:])),
            ]
        print(f"\n== {name}: {' '.join(command[2:])}\n", flush=True)
        code = subprocess.run(command, env=os.environ | {"NUMBA_NUM_THREADS": args.threads[-1]}).returncode
        told = "ok" if code == 0 else f"failed with exit code {code}"
        ended[name] = f"{told}, {(time.monotonic() - start) / 60:.1f} minutes"
    print("\n" + "\n".join(f"{name:15} {told}" for name, told in ended.items()))
    sys.exit(any(told.startswith("failed") for told in ended.values()))


if __name__ == "__main__":
    main()
