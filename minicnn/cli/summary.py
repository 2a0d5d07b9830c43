"""``minicnn summary MODEL``."""

import argparse

from minicnn import models
from minicnn.inspect import summary
from minicnn.training.recipes import input_size


def run(args: argparse.Namespace) -> int:
    """Print the model's layers, output shapes, parameters and multiply-accumulates."""
    print(summary(models.create(args.model), input_size(args.model)))
    return 0
