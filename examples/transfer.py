"""Transfer learning: what a network knows of some classes helps with others of which there are few pictures.

    python examples/transfer.py
    python examples/transfer.py --model resnet18 --weights resnet18.safetensors --data photos

The first command trains a ResNet-20 on the digits 0 to 4, and then three on 20 pictures each of 5 to 9. Of
the test digits 5 to 9 the frozen one, which only gets a new last layer, reads 81.3 % right, the fine-tuned
one 95.1 %, the one trained from nothing 74.7 %. Three minutes on one core.

The second does the same with your pictures, in photos/train/CLASS/ and photos/val/CLASS/, and with any
classifier of minicnn.models.list() and its weights.
"""

import argparse
import copy

import numpy as np
from matplotlib.figure import Figure

import minicnn as mc
import minicnn.nn as nn
import minicnn.optim as optim
from minicnn.data import MNIST, TensorDataset, random_split
from minicnn.data.datasets import ImageFolder
from minicnn.data.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor


def last_layer(model):
    """The name of the layer that gives the scores, and the layer."""
    return [(name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.Linear)][-1]


def replace_head(model, classes):
    """As ``model.fc = nn.Linear(model.fc.in_features, classes)``, whatever the name of the layer is."""
    name, old = last_layer(model)
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, nn.Linear(old.in_features, classes))


def extract_features(model):
    """Freeze all weights but the head's; batch normalisation's statistics follow the new pictures."""
    _, head = last_layer(model)
    model.requires_grad_(False)
    head.requires_grad_(True)
    return [{"params": head.parameters(), "lr": 1e-2}]


def fine_tune(model):
    """Freeze the first half of the layers; the others change slowly, the head, which is new, fast."""
    name, head = last_layer(model)
    backbone = [parameter for key, parameter in model.named_parameters() if not key.startswith(name)]
    for parameter in backbone[: len(backbone) // 2]:
        parameter.requires_grad = False
    return [
        {"params": backbone[len(backbone) // 2 :], "lr": 1e-3},
        {"params": head.parameters(), "lr": 1e-2},
    ]


def fit(model, groups, data, epochs):
    """Train on four fifths of the pictures; keep the epoch that is best on the others."""
    mc.manual_seed(1)
    train, validation = random_split(data, [0.8, 0.2])
    optimizer = optim.AdamW(groups)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    trainer = mc.Trainer(model, optimizer, scheduler=schedule, clip_norm=1.0)
    trainer.fit(train, epochs, validation, batch_size=16, verbose=False, keep_best="val_loss")
    return trainer


def compare(pretrained, untrained, data, test, classes, epochs):
    """Train in three ways; the history and the test accuracy of each."""
    results = {}
    for name in ("frozen", "fine-tuned", "from nothing"):
        mc.manual_seed(0)
        if name == "from nothing":
            model = untrained()
            groups = [{"params": model.parameters(), "lr": 1e-3}]
        else:
            model = copy.deepcopy(pretrained)
            replace_head(model, classes)
            groups = extract_features(model) if name == "frozen" else fine_tune(model)
        trainer = fit(model, groups, data, epochs)
        results[name] = trainer.history, trainer.evaluate(test)["accuracy"]
        print(f"{name:>12}: test accuracy {100 * results[name][1]:.1f} %", flush=True)
    return results


def digits(train, labels, each=None):
    """The digits with these labels, which become 0, 1, ...; the first `each` of a label, or all."""
    data = MNIST(train=train, transform=Normalize(0.1307, 0.3081))
    places = [np.flatnonzero(data.targets == label)[:each] for label in labels]
    images, targets = data.batch(np.concatenate(places))
    return TensorDataset(mc.tensor(images), mc.tensor(targets - labels[0]))


def on_digits(backbone_each=None, each=20, test_each=None, epochs=40):
    """All digits 0 to 4, then 20 of each from 5 to 9."""

    def untrained():
        return mc.models.resnet20(num_classes=5, in_channels=1)

    mc.manual_seed(0)
    model = untrained()
    print("the backbone learns 0 to 4")
    trainer = mc.Trainer(model, optim.Adam(model.parameters(), lr=1e-3))
    test = digits(False, range(5), test_each)
    trainer.fit(digits(True, range(5), backbone_each), epochs=1, validation=test)
    data, test = digits(True, range(5, 10), each), digits(False, range(5, 10), test_each)
    print(f"and from {len(data)} pictures 5 to 9")
    return compare(model, untrained, data, test, 5, epochs)


def on_photos(name, weights, folder, size, epochs):
    """Pictures in folders, a model of the zoo and its weights."""
    normalize = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # as when the weights were made
    transform = Compose([Resize(size), CenterCrop(size), ToTensor(), normalize])
    data, test = (ImageFolder(f"{folder}/{part}", transform) for part in ("train", "val"))
    state = mc.load(weights)
    head, _ = last_layer(mc.models.create(name))
    model = mc.models.create(name, num_classes=len(state[f"{head}.bias"]))
    model.load_state_dict(state)
    if name == "googlenet":  # its auxiliary heads are for training from nothing
        model.aux_logits, model.aux1, model.aux2 = False, None, None
    classes = len(data.classes)
    return compare(model, lambda: mc.models.create(name, num_classes=classes), data, test, classes, epochs)


def draw(results, path):
    """The validation loss over the epochs, and the test accuracy."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    curves, bars = figure.subplots(1, 2)
    for place, (name, (history, accuracy)) in enumerate(results.items()):
        curves.plot(range(1, history.epochs + 1), history["val_loss"], label=name)
        bars.bar(place, 100 * accuracy)
        bars.text(place, 100 * accuracy, f"{100 * accuracy:.1f} %", ha="center", va="bottom")
    curves.set(xlabel="epoch", ylabel="validation loss", yscale="log")
    curves.legend()
    bars.set(
        xticks=range(len(results)),
        xticklabels=list(results),
        ylabel="test accuracy in percent",
        ylim=(0, 105),
    )
    figure.savefig(path, dpi=80)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description="Transfer learning; without arguments, from digits to digits."
    )
    parser.add_argument("--model", help="a classifier of minicnn.models.list()")
    parser.add_argument("--weights", help="its weights, in a file that minicnn.load reads")
    parser.add_argument("--data", help="a folder with train/CLASS/PICTURE and val/CLASS/PICTURE")
    parser.add_argument("--size", type=int, default=224, help="side of the pictures (default 224)")
    parser.add_argument("--epochs", type=int, default=40, help="(default 40)")
    parser.add_argument("--picture", default="transfer.png", help="where to draw (default transfer.png)")
    args = parser.parse_args(arguments)
    given = [args.model, args.weights, args.data]
    if None in given and any(given):
        parser.error("--model, --weights and --data go together")
    if args.data is None:
        results = on_digits(epochs=args.epochs)
    else:
        results = on_photos(args.model, args.weights, args.data, args.size, args.epochs)
    draw(results, args.picture)
    print(f"the curves are in {args.picture}")
    return results


if __name__ == "__main__":
    main()
