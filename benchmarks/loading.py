"""How many pictures a second a DataLoader delivers, in minicnn and in PyTorch, from equal arrays in memory.

    python -m benchmarks.loading [--workers 0] [--threads 1]

Digits of MNIST are scaled and normalised; synthetic 32x32 colour pictures are also cropped after padding and
flipped, at random. PyTorch's side are the same steps as plain PyTorch on one picture after the other, which
spares it the way through Pillow that torchvision takes. Ratio = minicnn's / PyTorch's: above 1, minicnn is
faster. With --results the table goes to loading_cpu.md in that folder.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import minicnn as mc
from benchmarks.report import Table, add_results, file_in, machine, options
from benchmarks.timing import alternate, set_threads
from minicnn.data import datasets, transforms

COUNT, BATCH = 6400, 64  # pictures in an epoch, and in a batch
SCALED = "MNIST: ToTensor, Normalize"
AUGMENTED = "32x32 colours: RandomCrop with padding 4, RandomHorizontalFlip, ToTensor, Normalize"
MNIST = (0.1307,), (0.3081,)
COLOUR = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class Pictures(datasets.vision.PicturesInMemory):
    """The first pictures of MNIST, or random colours."""

    classes = datasets.CIFAR10.classes

    def __init__(self, colour: bool, transform: Callable) -> None:
        self.colour = colour
        super().__init__("", transform=transform)

    def read(self) -> tuple[np.ndarray, Any]:
        if self.colour:
            rng = np.random.default_rng(0)
            return rng.integers(0, 256, (COUNT, 32, 32, 3), np.uint8), rng.integers(0, 10, COUNT).tolist()
        digits = datasets.MNIST("", train=False)
        return digits.data.numpy()[:COUNT], digits.targets[:COUNT]


class InPyTorch(torch.utils.data.Dataset):
    """The same pictures, with the same steps."""

    def __init__(self, pictures: Pictures) -> None:
        data = torch.from_numpy(np.asarray(pictures.data))
        self.data = data.permute(0, 3, 1, 2).contiguous() if pictures.colour else data[:, None]
        self.targets = [int(target) for target in pictures.targets]
        self.colour = pictures.colour
        self.mean, self.std = (torch.tensor(v)[:, None, None] for v in (COLOUR if self.colour else MNIST))

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        x = self.data[index]
        if self.colour:
            x = torch.nn.functional.pad(x, (4, 4, 4, 4))
            top, left = torch.randint(0, 9, (2,)).tolist()
            x = x[:, top : top + 32, left : left + 32]
            if torch.rand(()) < 0.5:
                x = x.flip(-1)
        return x.to(torch.float32).div_(255).sub_(self.mean).div_(self.std), self.targets[index]


def check(ours: Pictures) -> None:
    """Raise AssertionError unless both give the same pictures, where chance has no part."""
    pictures, labels = next(iter(mc.data.DataLoader(ours, BATCH)))
    theirs, numbers = next(iter(torch.utils.data.DataLoader(InPyTorch(ours), BATCH)))
    assert pictures.shape == theirs.shape and labels.tolist() == numbers.tolist()
    if not ours.colour:
        np.testing.assert_allclose(pictures.numpy(), theirs, atol=1e-6)


def main() -> None:
    """Measure and print a table."""
    parser = options(__doc__)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4.0, help="measuring time for each")
    add_results(parser)
    args = parser.parse_args()
    set_threads(args.threads)
    table = Table(
        file_in(args.results, "loading_cpu.md"),
        "Loading data on the CPU",
        [
            f"{machine()} Workers: {args.workers}; threads: {args.threads}.",
            f"Batches of {BATCH} in random order from {COUNT:,} pictures in memory. Pictures a second: "
            "medians. Ratio = minicnn's / PyTorch's: above 1, minicnn is faster.",
            "minicnn does a step to all pictures of a batch at once. PyTorch's loader asks for one picture "
            "after the other; its steps are plain PyTorch, without the way through Pillow that torchvision "
            "takes.",
        ],
        ["", "minicnn", "PyTorch", "ratio"],
    )
    scale = [transforms.ToTensor(), transforms.Normalize(*MNIST)]
    augment = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
    augment += [transforms.ToTensor(), transforms.Normalize(*COLOUR)]
    for name, steps in ((SCALED, scale), (AUGMENTED, augment)):
        with table.attempt(name):
            ours = Pictures(steps is augment, transforms.Compose(steps))
            check(ours)
            settings = {"batch_size": BATCH, "shuffle": True, "num_workers": args.workers}
            loaders = (
                mc.data.DataLoader(ours, **settings),
                torch.utils.data.DataLoader(InPyTorch(ours), **settings),
            )
            epochs = [lambda loader=loader: sum(len(labels) for _, labels in loader) for loader in loaders]
            rates = [COUNT / float(np.median(times)) for times in alternate(epochs, args.seconds)]
            table.add(name, f"{rates[0]:,.0f}", f"{rates[1]:,.0f}", f"**{rates[0] / rates[1]:.1f}**")
    sys.exit(table.failed)


if __name__ == "__main__":
    main()
