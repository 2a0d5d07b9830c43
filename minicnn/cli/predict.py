"""``minicnn predict RUN IMAGE...``."""

import argparse

import numpy as np

from minicnn.cli import print_error
from minicnn.data import to_mnist_form
from minicnn.nn import functional as F
from minicnn.training import Trainer
from minicnn.training.recipes import recipe
from minicnn.training.run import load_run


def run(args: argparse.Namespace) -> int:
    """Print the digit on each picture and its probability; one that cannot be read stops no other."""
    model, settings = load_run(args.folder)
    transform = recipe(settings["model"]).transform
    trainer = Trainer(model)
    failed = False
    for path in args.images:
        try:
            picture = to_mnist_form(path)
        except (OSError, ValueError) as error:
            print_error(error)
            failed = True
            continue
        outputs = trainer.predict(transform(picture[np.newaxis, np.newaxis]))
        probabilities = F.softmax(outputs, dim=1).array[0]
        digit = int(probabilities.argmax())
        print(f"{path}: {digit} ({100 * probabilities[digit]:.1f} %)")
    return 1 if failed else 0
