"""Peak memory of training and of inference, in minicnn and in PyTorch, each in a fresh process.

    python -m benchmarks.memory [--cases LeNet-5 ResNet-18] [--threads 2]

Training: four steps of SGD with momentum. Inference: four batches one after the other, without gradients.
minicnn runs compiled (mc.compile), and eager. What counts is the largest resident set of the process less
what was resident before the model was made, which is the libraries; the whole is told, too. The networks of
PyTorch are those that the tests compare with; their ReLUs work in place, as torchvision's do. With --results
the table goes to memory_cpu.md in that folder.

Linux only: the figures are /proc/self/status's VmHWM and VmRSS.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple


class Case(NamedTuple):
    """A network, the shape of its input, and whether it is trained."""

    name: str
    shape: tuple[int, int, int, int]
    train: bool


CASES = {
    "LeNet-5, training, batch 64": Case("lenet5", (64, 1, 32, 32), True),
    "LeNet-5, training, batch 256": Case("lenet5", (256, 1, 32, 32), True),
    "SimpleCNN, training, batch 64": Case("simplecnn", (64, 1, 28, 28), True),
    "SimpleCNN, training, batch 256": Case("simplecnn", (256, 1, 28, 28), True),
    "ResNet-18 for 32x32, training, batch 128": Case("resnet18_cifar", (128, 3, 32, 32), True),
    "ResNet-18, training, batch 8": Case("resnet18", (8, 3, 224, 224), True),
    "ResNet-50, training, batch 4": Case("resnet50", (4, 3, 224, 224), True),
    "DenseNet-121, training, batch 4": Case("densenet121", (4, 3, 224, 224), True),
    "VGG-16, inference, one picture": Case("vgg16", (1, 3, 224, 224), False),
}
COMPILED = "minicnn, compiled"


def resident(field: str) -> float:
    """Megabytes (10^6 bytes) of a field of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024 / 1e6


def minicnn_model(case: Case) -> tuple[Any, Any]:
    """minicnn, and a function that makes the network."""
    import numba  # noqa: F401 (a library, too: it is no part of the figure)

    import minicnn as mc

    return mc, lambda: mc.models.create(case.name, num_classes=10)


def torch_model(case: Case) -> tuple[Any, Any]:
    """PyTorch, and a function that makes the network."""
    import torch

    from tests import twins
    from tests.zoo import densenet, resnet, vgg

    torch.nn.functional.relu = lambda x, inplace=False: torch.relu_(x)
    torch.Tensor.relu = torch.Tensor.relu_

    def make() -> Any:
        model = {**twins.TWINS, **resnet.TWINS, **densenet.TWINS, **vgg.TWINS}[case.name]()
        if case.name == "vgg16":  # the twin's head is narrow
            linear = torch.nn.Linear
            layers = linear(25088, 4096), torch.nn.ReLU(), linear(4096, 4096), torch.nn.ReLU()
            model.head = torch.nn.Sequential(*layers, linear(4096, 10))
        return model

    return torch, make


def measure(case: Case, library: str) -> tuple[float, float]:
    """Run a case in this process: the resident megabytes before, and at the most."""
    module, make = (torch_model if library == "PyTorch" else minicnn_model)(case)
    gc.collect()
    before = resident("VmRSS")
    model = make()
    if library == COMPILED:
        model = module.compile(model)
    x = module.ones(case.shape)
    if not case.train:
        model.eval()
        with module.no_grad():
            for _ in range(4):
                model(x)
        return before, resident("VmHWM")
    labels = module.tensor([0] * case.shape[0])
    optimizer = module.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    for _ in range(4):
        optimizer.zero_grad()
        module.nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()
    return before, resident("VmHWM")


def alone(name: str, library: str, threads: int) -> tuple[float, float]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.memory", "--alone", name, library]
    settings = {"NUMBA_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=os.environ | settings, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def main() -> None:
    """Measure every case in processes of their own and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--cases", nargs="+", default=[""], metavar="WORD", help="those with such a beginning"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="keep the table there, too")
    parser.add_argument("--alone", nargs=2, metavar=("CASE", "LIBRARY"), help="measure in this process")
    args = parser.parse_args()
    if args.alone:
        name, library = args.alone
        print(json.dumps(measure(CASES[name], library)))
        return

    from benchmarks.report import Table, file_in, machine  # not where memory is measured: it brings PyTorch

    table = Table(
        file_in(args.results, "memory_cpu.md"),
        "Peak memory on the CPU",
        [
            f"{machine()} {args.threads} threads.",
            "Megabytes (10^6 bytes) of the resident set at its largest, less what was resident before the "
            "model was made, which is the libraries; in brackets the whole. Pictures of 224x224 unless told, "
            "10 classes. Ratio = minicnn's / PyTorch's: below 1, minicnn takes less.",
        ],
        ["", "minicnn", "minicnn, eager", "PyTorch", "ratio"],
    )
    for name in CASES:
        if not name.startswith(tuple(args.cases)):
            continue
        with table.attempt(name):
            for library in (COMPILED, "minicnn"):
                alone(name, library, args.threads)  # may compile kernels, and does not count
            found = [alone(name, library, args.threads) for library in (COMPILED, "minicnn", "PyTorch")]
            ours, _, theirs = (peak - before for before, peak in found)
            told = [f"{peak - before:.0f} ({peak:.0f})" for before, peak in found]
            table.add(name, *told, f"**{ours / theirs:.2f}**")
    sys.exit(table.failed)


if __name__ == "__main__":
    main()
