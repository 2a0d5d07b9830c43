"""``minicnn evaluate RUN``."""

import argparse

import numpy as np

from minicnn.data import DataLoader
from minicnn.nn import functional as F
from minicnn.tensor import tensor
from minicnn.training import Trainer
from minicnn.training.pictures import class_names, of_photos, pictures
from minicnn.training.run import load_run


def run(args: argparse.Namespace) -> int:
    """Print loss and accuracy on the test images, and the accuracy on each class."""
    model, settings = load_run(args.folder)
    root = args.data or settings.get("data")
    if of_photos(root) != settings["photos"]:
        kind = "folders of pictures" if settings["photos"] else "IDX files, as MNIST's"
        raise ValueError(f"{root or 'MNIST'}: expected {kind}, since the model was trained on such")
    data = pictures(settings["model"], root, False, settings["size"], whole=args.data is not None)
    names = settings["classes"]
    if class_names(data) != names:
        raise ValueError(
            f"{root}: expected the classes {', '.join(names)}, got {', '.join(class_names(data))}"
        )
    outputs = Trainer(model).predict(DataLoader(data, settings["batch_size"]))
    targets = np.array(data.targets)
    loss = F.cross_entropy(outputs, tensor(targets)).item()
    right = outputs.array.argmax(1) == targets
    print(f"{settings['model']} from {args.folder} on {len(data):,} test images")
    print(f"test accuracy {100 * right.mean():.2f} %, loss {loss:.4f}")
    width = max(map(len, ["class", *names]))
    print(f"{'class':>{width}}  {'images':>6}  {'right':>6}  {'accuracy':>8}")
    for number in np.unique(targets):
        of_class = right[targets == number]
        accuracy = f"{100 * of_class.mean():>6.2f} %"
        print(f"{names[number]:>{width}}  {len(of_class):>6}  {of_class.sum():>6}  {accuracy}")
    return 0
