"""LeNet-5 on MNIST: what all of a training takes, and whether a GPU learns as well as the CPU.

    python -m benchmarks.on_gpu.mnist [--epochs 5] [--seeds 0 1 2]

A run is all that ``minicnn train lenet5`` does but for writing files: the pictures are read and unpacked, the
model is made, trained (Adam 0.001, batches of 64; a CUDA graph on the GPU) and tested on the 10,000 test
pictures. The first run on the GPU also compiles the kernels, or finds them in the cache of an earlier one.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

import minicnn as mc
from benchmarks import gpu
from benchmarks.report import RESULTS, Table
from minicnn.data import DataLoader
from minicnn.training import Trainer
from minicnn.training.pictures import pictures


class Run(NamedTuple):
    """Seconds for reading, training and testing, and the share of test pictures that are told rightly."""

    reading: float
    training: float
    testing: float
    accuracy: float

    def cells(self) -> list[str]:
        """As a row has it."""
        seconds = (*self[:3], sum(self[:3]))
        return [*(f"{second:.2f}" for second in seconds), f"{self.accuracy:.2%}"]


def run(device: str, seed: int, epochs: int, root: str | None = None) -> Run:
    """Train once."""
    moments = [time.perf_counter()]
    train, test = (pictures("lenet5", root, part) for part in (True, False))
    moments.append(time.perf_counter())
    mc.manual_seed(seed)
    model = mc.models.create("lenet5")
    trainer = Trainer(model, mc.optim.Adam(model.parameters(), lr=1e-3), device=device)
    trainer.fit(DataLoader(train, 64, shuffle=True), epochs, verbose=False)
    moments.append(time.perf_counter())
    accuracy = trainer.evaluate(DataLoader(test, 64))["accuracy"]
    moments.append(time.perf_counter())
    return Run(*np.diff(moments), accuracy)


def measure(
    epochs: int, seeds: list[int], results: Path, device: str = "cuda", root: str | None = None
) -> bool:
    """Train with each seed on both devices, print and keep a table; whether all of it succeeded."""
    table = Table(
        results / "mnist_cuda.md",
        f"LeNet-5, {epochs} epochs of MNIST",
        [
            gpu.setting(device, False),
            "Seconds of the host's clock: reading the pictures, model and training, test, all of it.",
        ],
        ["device", "seed", "read", "train", "test", "all", "accuracy"],
    )
    with table.attempt("first run on the GPU"):
        table.add("GPU, first run", str(seeds[0]), *run(device, seeds[0], epochs, root).cells())
        found: dict[str, list[Run]] = {device: [], "cpu": []}
        for where, runs in found.items():
            for seed in seeds:
                runs.append(run(where, seed, epochs, root))
                table.add("CPU" if where == "cpu" else "GPU", str(seed), *runs[-1].cells())
        there, here = (100 * np.mean([one.accuracy for one in runs]) for runs in found.values())
        table.keep(
            f"\nMean accuracy: {there:.2f} % on the GPU, {here:.2f} % on the CPU: {there - here:+.2f} points."
        )
        taken = np.median([sum(one[:3]) for one in found[device]])
        table.keep(f"Median of all a run takes after the first on the GPU: {taken:.2f} s.")
    return not table.failed


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    gpu.check_device(parser, "cuda", False)
    sys.exit(not measure(args.epochs, args.seeds, args.results))


if __name__ == "__main__":
    main()
