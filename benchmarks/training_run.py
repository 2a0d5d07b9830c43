"""LeNet-5's whole run on MNIST, as tutorials and `minicnn train lenet5` have it, in minicnn and in PyTorch.

    python -m benchmarks.training_run [--epochs 5] [--threads 1 2]

Batches of 64, Adam, the test digits after each epoch. minicnn's Trainer takes its digits from a DataLoader.
PyTorch's are tensors in memory, already padded to 32x32, of which a batch is an index: there is no faster way
to feed it. Its loop is the tutorial's, as it is and with fused Adam and channels_last memory; the faster one
counts. All start with the same weights, for which the loss and all gradients are compared first, and take
one epoch in turn, each library in a process of its own. Ratio = PyTorch's seconds / minicnn's. With --results
the table goes to training_run_cpu.md in that folder.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import minicnn as mc
from benchmarks.report import Table, add_results, file_in, machine, options
from benchmarks.timing import PAUSE, Apart, apart, set_threads
from benchmarks.train_step import check
from benchmarks.twins import twin

BATCH, TEST_BATCH, LR = 64, 500, 1e-3


def digits(train: bool, count: int) -> Any:
    """MNIST's digits for LeNet-5, or the first ones."""
    data = mc.data.MNIST(train=train, transform=mc.data.Pad(2))
    return mc.data.Subset(data, range(count)) if count else data


def minicnn_epochs(model: mc.nn.Module, train: Any, test: Any) -> Callable[[], float]:
    """A function that trains for an epoch and returns the test accuracy."""
    trainer = mc.Trainer(model, mc.optim.Adam(model.parameters(), lr=LR), device="cpu")
    loader = mc.data.DataLoader(train, batch_size=BATCH, shuffle=True)
    test_loader = mc.data.DataLoader(test, batch_size=TEST_BATCH)
    return lambda: trainer.fit(loader, 1, validation=test_loader, verbose=False)["val_accuracy"][-1]


def torch_epochs(model: Any, train: Any, test: Any, fast: bool) -> Callable[[], float]:
    """The same in PyTorch."""
    x, y = in_memory(train)
    test_x, test_y = in_memory(test)
    if fast:
        model = model.to(memory_format=torch.channels_last)
        x, test_x = (a.to(memory_format=torch.channels_last) for a in (x, test_x))
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), lr=LR, fused=fast), torch.nn.CrossEntropyLoss()

    def epoch() -> float:
        model.train()
        for batch in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            loss_fn(model(x[batch]), y[batch]).backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            batches = zip(test_x.split(TEST_BATCH), test_y.split(TEST_BATCH), strict=True)
            right = [(model(pictures).argmax(1) == labels).sum() for pictures, labels in batches]
        return sum(map(int, right)) / len(test_y)

    return epoch


def in_memory(data: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """All pictures (N, 1, 32, 32) and labels (N)."""
    x, y = next(iter(mc.data.DataLoader(data, batch_size=len(data))))
    return torch.from_numpy(x.numpy()), torch.from_numpy(y.numpy())


def start() -> mc.nn.Module:
    """LeNet-5 with the weights that all start with."""
    mc.manual_seed(0)
    return mc.models.lenet5()


def torch_runs(count: int, threads: int) -> list[Callable[[], float]]:
    """PyTorch's epochs, as they are and in its fast mode."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    train, test = digits(True, count), digits(False, count)
    return [torch_epochs(twin(start()), train, test, fast) for fast in (False, True)]


def measure(epochs: int, threads: int, count: int, table: Table, pytorch: Apart) -> None:
    """Compare, run and tell."""
    set_threads(threads)
    train, test = digits(True, count), digits(False, count)
    x, y = next(iter(mc.data.DataLoader(train, batch_size=BATCH)))
    check(start(), x.numpy(), y.numpy())
    plain, fast = pytorch.calls(torch_runs, count, threads)
    ours = minicnn_epochs(start(), train, test)
    runs: dict[str, Callable[[], Any]] = {
        "minicnn": ours,
        "PyTorch": plain,
        "PyTorch, channels_last, fused": fast,
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    accuracy = {}
    for _ in range(epochs):
        for name, epoch in runs.items():
            time.sleep(PAUSE)
            begin = time.perf_counter()
            accuracy[name] = epoch()
            seconds[name].append(time.perf_counter() - begin)
    whole = {name: sum(times) for name, times in seconds.items()}
    best = min(list(runs)[1:], key=lambda name: whole[name])
    for name, times in seconds.items():
        epoch_told = f"{np.median(times):.2f} ({min(times):.2f}-{max(times):.2f})"
        ratio = "" if name == "minicnn" else f"{whole[name] / whole['minicnn']:.2f}"
        ratio = f"**{ratio}**" if name == best else ratio
        table.add(name, threads, f"{whole[name]:.1f}", epoch_told, ratio, f"{accuracy[name]:.2%}")


def main() -> None:
    """Measure and print a table."""
    parser = options(__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--count", type=int, default=0, help="of digits for training, and for the test; all")
    add_results(parser)
    args = parser.parse_args()
    table = Table(
        file_in(args.results, "training_run_cpu.md"),
        "LeNet-5's whole run on MNIST, on the CPU",
        [
            machine(),
            f"{args.epochs} epochs with evaluation, batches of {BATCH}, Adam. Seconds of the whole, and of "
            "an epoch: median (least-most). Ratio = PyTorch's whole / minicnn's: above 1, minicnn is faster.",
        ],
        ["", "threads", "seconds", "an epoch", "ratio", "test accuracy"],
    )
    with apart() as pytorch:
        for threads in args.threads:
            with table.attempt("", threads):
                measure(args.epochs, threads, args.count, table, pytorch)
    sys.exit(table.failed)


if __name__ == "__main__":
    main()
