"""Whether a GPU computes at all what the CPU does: a few training steps of small networks, number by number.

    python -m benchmarks.on_gpu.smoke

With batch normalisation and without; step by step and as a CUDA graph, which must give the same bits.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import minicnn as mc
from benchmarks import gpu
from benchmarks.on_gpu.steps import INPUTS, our_step
from benchmarks.report import RESULTS, Table

STEPS, BATCH = 5, 8
MODELS = {
    "lenet5": 1e-4,
    "simplecnn": 1e-4,
    "resnet20": 1e-2,
}  # how far all weights may be off, by their length


def trained(name: str, device: str, graph: bool = False) -> tuple[list[float], list[np.ndarray]]:
    """The losses of a few steps of a small batch, and the state of the model after them."""
    rng, shape = np.random.default_rng(0), INPUTS.get(name, (0, 3, 32, 32))[1:]
    x, y = rng.standard_normal((BATCH, *shape), np.float32), rng.integers(0, 10, BATCH)
    mc.manual_seed(0)
    model = mc.models.create(name, num_classes=10)
    step = our_step(model, x, y, device)
    step = mc.cuda.graph(step) if graph else step
    losses = [step().item() for _ in range(STEPS)]
    return losses, [value.numpy(force=True) for value in model.state_dict().values()]


def compare(name: str, device: str = "cuda") -> str:
    """Raise AssertionError unless the GPU does what the CPU does; else how far it is off, as text."""
    expected, weights = trained(name, "cpu")
    losses, there = trained(name, device)
    again, replayed = trained(name, device, graph=True)
    if losses != again or not all(np.array_equal(a, b) for a, b in zip(there, replayed, strict=True)):
        raise AssertionError(f"{name}: a CUDA graph gives other bits: losses {again}, step by step {losses}")
    a, b = (np.concatenate([value.ravel() for value in values]) for values in (there, weights))
    off = np.linalg.norm(a - b) / np.linalg.norm(b)
    if not (np.allclose(losses, expected, rtol=MODELS[name]) and off <= MODELS[name]):
        raise AssertionError(f"{name}: weights are off by {off:.1e}; losses {losses}, on the CPU {expected}")
    return f"{off:.0e}"


def measure(results: Path, models: list[str], device: str = "cuda") -> bool:
    """Compare, print and keep a table; whether all of it succeeded."""
    table = Table(
        results / "smoke_cuda.md",
        f"{STEPS} training steps on the GPU and on the CPU",
        [gpu.setting(device, False), "A replay of each as a CUDA graph gave the same bits."],
        ["model", "weights are off by"],
    )
    for name in models:
        with table.attempt(name):
            table.add(name, compare(name, device))
    return not table.failed


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    gpu.check_device(parser, "cuda", False)
    sys.exit(not measure(args.results, [*MODELS]))


if __name__ == "__main__":
    main()
