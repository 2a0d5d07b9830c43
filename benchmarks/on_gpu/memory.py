"""The GPU's memory that training takes, in minicnn and in PyTorch, each in a fresh process.

    python -m benchmarks.on_gpu.memory [--models lenet5 resnet50]

Five steps of Adam, one by one; then the same as a CUDA graph. "Tensors" is the most that lived at one time,
"held" the most that the library had taken from the GPU, for them and for later; "all" is what the driver says
is no longer free on the GPU in the end: also CUDA itself, the kernels' code, and other programs, if any.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import minicnn as mc
from benchmarks import gpu
from benchmarks.on_gpu.steps import INPUTS, Mode, batch, our_step, torch_step
from benchmarks.report import RESULTS, Table
from benchmarks.twins import twin

STEPS = 5
LIBRARIES = ("minicnn", "PyTorch")
KINDS = ("step by step", "CUDA graph")
MODELS = ("lenet5", "simplecnn", "resnet18_cifar", "resnet50")
MIB = 2**20


def high_water() -> Any:
    """A context that counts what comes from CuPy's pools and goes back: `most` and `held` bytes."""
    import cupy

    class HighWater(cupy.cuda.MemoryHook):
        """Told by CuPy of each allocation, whichever pool it comes from."""

        name = "high water"

        def __init__(self) -> None:
            self.sizes: dict[int, int] = {}
            self.now = self.most = self.held = 0

        def alloc_postprocess(self, *, mem_size: int, mem_ptr: int, **others: int) -> None:
            """A pool took memory from the GPU."""
            self.held += mem_size if mem_ptr else 0

        def malloc_postprocess(self, *, mem_size: int, mem_ptr: int, pmem_id: int, **others: int) -> None:
            """Somebody took memory from a pool."""
            if mem_ptr:
                self.sizes[pmem_id] = mem_size
                self.now += mem_size
                self.most = max(self.most, self.now)

        def free_postprocess(self, *, pmem_id: int, **others: int) -> None:
            """And gave it back."""
            self.now -= self.sizes.pop(pmem_id, 0)

    return HighWater()


def ours(name: str, size: int | None, kind: str, device: str = "cuda") -> list[int]:
    """Bytes that lived, were held, and are not free, of minicnn's steps."""
    x, y = batch(name, size)
    gpu.give_back()
    with high_water() as seen:
        step = our_step(mc.models.create(name, num_classes=10), x, y, device)
        repeat(mc.cuda.graph(step) if kind == "CUDA graph" else step)
        mc.cuda.synchronize()
        free, whole = mc.cuda.mem_get_info()
        return [seen.most, seen.held, whole - free]


def theirs(name: str, size: int | None, kind: str) -> list[int]:
    """The same of PyTorch's."""
    x, y = batch(name, size)
    captured = kind == "CUDA graph"
    mode = Mode(captured=captured, settings={"capturable": True} if captured else {})
    repeat(torch_step(twin(mc.models.create(name, num_classes=10)), x, y, mode))
    torch.cuda.synchronize()
    free, whole = torch.cuda.mem_get_info()
    return [torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved(), whole - free]


def repeat(step: Callable[[], Any]) -> None:
    """Do the steps."""
    for _ in range(STEPS):
        step()


def alone(name: str, library: str, kind: str) -> list[int]:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.on_gpu.memory", "--alone", name, library, kind]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{library} ended with {done.returncode}; what it said is above")
    return json.loads(done.stdout.splitlines()[-1])


def measure(models: list[str], results: Path, ask: Callable[[str, str, str], list[int]] = alone) -> bool:
    """Measure every model in processes of their own, print and keep a table; whether all of it succeeded."""
    table = Table(
        results / "memory_cuda.md",
        "GPU memory of training",
        [
            gpu.setting("cuda", True),
            f"MiB, {STEPS} steps of Adam: the most in Tensors, the most held, and all that is not free on "
            "the GPU, CUDA itself included. Ratio = minicnn's / PyTorch's, of each.",
        ],
        ["model", "", "minicnn", "", "", "PyTorch", "", "", "ratio", "", ""],
    )
    for name in models:
        for kind in KINDS:
            with table.attempt(name, kind):
                found = [ask(name, library, kind) for library in LIBRARIES]
                told = [f"{size / MIB:.1f}" for sizes in found for size in sizes]
                table.add(name, kind, *told, *(f"{a / b:.2f}" for a, b in zip(*found, strict=True)))
    return not table.failed


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=[*INPUTS], default=MODELS)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--alone", nargs=3, metavar=("MODEL", "LIBRARY", "KIND"), help="in this process")
    args = parser.parse_args()
    gpu.check_device(parser, "cuda", True)
    if args.alone:
        name, library, kind = args.alone
        print(json.dumps((ours if library == "minicnn" else theirs)(name, None, kind)))
        return
    sys.exit(not measure(args.models, args.results))


if __name__ == "__main__":
    main()
