"""The command ``minicnn``: its arguments, and how its errors look; each command itself is in its own file."""

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

EXAMPLES = """\
examples:
  minicnn train lenet5                     learn MNIST in 5 epochs, into runs/lenet5
  minicnn train simplecnn --epochs 1 --optimizer sgd --momentum 0.9
  minicnn train resnet18 --data photos     pictures in photos/train/CLASS and photos/val/CLASS
  minicnn evaluate runs/lenet5             accuracy on the test images, for each digit too
  minicnn predict runs/lenet5 photo.png    what is on a picture
  minicnn summary lenet5                   layers, shapes and parameters
  minicnn weights convert resnet18.pth     PyTorch's weights as safetensors
  minicnn warmup lenet5 resnet18           compile their kernels now, so that nobody waits later
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process unless given.

    Returns
    -------
    int
        The exit code: 0 when all went well, 1 when some pictures could not be read, 2 after an error,
        130 after Ctrl-C.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return 2
    try:
        code: int = COMMANDS[args.command](args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("minicnn: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in "minicnn ... | head"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError, FloatingPointError) as error:
        print_error(error)
        return 2
    return code


def print_error(error: Exception) -> None:
    """Tell an error in one line on standard error."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    print("minicnn: error:", " ".join(text.split()), file=sys.stderr)


def version() -> str:
    """The version that is installed."""
    from importlib import metadata

    try:
        return metadata.version("minicnn")
    except metadata.PackageNotFoundError:
        return "(from source, not installed)"


# The commands, each imported only when it is called.


def _train(args: argparse.Namespace) -> int:
    from minicnn.cli.train import run

    return run(args)


def _evaluate(args: argparse.Namespace) -> int:
    from minicnn.cli.evaluate import run

    return run(args)


def _predict(args: argparse.Namespace) -> int:
    from minicnn.cli.predict import run

    return run(args)


def _summary(args: argparse.Namespace) -> int:
    from minicnn.cli.summary import run

    return run(args)


def _weights(args: argparse.Namespace) -> int:
    from minicnn.cli.weights import run

    return run(args)


def _warmup(args: argparse.Namespace) -> int:
    from minicnn.cli.warmup import run

    return run(args)


COMMANDS = {
    "train": _train,
    "evaluate": _evaluate,
    "predict": _predict,
    "summary": _summary,
    "weights": _weights,
    "warmup": _warmup,
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"minicnn: error: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="minicnn",
        description="Train convolutional networks, and use them.",
        epilog=EXAMPLES,
        formatter_class=form,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    train = commands.add_parser(
        "train",
        help="train a model on MNIST, or on pictures of yours",
        description="Train a model by its recipe, on MNIST or on your pictures, and keep it in a folder:\n"
        "model.safetensors, history.json, curves.png and settings.json. Ctrl-C keeps what has been\n"
        "learnt so far. On one core an epoch of MNIST takes ResNet-20 five minutes.",
        formatter_class=form,
    )
    train.add_argument("model", metavar="MODEL", help="a classifier of minicnn.models.list()")
    add = train.add_argument
    add(
        "--epochs",
        type=_whole(1),
        metavar="N",
        help="passes over the training images (large models 1, else 5)",
    )
    add(
        "--size",
        type=_whole(1),
        metavar="N",
        help="side of the pictures (default: MNIST small, others as usual)",
    )
    add("--batch-size", type=_whole(1), metavar="N", help="images in a step (default 64)")
    add("--lr", type=_positive, help="learning rate (default 0.001, or 0.0001; sgd 0.01)")
    add("--optimizer", choices=("adam", "adamw", "sgd"), help="default adam")
    add("--momentum", type=_momentum, help="of sgd (default 0.9)")
    add("--seed", type=_whole(0), default=0, metavar="N", help="of all random numbers (default 0)")
    add(
        "--data",
        metavar="DIR",
        help="in place of MNIST: DIR/train/CLASS/PICTURE and DIR/val/...,\n"
        "DIR/CLASS/PICTURE (every fifth is for the test), or four IDX files",
    )
    add(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="default auto: a GPU if there is one",
    )
    add("--out", metavar="DIR", help="where to keep the run (default runs/MODEL or the next free name)")
    add("--overwrite", action="store_true", help="let --out replace an earlier run")

    evaluate = commands.add_parser(
        "evaluate", help="measure a trained model", description="Measure a trained model on the test images."
    )
    evaluate.add_argument("folder", metavar="RUN", help="the folder of a run")
    evaluate.add_argument(
        "--data", metavar="DIR", help="a folder as for 'minicnn train' (default: that of the training)"
    )

    predict = commands.add_parser(
        "predict",
        help="tell what is on pictures",
        description="Tell the class of each picture. Of digits any size and colour will do, light on dark\n"
        "or dark on light. The exit code is 1 if a picture cannot be read.",
        formatter_class=form,
    )
    predict.add_argument("folder", metavar="RUN", help="the folder of a run")
    predict.add_argument("images", metavar="IMAGE", nargs="+", help="a picture file")

    summary = commands.add_parser(
        "summary",
        help="show a model's layers",
        description="Show a model's layers: shapes, receptive fields, parameters, memory and operations.",
    )
    summary.add_argument("model", metavar="MODEL", help="one of minicnn.models.list()")
    summary.add_argument("--time", action="store_true", help="also measure how long each layer takes")

    weights = commands.add_parser(
        "weights", help="convert weights of PyTorch", description="Convert weights of other programs."
    )
    actions = weights.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    convert = actions.add_parser(
        "convert",
        help="write a .pth file's weights as safetensors",
        description="Write the weights in a file of torch.save as safetensors. Nothing in the file is run,\n"
        "and PyTorch need not be installed.",
        formatter_class=form,
    )
    convert.add_argument("file", metavar="FILE", help="with a state_dict, by itself or in a checkpoint")
    convert.add_argument("--out", metavar="FILE", help="(default: the same name with .safetensors)")
    convert.add_argument("--overwrite", action="store_true", help="replace a file that is there")

    warmup = commands.add_parser(
        "warmup",
        help="compile the CPU's kernels ahead",
        description="Compile the kernels that training these models on the CPU takes, and keep them where\n"
        "every later process finds them. Each kernel is named while it is compiled.",
        formatter_class=form,
    )
    warmup.add_argument(
        "models",
        metavar="MODEL",
        nargs="*",
        default=["lenet5", "simplecnn"],
        help="classifiers of minicnn.models.list() (default: lenet5 simplecnn)",
    )
    warmup.add_argument(
        "--size", type=_whole(1), metavar="N", help="side of the pictures (default as for MNIST)"
    )
    return parser


class _Version(argparse.Action):
    def __call__(self, *unused: object) -> None:
        print("minicnn", version())
        sys.exit(0)


def _whole(least: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"expected {least} or more, got {text}")
        return number

    whole.__name__ = "whole number"  # argparse says: invalid whole number value: 'x'
    return whole


def _positive(text: str) -> float:
    number = float(text)
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return number


def _momentum(text: str) -> float:
    number = float(text)
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to below 1, got {text}")
    return number
