"""``minicnn summary MODEL``."""

import argparse

from minicnn import models
from minicnn.inspect import summary
from minicnn.training.recipes import input_size


def run(args: argparse.Namespace) -> int:
    """Print the model's layers with what they see and cost."""
    print(summary(models.create(args.model), input_size(args.model), time=args.time))
    return 0
