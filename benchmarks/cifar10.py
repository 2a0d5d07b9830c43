"""The tutorial's CIFAR-10 run in minicnn and in PyTorch: SimpleCNN, SGD 0.01 with momentum 0.9, batches of
64, pixels normalised by 0.5; the same first weights, the same batches in the same order.

    python -m benchmarks.cifar10 ROOT [--epochs 2] [--seed 0] [--threads 1]

ROOT is the folder with CIFAR-10's published files. The two take each step in turn, so that a change of the
machine's speed meets both. Ratio = PyTorch's median step / minicnn's: above 1, minicnn is faster.
"""

import argparse
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numba
import numpy as np
import torch

import minicnn as mc
from benchmarks.timing import median_ms, set_threads
from benchmarks.twins import twin
from minicnn.data import DataLoader, datasets, transforms

LR, MOMENTUM, BATCH = 0.01, 0.9, 64
TRANSFORM = transforms.Compose(
    [transforms.ToTensor(), transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))]
)


class Run:
    """A model of minicnn or of PyTorch, as `library` says, and its training: the same words for both."""

    def __init__(self, library: ModuleType, model: Any):
        self.library, self.model = library, model
        self.optimizer = library.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
        self.loss_fn = library.nn.CrossEntropyLoss()
        self.seconds: list[float] = []  # of each step

    def step(self, x: np.ndarray, y: np.ndarray) -> float:
        """Train on a batch and return its loss."""
        images, labels = self.library.from_numpy(x), self.library.from_numpy(y)
        start = time.perf_counter()
        self.optimizer.zero_grad()
        loss = self.loss_fn(self.model(images), labels)
        loss.backward()
        self.optimizer.step()
        self.seconds.append(time.perf_counter() - start)
        return loss.item()

    def right(self, x: np.ndarray, y: np.ndarray) -> int:
        """The number of pictures in a batch that the model tells rightly."""
        with self.library.no_grad():
            predicted = self.model(self.library.from_numpy(x)).argmax(1)
        return int((predicted == self.library.from_numpy(y)).sum().item())


def batches(root: str, train: bool, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pictures (64, 3, 32, 32) and labels (64); the training ones in an order drawn from the seed."""
    data = datasets.CIFAR10(root, train=train, transform=TRANSFORM)
    for x, y in DataLoader(data, batch_size=BATCH, shuffle=train, seed=seed):
        yield x.numpy(), y.numpy()


def main() -> None:
    """Train both and print their losses and accuracies side by side."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    set_threads(args.threads)
    mc.manual_seed(args.seed)
    model = mc.models.simplecnn_cifar()
    both = Run(mc, model), Run(torch, twin(model))
    print(f"seed {args.seed}, threads {args.threads}, PyTorch {torch.__version__}, Numba {numba.__version__}")
    print(f"{'':27} {'minicnn':>8} {'PyTorch':>8}")
    for epoch in range(1, args.epochs + 1):
        losses = []
        for step, (x, y) in enumerate(batches(args.root, True, args.seed + epoch), 1):
            losses.append([run.step(x, y) for run in both])
            if step % 100 == 0:
                ours, theirs = np.mean(losses[-100:], axis=0)
                print(f"epoch {epoch}, loss to step {step:4} {ours:8.4f} {theirs:8.4f}", flush=True)
        right = [[run.right(x, y) for run in both] for x, y in batches(args.root, False, args.seed)]
        ours, theirs = np.sum(right, axis=0) / 10_000
        print(f"epoch {epoch}, test accuracy     {ours:8.2%} {theirs:8.2%}")
        ours, theirs = (median_ms(run.seconds) for run in both)
        print(f"epoch {epoch}, ms a step         {ours:8.2f} {theirs:8.2f}   ratio {theirs / ours:.2f}")


if __name__ == "__main__":
    main()
