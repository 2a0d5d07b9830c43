"""All that is measured on a GPU, one program after the other, each in a process of its own.

    python -m benchmarks.on_gpu [--parts smoke small mnist] [--seconds 540] [--results FOLDER]

A program keeps each row of its table in benchmarks/results/ as soon as it is known, so one that fails, or is
ended because the time is up, takes nothing from what is there. The exit code is 0 if all parts succeeded.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.report import RESULTS

STEPS = ["benchmarks.train_step", "--device", "cuda"]
SMALL, LARGE = ["--models", "lenet5", "simplecnn"], ["--models", "resnet18_cifar", "resnet50"]
KERNELS = ["benchmarks.kernels", "--device", "cuda", "--seconds", "0.2"]
TESTS = [
    f"tests/test_{name}.py"
    for name in ("capture", "capture_tables", "training_gpu", "device", "cuda_products", "cuda_kernels")
]
PARTS = {  # in the order of their worth: a module and its arguments
    "smoke": ["benchmarks.on_gpu.smoke"],
    "small": [*STEPS, *SMALL],
    "large": [*STEPS, *LARGE, "--tf32"],
    "mnist": ["benchmarks.on_gpu.mnist"],
    "memory": ["benchmarks.on_gpu.memory"],
    "kernels": [*KERNELS, "--tf32"],
    "tests": ["pytest", "--device", "cuda", "-q", "-W", "default", *TESTS],
    "compiled": [*STEPS, *SMALL, "--compiled"],
    "compiled_large": [*STEPS, *LARGE, "--tf32", "--compiled"],
}


def run(command: list[str], seconds: float) -> int | None:
    """The exit code of a program, or None if the time was up; it and what it started have ended then."""
    process = subprocess.Popen(command, start_new_session=True)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def measure(parts: list[str], seconds: float, results: Path) -> dict[str, str]:
    """Run the parts while there is time; how each ended: "ok", or why not."""
    ended, end = {}, time.monotonic() + seconds
    for name in parts:
        module, *arguments = PARTS[name]
        command = [sys.executable, "-u", "-X", "faulthandler", "-m", module, *arguments]
        command += [] if name == "tests" else ["--results", str(results)]
        start = time.monotonic()
        if start >= end:
            ended[name] = "not begun: the time was up"
            continue
        print(f"\n== {name}: {' '.join(command[5:])}", flush=True)
        code = run(command, end - start)
        told = "ok" if code == 0 else "the time was up" if code is None else f"failed with exit code {code}"
        ended[name] = told if start >= end else f"{told}, {time.monotonic() - start:.0f} s"
    return ended


def main() -> None:
    """Run them and say how each ended."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=[*PARTS], default=[*PARTS])
    parser.add_argument("--seconds", type=float, default=540, help="for all parts together")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for the tables")
    args = parser.parse_args()
    ended = measure(args.parts, args.seconds, args.results)
    print("\n" + "\n".join(f"{name:15} {told}" for name, told in ended.items()))
    sys.exit(any(not told.startswith("ok") for told in ended.values()))


if __name__ == "__main__":
    main()
