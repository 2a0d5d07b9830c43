"""Peak memory of training and of inference, in minicnn and in PyTorch, each in a fresh process.

    python -m benchmarks.memory [--threads 2]

Training: two steps of SGD with momentum. Inference: two pictures one after the other, without gradients. What
counts is the largest resident set of the process less what was resident before the model was made, which is
the libraries; the whole is told, too. The networks of PyTorch are those that the tests compare with; their
ReLUs work in place, as torchvision's do.

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
    "ResNet-50, training, batch 4": Case("resnet50", (4, 3, 224, 224), True),
    "DenseNet-121, training, batch 4": Case("densenet121", (4, 3, 224, 224), True),
    "VGG-16, inference, one picture": Case("vgg16", (1, 3, 224, 224), False),
}


def resident(field: str) -> float:
    """Megabytes (10^6 bytes) of a field of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024 / 1e6


def minicnn_model(case: Case, threads: int) -> tuple[Any, Any]:
    """minicnn, and a function that makes the network."""
    import numba

    import minicnn as mc

    numba.set_num_threads(threads)
    return mc, lambda: mc.models.create(case.name, num_classes=10)


def torch_model(case: Case, threads: int) -> tuple[Any, Any]:
    """PyTorch, and a function that makes the network."""
    import torch

    from tests.zoo import densenet, resnet, vgg

    torch.set_num_threads(threads)
    torch.nn.functional.relu = lambda x, inplace=False: torch.relu_(x)
    torch.Tensor.relu = torch.Tensor.relu_

    def make() -> Any:
        model = {**resnet.TWINS, **densenet.TWINS, **vgg.TWINS}[case.name]()
        if case.name == "vgg16":  # the twin's head is narrow
            linear = torch.nn.Linear
            layers = linear(25088, 4096), torch.nn.ReLU(), linear(4096, 4096), torch.nn.ReLU()
            model.head = torch.nn.Sequential(*layers, linear(4096, 10))
        return model

    return torch, make


def measure(case: Case, library: str, threads: int) -> tuple[float, float]:
    """Run a case in this process: the resident megabytes before, and at the most."""
    module, make = (minicnn_model if library == "minicnn" else torch_model)(case, threads)
    gc.collect()
    before = resident("VmRSS")
    model = make()
    x = module.ones(case.shape)
    if not case.train:
        model.eval()
        with module.no_grad():
            for _ in range(2):
                model(x)
        return before, resident("VmHWM")
    labels = module.tensor([0] * case.shape[0])
    optimizer = module.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        module.nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()
    return before, resident("VmHWM")


def main() -> None:
    """Measure every case in processes of their own and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--alone", nargs=2, metavar=("CASE", "LIBRARY"), help="measure in this process")
    args = parser.parse_args()
    if args.alone:
        name, library = args.alone
        print(json.dumps(measure(CASES[name], library, args.threads)))
        return
    print(f"{args.threads} threads; megabytes at the most less those of the libraries (whole)")
    for name in CASES:
        found = {}
        for library in ("minicnn", "minicnn", "PyTorch"):  # the first may compile kernels and does not count
            command = [sys.executable, "-m", "benchmarks.memory", "--threads", str(args.threads)]
            command += ["--alone", name, library]
            found[library] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        ours, theirs = (found[library] for library in ("minicnn", "PyTorch"))
        told = [f"{peak - before:5.0f} ({peak:.0f})" for before, peak in (ours, theirs)]
        ratio = (ours[1] - ours[0]) / (theirs[1] - theirs[0])
        print(f"{name:32} minicnn {told[0]}   PyTorch {told[1]}   ratio {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
