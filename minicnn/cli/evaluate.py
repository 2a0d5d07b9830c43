"""``minicnn evaluate RUN``."""

import argparse

import numpy as np

from minicnn.data import DataLoader
from minicnn.training import Trainer
from minicnn.training.recipes import mnist
from minicnn.training.run import load_run


def run(args: argparse.Namespace) -> int:
    """Print loss and accuracy on the test images, and the accuracy on each digit."""
    model, settings = load_run(args.folder)
    data = mnist(settings["model"], False, args.data or settings.get("data"))
    trainer = Trainer(model)
    loader = DataLoader(data, batch_size=256)
    measured = trainer.evaluate(loader)
    told = trainer.predict(loader).array.argmax(1)
    print(f"{settings['model']} from {args.folder} on {len(data):,} test images")
    print(f"test accuracy {100 * measured['accuracy']:.2f} %, loss {measured['loss']:.4f}")
    print(f"{'digit':>5}  {'images':>6}  {'right':>6}  {'accuracy':>8}")
    for digit in np.unique(data.targets):
        right = told[data.targets == digit] == digit
        print(f"{digit:>5}  {len(right):>6}  {right.sum():>6}  {100 * right.mean():>6.2f} %")
    return 0
