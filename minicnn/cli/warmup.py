"""``minicnn warmup``."""

import argparse
import time

from minicnn.data import TensorDataset
from minicnn.tensor import randint, randn
from minicnn.training import Trainer
from minicnn.training.recipes import create, make_optimizer, recipe, side


def run(args: argparse.Namespace) -> int:
    """Train each model on random pictures for a few steps, by its recipe: that compiles all it takes."""
    from minicnn.kernels.cpu.jit import FOLDER

    if FOLDER is None:
        raise ValueError("there is no folder to keep compiled kernels in; set NUMBA_CACHE_DIR to one")
    trainers = [_trainer(name, args.size) for name in args.models]  # all of them are there before one begins
    for name, (trainer, size) in zip(args.models, trainers, strict=True):
        usual, start = recipe(name), time.perf_counter()
        count = usual.batch_size * 3 // 2  # a whole batch, and a smaller one as at the end of an epoch
        pictures = TensorDataset(randn(count, usual.channels, size, size), randint(10, (count,)))
        # four epochs: of each shape, two steps are recorded, then one as a plan, which the fourth repeats
        trainer.fit(pictures, 4, pictures, batch_size=usual.batch_size, verbose=False)
        trainer.predict(pictures[0][0][None])  # few pictures are computed in another way
        print(f"{name}: ready after {time.perf_counter() - start:.1f} s", flush=True)
    print(f"the kernels are in {FOLDER}")
    return 0


def _trainer(name: str, size: int | None) -> tuple[Trainer, int]:
    """The model's trainer, and the side of its pictures."""
    usual, size = recipe(name), side(name, size, False)
    model = create(name, size, 10)
    return Trainer(model, make_optimizer(usual.optimizer, model, usual.lr, 0.0), device="cpu"), size
