"""``minicnn predict RUN IMAGE...``."""

import argparse
from typing import Any

import numpy as np

from minicnn.cli import print_error
from minicnn.data import to_mnist_form
from minicnn.data.datasets.folder import pil_loader
from minicnn.nn import functional as F
from minicnn.tensor import Tensor, tensor
from minicnn.training import Trainer
from minicnn.training.recipes import digit_transform, photo_transform
from minicnn.training.run import load_run


def run(args: argparse.Namespace) -> int:
    """Print the class of each picture and its probability; one that cannot be read stops no other."""
    model, settings = load_run(args.folder)
    trainer = Trainer(model)
    failed = False
    for path in args.images:
        try:
            picture = _picture(path, settings)
        except (OSError, ValueError) as error:
            print_error(error)
            failed = True
            continue
        probabilities = F.softmax(trainer.predict(picture), dim=1).array[0]
        number = int(probabilities.argmax())
        print(f"{path}: {settings['classes'][number]} ({100 * probabilities[number]:.1f} %)")
    return 1 if failed else 0


def _picture(path: str, settings: dict[str, Any]) -> Tensor:
    """The picture as the model takes it, (1, C, H, W)."""
    if settings["photos"]:
        return photo_transform(settings["model"], settings["size"])(pil_loader(path)).unsqueeze(0)
    digit = to_mnist_form(path)[np.newaxis, np.newaxis]
    return tensor(digit_transform(settings["model"], settings["size"]).batch(digit))
