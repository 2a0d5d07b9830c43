"""``minicnn summary MODEL``."""

import argparse

from minicnn import models
from minicnn.inspect import summary
from minicnn.training.recipes import INPUT_SIZES

IMAGENET = (3, 224, 224)  # what the larger models are made for


def run(args: argparse.Namespace) -> int:
    """Print the model's layers with what they see and cost."""
    print(summary(models.create(args.model), INPUT_SIZES.get(args.model, IMAGENET), time=args.time))
    return 0
