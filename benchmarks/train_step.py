"""The whole training step (zero_grad, forward, loss, backward, Adam) in minicnn and in PyTorch, in turn in
one run, each in a process of its own.

    python -m benchmarks.train_step [--models lenet5 simplecnn] [--batch-size 64 256] [--threads 1 2]
    python -m benchmarks.train_step --avx2
    python -m benchmarks.train_step --device cuda [--tf32]

minicnn runs compiled (mc.compile), model and loss as one like in its Trainer, and eager. PyTorch runs in its
default mode (eager, torch.optim.Adam as is) and in faster ones (fused Adam, and channels_last memory too);
the best of all counts. Ratio = the median of PyTorch's best / minicnn's compiled: above 1, minicnn is faster.
Before anything is timed, the loss and all gradients are compared.

With --avx2 both do as if the processor had no AVX-512. With --results the table goes to
train_step_cpu.md in that folder, or train_step_cpu_haswell.md.

On a GPU minicnn's step is a CUDA graph; PyTorch's is eager and a CUDA graph, or with --compiled that alone.
What comes out is kept in results/train_step_cuda.md; see benchmarks/on_gpu/steps.py.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

import minicnn as mc
from benchmarks import gpu
from benchmarks.report import RESULTS, Table, beside, file_in, machine, meaning, options
from benchmarks.timing import (
    Apart,
    Budget,
    Call,
    alternate,
    apart,
    loss_of,
    median_ms,
    set_threads,
    told_ms,
    training_step,
)
from benchmarks.twins import model_for, same, twin

INPUTS = {
    "lenet5": (1, 32, 32),
    "simplecnn": (1, 28, 28),
    "simplecnn_cifar": (3, 32, 32),
    "resnet18_cifar": (3, 32, 32),
    "resnet18": (3, 224, 224),
    "resnet50": (3, 224, 224),
}
ON_CPU = {  # batch sizes
    "lenet5": (64, 256),
    "simplecnn": (64, 256),
    "simplecnn_cifar": (64,),
    "resnet18_cifar": (128,),
    "resnet18": (8,),
}
# How far gradients may be from PyTorch's, as a share of their length. A ReLU whose input is nearly 0 may fall
# on either side of it, and of two nearly equal numbers either may be the largest of a cell. One such moves a
# gradient by up to 3e-3. In small networks none does so for all of three batches; in deep ones, which have
# millions of them, some always do: PyTorch's own are up to 1e-2 away from those in float64.
OFF, OFF_IN_DEEP = 1e-4, 3e-2
DEEP = 5  # ReLUs
AVX2 = {  # what keeps Numba, NumPy, PyTorch's own kernels and oneDNN from using AVX-512; its MKL still may
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+64bit,+avx,+avx2,+bmi,+bmi2,+cmov,+cx16,+cx8,+f16c,+fma,+fsgsbase,+fxsr,+invpcid,"
    "+lzcnt,+mmx,+movbe,+pclmul,+popcnt,+rdrnd,+sahf,+sse,+sse2,+sse3,+sse4.1,+sse4.2,+ssse3,+xsave,+xsaveopt",
    "ATEN_CPU_CAPABILITY": "avx2",
    "DNNL_MAX_CPU_ISA": "AVX2",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Haswell",
}
MODULE = sys.executable, "-m", "benchmarks.train_step"
MODES = {  # of PyTorch: whether Adam is fused, and memory channels_last
    "default": (False, False),
    "fused": (True, False),
    "channels_last, fused": (True, True),
}


def minicnn_step(model: mc.nn.Module, x: np.ndarray, y: np.ndarray, compiled: bool = True) -> Call:
    """A training step in minicnn."""
    optimizer, loss_fn = mc.optim.Adam(model.parameters(), lr=1e-3), mc.nn.CrossEntropyLoss()
    inputs, targets = mc.from_numpy(x), mc.from_numpy(y)
    measure = loss_of(model, loss_fn)
    return training_step(mc.compile(measure) if compiled else measure, optimizer, inputs, targets)


def torch_step(model: Any, x: np.ndarray, y: np.ndarray, fused: bool, last: bool) -> Call:
    """A training step in PyTorch."""
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    if last:
        model, inputs = (x.to(memory_format=torch.channels_last) for x in (model, inputs))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)
    loss_fn = torch.nn.CrossEntropyLoss()
    return training_step(loss_of(model, loss_fn), optimizer, inputs, targets)


def batch_for(name: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Random pictures and labels for a model."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((size, *INPUTS[name]), np.float32), rng.integers(0, 10, size)


def torch_steps(name: str, size: int, threads: int) -> list[Call]:
    """PyTorch's step in its modes."""
    torch.set_num_threads(threads)
    x, y = batch_for(name, size)
    return [torch_step(twin(model_for(name, x.shape)), x, y, *mode) for mode in MODES.values()]


def check(model: mc.nn.Module, x: np.ndarray, y: np.ndarray) -> None:
    """Raise AssertionError unless the loss and all gradients agree with PyTorch's, eager and compiled.

    They have to for one of three batches: the pictures, and two mirror images of them.
    """
    for pictures in (x, x[..., ::-1]):
        with suppress(AssertionError):
            compare(model, np.ascontiguousarray(pictures), y)
            return
    compare(model, np.ascontiguousarray(x[..., ::-1, :]), y)


def compare(model: mc.nn.Module, x: np.ndarray, y: np.ndarray) -> None:
    """The same for one batch."""
    theirs = twin(model)
    expected = torch.nn.CrossEntropyLoss()(theirs(torch.from_numpy(x)), torch.from_numpy(y))
    expected.backward()
    deep = sum(isinstance(layer, mc.nn.ReLU) for layer in model.modules()) > DEEP
    eager = loss_of(model, mc.nn.CrossEntropyLoss())
    for measure, calls in ((eager, 1), (mc.compile(eager), 4)):  # two recordings, a plan, and its replay
        for _ in range(calls):
            model.zero_grad()
            loss = measure(mc.from_numpy(x), mc.from_numpy(y))
            loss.backward()
        same("loss", loss, expected, 2e-5)
        for (name, p), q in zip(model.named_parameters(), theirs.parameters(), strict=True):
            same(name, p.grad, q.grad, OFF_IN_DEEP if deep else OFF)


def measure(name: str, size: int, threads: int, budget: Budget, table: Table, pytorch: Apart) -> None:
    """Compare, time and tell one model's step."""
    set_threads(threads)
    x, y = batch_for(name, size)
    check(model_for(name, x.shape), x, y)
    steps = [minicnn_step(model_for(name, x.shape), x, y, compiled) for compiled in (True, False)]
    steps += pytorch.calls(torch_steps, name, size, threads)
    ours, eager, *theirs = alternate(steps, budget.seconds(len(steps)))
    both_eager = told_ms(eager), f"{median_ms(theirs[0]) / median_ms(eager):.2f}"
    table.add(name, size, threads, *beside(ours, dict(zip(MODES, theirs, strict=True))), *both_eager)


def measure_on_cpu(
    names: Sequence[str],
    sizes: Sequence[int] | None,
    threads: Sequence[int],
    minutes: float,
    results: Path | None,
) -> bool:
    """Measure the models with every batch size and number of threads; whether all of it succeeded."""
    limited = AVX2.items() <= os.environ.items()
    table = Table(
        file_in(results, "train_step_cpu_haswell.md" if limited else "train_step_cpu.md"),
        "Training step on the CPU" + (", without AVX-512" if limited else ""),
        [
            machine(),
            f"Optimizer: Adam. {meaning('a step')} minicnn is compiled (mc.compile), model and loss as one, "
            "as by its Trainer. The last column is the ratio of what tutorials write: minicnn eager, PyTorch "
            "without fused Adam and channels_last.",
        ],
        ["model", "batch", "threads", "minicnn", "PyTorch's best", "ratio", "minicnn, eager", "ratio"],
    )
    rows = [(name, size, t) for name in names for size in sizes or ON_CPU.get(name, (8,)) for t in threads]
    budget = Budget(minutes, len(rows))
    with apart() as pytorch:
        for row in rows:
            with table.attempt(*row):
                measure(*row, budget, table, pytorch)
    return not table.failed


def main() -> None:
    """Measure and print a table."""
    parser = options(__doc__)
    parser.add_argument("--models", nargs="+", choices=list(INPUTS), help="those of the table in results/")
    parser.add_argument("--batch-size", type=int, nargs="+", help="as each model usually has")
    gpu.add_arguments(parser)
    parser.add_argument("--compiled", action="store_true", help="on a GPU compare with torch.compile")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="on the CPU: 1 2")
    parser.add_argument("--minutes", type=float, default=5.0, help="on the CPU, for all together, about")
    parser.add_argument("--avx2", action="store_true", help="leave AVX-512 unused")
    args = parser.parse_args()
    gpu.check_device(parser, args.device, args.tf32)
    if args.device == "cuda":
        from benchmarks.on_gpu import steps

        names, size = args.models or [*steps.INPUTS], (args.batch_size or [None])[0]
        sys.exit(not steps.measure(names, size, args.tf32, args.compiled, args.results or RESULTS))
    if args.avx2 and not AVX2.items() <= os.environ.items():  # libraries look when they are loaded
        sys.exit(subprocess.run([*MODULE, *sys.argv[1:]], env=os.environ | AVX2).returncode)
    settings = args.batch_size, args.threads, args.minutes, args.results
    sys.exit(not measure_on_cpu(args.models or [*ON_CPU], *settings))


if __name__ == "__main__":
    main()
