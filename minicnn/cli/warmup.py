"""``minicnn warmup``."""

import argparse
import time

from minicnn.data import TensorDataset
from minicnn.random import manual_seed
from minicnn.tensor import randint, randn
from minicnn.training import Trainer
from minicnn.training.recipes import create, make_optimizer, recipe, side


def run(args: argparse.Namespace) -> int:
    """Take two steps with each model on random pictures, as `minicnn train` would: that compiles all."""
    from minicnn.kernels.cpu.jit import FOLDER

    if FOLDER is None:
        raise ValueError("there is no folder to keep compiled kernels in; set NUMBA_CACHE_DIR to one")
    trainers = [(name, _trainer(name, side(name, args.size, False))) for name in args.models]
    for name, trainer in trainers:
        manual_seed(0)
        usual, size = recipe(name), side(name, args.size, False)
        count = usual.batch_size * 3 // 2  # a whole batch, and a smaller one as at the end of an epoch
        pictures = TensorDataset(randn(count, usual.channels, size, size), randint(10, (count,)))
        start = time.perf_counter()
        trainer.fit(pictures, 1, pictures, batch_size=usual.batch_size, verbose=False)
        print(f"{name}: ready after {time.perf_counter() - start:.1f} s", flush=True)
    print(f"the kernels are in {FOLDER}")
    return 0


def _trainer(name: str, size: int) -> Trainer:
    model, usual = create(name, size, 10), recipe(name)
    return Trainer(model, make_optimizer(usual.optimizer, model, usual.lr, 0.0), device="cpu")
