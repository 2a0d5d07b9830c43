"""Inference of known networks in minicnn and in PyTorch, in turn in one run, each in a process of its own.

    python -m benchmarks.inference [--models vgg16 vit_s_16] [--batch-size 8] [--threads 1 2]

Pictures of 224x224, models in eval mode, no gradients. minicnn runs compiled (mc.compile), and eager. PyTorch
runs in its default memory format and in channels_last, both under inference_mode; the better one counts.
Ratio = the median of PyTorch's best / minicnn's compiled: above 1, minicnn is faster. Before anything is
timed, the scores are compared. With --results the table goes to inference_cpu.md in that folder.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import minicnn as mc
from benchmarks.report import Table, add_results, beside, file_in, machine, meaning, options
from benchmarks.timing import Apart, Budget, alternate, apart, set_threads, told_ms
from benchmarks.twins import model_for, same, twin

SIZES = {  # batch sizes
    "vgg16": (1, 8),
    "resnet50": (8,),
    "mobilenet_v2": (8,),
    "efficientnet_b0": (8,),
    "vit_s_16": (8,),
}
MODES = {"default": torch.contiguous_format, "channels_last": torch.channels_last}  # of PyTorch's memory


def minicnn_scores(model: mc.nn.Module, x: np.ndarray, compiled: bool) -> Callable[[], mc.Tensor]:
    """The scores by minicnn."""
    inputs = mc.from_numpy(x)
    if compiled:
        model = mc.compile(model)

    def run() -> mc.Tensor:
        with mc.no_grad():
            return model(inputs)

    return run


def torch_scores(model: Any, x: np.ndarray, memory: torch.memory_format) -> Callable[[], torch.Tensor]:
    """The scores by PyTorch, from memory of that format."""
    model, inputs = model.to(memory_format=memory), torch.from_numpy(x).to(memory_format=memory)

    def run() -> torch.Tensor:
        with torch.inference_mode():
            return model(inputs)

    return run


def model_and_batch(name: str, size: int, side: int) -> tuple[mc.nn.Module, np.ndarray]:
    """A model in eval mode, and random pictures."""
    x = np.random.default_rng(0).standard_normal((size, 3, side, side), np.float32)
    return model_for(name, x.shape, **({"image_size": side} if name.startswith("vit") else {})).eval(), x


def both_formats(model: mc.nn.Module, x: np.ndarray) -> list[Callable[[], torch.Tensor]]:
    """`torch_scores` in the formats of MODES."""
    return [torch_scores(twin(model), x, memory) for memory in MODES.values()]


def torch_calls(name: str, size: int, side: int, threads: int) -> list[Callable[[], torch.Tensor]]:
    """The same from the start."""
    torch.set_num_threads(threads)
    return both_formats(*model_and_batch(name, size, side))


def measure(
    name: str, size: int, threads: int, budget: Budget, table: Table, side: int, pytorch: Apart
) -> None:
    """Compare, time and tell one model."""
    set_threads(threads)
    model, x = model_and_batch(name, size, side)
    ours = [minicnn_scores(model, x, compiled) for compiled in (True, False)]
    for expected in [run() for run in both_formats(model, x)]:
        for run in ours:
            for _ in range(3):  # from the third call on a compiled model repeats what was recorded
                same(name, run(), expected, 1e-3)
    theirs = pytorch.calls(torch_calls, name, size, side, threads)
    ours, eager, *theirs = alternate([*ours, *theirs], budget.seconds(4))
    table.add(name, size, threads, *beside(ours, dict(zip(MODES, theirs, strict=True))), told_ms(eager))


def main() -> None:
    """Measure and print a table."""
    parser = options(__doc__)
    parser.add_argument("--models", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--batch-size", type=int, nargs="+", help="8; with vgg16 1 and 8")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--side", type=int, default=224, help="of the pictures")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all together, about")
    add_results(parser)
    args = parser.parse_args()
    table = Table(
        file_in(args.results, "inference_cpu.md"),
        "Inference on the CPU",
        [machine(), f"Pictures of {args.side}x{args.side}. {meaning('a batch')}"],
        ["model", "batch", "threads", "minicnn", "PyTorch's best", "ratio", "minicnn, eager"],
    )
    rows = [(n, size, t) for n in args.models for size in args.batch_size or SIZES[n] for t in args.threads]
    budget = Budget(args.minutes, len(rows))
    with apart() as pytorch:
        for row in rows:
            with table.attempt(*row):
                measure(*row, budget, table, args.side, pytorch)
    sys.exit(table.failed)


if __name__ == "__main__":
    main()
