"""``minicnn train MODEL``."""

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from minicnn.cli import version
from minicnn.cuda import why_unavailable
from minicnn.data import DataLoader
from minicnn.nn import Module
from minicnn.random import manual_seed
from minicnn.tensor import zeros
from minicnn.training import History, Trainer
from minicnn.training.pictures import class_names, of_photos, pictures
from minicnn.training.recipes import LEARNING_RATES, MOMENTUM, create, make_optimizer, recipe, side
from minicnn.training.run import holds_run, save_run


def run(args: argparse.Namespace) -> int:
    """Train, with a line for each epoch, and keep what there is after each and after Ctrl-C."""
    if args.device == "cuda" and (reason := why_unavailable()):
        raise ValueError(f"--device cuda: {reason}")
    settings = _settings(args)
    data, test_data = (pictures(args.model, args.data, train, settings["size"]) for train in (True, False))
    settings["classes"] = class_names(data)
    manual_seed(args.seed)
    model = _model(args.model, settings)
    optimizer = make_optimizer(settings["optimizer"], model, settings["lr"], settings["momentum"] or 0.0)
    trainer = Trainer(model, optimizer, device=args.device)
    size = settings["batch_size"]
    alone = len(data) > size > 1 == len(data) % size  # batch normalisation cannot use one last picture
    train = DataLoader(data, size, shuffle=True, drop_last=alone)
    test = DataLoader(test_data, size)
    folder, made = _folder(args)

    def save(history: History) -> None:
        save_run(folder, model, history, settings)

    parameters = sum(p.numel() for p in model.parameters())
    print(f"{args.model}: {parameters:,} parameters, pictures of {settings['size']}x{settings['size']}")
    print(f"{args.data or 'MNIST'}: {len(data):,} training and {len(test_data):,} test images")
    print(_sentence(settings), flush=True)
    try:
        trainer.fit(train, settings["epochs"], validation=test, on_epoch_end=save)
    except KeyboardInterrupt:
        done = _epochs(trainer.history.epochs)
        if holds_run(folder) and not trainer.history.epochs:  # an earlier run, which is worth more
            print(f"minicnn: interrupted after {done}; {folder} is as it was", file=sys.stderr)
        else:
            save(trainer.history)
            print(f"minicnn: interrupted after {done}; what has been learnt is in {folder}", file=sys.stderr)
        return 130
    except FloatingPointError as error:
        kept = f"; what {_epochs(trainer.history.epochs)} gave is in {folder}" if trainer.history else ""
        raise FloatingPointError(f"{error}{kept}") from error
    finally:
        if made:
            with suppress(OSError):  # it is not empty
                folder.rmdir()
    print(f"test accuracy {100 * trainer.history['val_accuracy'][-1]:.2f} %")
    print(f"weights, curves and settings are in {folder}")
    return 0


def _model(name: str, settings: dict[str, Any]) -> Module:
    """The new model, tried on a picture of the size."""
    size = settings["size"]
    try:
        model = create(name, size, len(settings["classes"]))
        Trainer(model, device="cpu").predict(zeros(1, recipe(name).channels, size, size))
    except (AssertionError, RuntimeError) as error:  # the model's and the operations' own
        raise ValueError(f"{name} does not take pictures of {size}x{size}: {error}") from error
    return model


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    """What the arguments say, and the recipe where they say nothing; for settings.json."""
    usual, photos = recipe(args.model), of_photos(args.data)
    optimizer = args.optimizer or usual.optimizer
    if args.momentum is not None and optimizer != "sgd":
        raise ValueError(f"--momentum is for --optimizer sgd, not for {optimizer}")
    return {
        "model": args.model,
        "size": side(args.model, args.size, photos),
        "photos": photos,
        "epochs": args.epochs or usual.epochs,
        "batch_size": args.batch_size or usual.batch_size,
        "optimizer": optimizer,
        "lr": args.lr or (LEARNING_RATES[optimizer] if optimizer == "sgd" else usual.lr),
        "momentum": None if optimizer != "sgd" else MOMENTUM if args.momentum is None else args.momentum,
        "seed": args.seed,
        "data": args.data and str(Path(args.data).resolve()),
        "minicnn": version(),
    }


def _sentence(settings: dict[str, Any]) -> str:
    momentum = "" if settings["momentum"] is None else f", momentum {settings['momentum']:g}"
    return (
        f"{_epochs(settings['epochs'])} in batches of {settings['batch_size']}, {settings['optimizer']} with "
        f"learning rate {settings['lr']:g}{momentum}, seed {settings['seed']}"
    )


def _epochs(number: int) -> str:
    return f"{number} epoch" if number == 1 else f"{number} epochs"


def _folder(args: argparse.Namespace) -> tuple[Path, bool]:
    """The folder for the run, there from now on, and whether it was made here; never one that holds a run."""
    if args.out is not None:
        folder = Path(args.out)
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"--out is for a folder, but {folder} is a file")
        if holds_run(folder) and not args.overwrite:
            raise ValueError(
                f"{folder} already holds a run; give another --out, or --overwrite to replace it"
            )
        made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        return folder, made
    runs = Path("runs")
    runs.mkdir(exist_ok=True)
    number = 1
    while True:
        folder = runs / (args.model if number == 1 else f"{args.model}-{number}")
        try:
            folder.mkdir()  # fails if another process was faster, too
            return folder, True
        except FileExistsError:
            number += 1
